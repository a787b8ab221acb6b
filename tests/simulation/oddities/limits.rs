//! More calls in the lookback than `max_calls`.

use cec_exporter::puller::plan::Intervals;

use cec_exporter::bench::{Bench, settings};
use cec_exporter::listed::{List, even};

const SPANS: Intervals = Intervals {
    lookback: 14_400,
    overlap: 600,
    reconcile_interval: 3600,
};

#[tokio::test(start_paused = true)]
async fn more_than_max_calls_is_an_error_that_names_the_key() {
    let mut settings = settings(SPANS, 50);
    settings.max_calls = 100;
    let bench = Bench::new(settings, List::of(even(300, 8000)));
    bench.pulls(5).await;
    let view = bench.view();
    assert_eq!(view.up, Some(false));
    let (_, failure) = view.last_error.expect("an error");
    assert!(failure.to_string().contains("max_calls"), "{failure}");
    assert_eq!(view.snapshot.remembered, 100);
    // Nobody can say that every call was seen, after a restart either.
    assert_eq!(view.last_success, None);
    // Once the calls have left the lookback, the target recovers.
    bench.vendor.with(|list| list.calls.clear());
    bench.pull_after(SPANS.lookback).await;
    bench.pulls(3).await;
    bench.assert_up();
    assert_eq!(bench.view().snapshot.remembered, 0);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_becomes_full_ends_the_successes() {
    let mut settings = settings(SPANS, 50);
    settings.max_calls = 100;
    let mut bench = Bench::new(settings, List::of(even(100, 8000)));
    bench.pulls(3).await;
    bench.assert_up();
    let last = bench.view().last_success;
    assert!(last.is_some());
    bench.add_new(1_000_001);
    bench.pulls(3).await;
    assert_eq!(
        (bench.view().up, bench.view().last_success),
        (Some(false), last)
    );
    bench.restart().await;
    assert_eq!(bench.view().last_success, last);
}
