//! Reconciliation progresses although pulls follow each other closely.

use std::time::Duration;

use cec_exporter::puller::plan::Intervals;
use tokio::time::sleep;

use cec_exporter::bench::{Bench, settings};
use cec_exporter::listed::{Call, List, add, even};

const SPANS: Intervals = Intervals {
    lookback: 14_400,
    overlap: 600,
    reconcile_interval: 1200,
};

#[tokio::test(start_paused = true)]
async fn reconciliation_completes_although_pulls_follow_each_other_closely() {
    let bench = Bench::new(settings(SPANS, 100), List::of(even(2000, 10_000)));
    bench.pulls(3).await;
    assert_eq!(bench.counted(), 2000);
    // A page takes longer than the time between a pull and the next scrape.
    bench.vendor.with(|list| {
        list.quirks.latency = Duration::from_secs(3);
        let at = list.calls[1000].at;
        add(&mut list.calls, Call::done(5000, at));
        list.calls.remove(500);
    });
    let before = bench.own("cec_exporter_reconcile_", None);
    for _ in 0..2 * SPANS.reconcile_interval / 4 {
        sleep(Duration::from_secs(4)).await;
        bench.glance(Duration::from_secs(10)).await;
    }
    bench.assert_up();
    assert_eq!((bench.counted(), bench.missing()), (2001, 1));
    let after = bench.own("cec_exporter_reconcile_", None);
    assert!(after > before, "{before} {after}");
}

#[tokio::test(start_paused = true)]
async fn a_scrape_does_not_wait_for_reconciliation() {
    let bench = Bench::new(settings(SPANS, 100), List::of(even(2000, 10_000)));
    bench.pulls(3).await;
    bench
        .vendor
        .with(|list| list.quirks.latency = Duration::from_secs(1));
    let mut longest = Duration::ZERO;
    for number in 0..400 {
        sleep(Duration::from_secs(3)).await;
        bench.add_new(5000 + number);
        let began = tokio::time::Instant::now();
        bench.glance(Duration::from_secs(30)).await;
        longest = longest.max(began.elapsed());
        assert_eq!(bench.counted(), 2001 + number as u64);
    }
    // Its own pull, and possibly a page in flight.
    assert!(longest <= Duration::from_secs(5), "{longest:?}");
}
