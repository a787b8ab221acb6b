//! A clock that is ahead at the first start of an exporter.

use std::sync::atomic::Ordering;

use cec_exporter::puller::plan::Intervals;
use cec_exporter::upstream::ErrorKind;

use cec_exporter::bench::{Bench, settings};
use cec_exporter::listed::{List, even};

const HOUR: i64 = 3600;
const SPANS: Intervals = Intervals {
    lookback: 14_400,
    overlap: 600,
    reconcile_interval: 1200,
};

/// A day and an hour, a year, and a time zone (a hardware clock in local time).
const AHEAD: [i64; 3] = [25 * HOUR, 365 * 24 * HOUR, 8 * HOUR];

async fn step_back(ahead: i64, fails: bool, restarts: bool) {
    let what = format!("{ahead} s ahead, first pull fails: {fails}, restarts: {restarts}");
    let mut bench = Bench::new(settings(SPANS, 100), List::of(even(400, 8000)));
    bench.ahead.store(ahead, Ordering::Relaxed);
    let kind = fails.then_some(ErrorKind::Connect);
    bench.vendor.with(|list| list.quirks.failing = kind);
    bench.pulls(3).await;
    if restarts {
        bench.restart().await;
        bench.pulls(1).await;
    }
    assert_eq!(bench.counted(), 0, "{what}");
    bench.ahead.store(0, Ordering::Relaxed);
    bench.vendor.with(|list| list.quirks.failing = None);
    if restarts {
        bench.restart().await;
    }
    bench.pulls(5).await;
    bench.assert_up();
    assert_eq!((bench.counted(), bench.listed()), (400, 400), "{what}");
    let processed = bench.samples().sum("cec_calls_processed_total", &[]);
    assert_eq!(processed, 400.0, "{what}");
    for number in 0..20 {
        bench.add_new(5000 + number);
        bench.pull_after(15).await;
    }
    bench.assert_up();
    assert_eq!((bench.counted(), bench.missing()), (420, 0), "{what}");
    // Nothing is lost or counted again after a restart.
    bench.restart().await;
    bench.pulls(5).await;
    assert_eq!(bench.counted(), 420, "{what}");
}

#[tokio::test(start_paused = true)]
async fn no_call_is_lost_if_the_clock_was_ahead_at_first() {
    for ahead in AHEAD {
        step_back(ahead, false, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_is_lost_if_the_clock_was_ahead_before_a_restart() {
    for ahead in AHEAD {
        step_back(ahead, false, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_is_lost_if_the_clock_was_ahead_and_the_first_pull_failed() {
    for ahead in AHEAD {
        step_back(ahead, true, false).await;
        step_back(ahead, true, true).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_is_counted_twice_if_the_clock_steps_back() {
    let bench = Bench::new(settings(SPANS, 100), List::of(even(400, 8000)));
    bench.pulls(3).await;
    assert_eq!(bench.counted(), 400);
    for ahead in [HOUR, 0, 3 * HOUR, 0, -2 * HOUR, 0] {
        bench.ahead.store(ahead, Ordering::Relaxed);
        bench.pulls(5).await;
        assert_eq!(bench.counted(), 400, "{ahead}");
    }
}
