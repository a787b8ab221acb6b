//! A discrepancy that has been investigated and does not change costs nothing.

use cec_exporter::upstream::PageRequest;

use cec_exporter::bench::{Bench, SPANS, settings};
use cec_exporter::listed::{BASE, Call, FilterQuirk, List, add, even};

/// The requests of an hour in which each pull finds a new call and counts it at once. They are about
/// as many as without the discrepancy.
async fn an_hour(bench: &Bench, discrepancy: &str) -> Vec<Vec<PageRequest>> {
    let before = bench.counted();
    let mut pulls = Vec::new();
    for number in 0..240 {
        bench.add_new(1_000_000 + number);
        pulls.push(bench.pull_after(15).await);
        bench.assert_up();
        // With an excluded bound, the newest call is listed a second later.
        let counted = bench.counted() - before;
        assert!(
            (number as u64..=number as u64 + 1).contains(&counted),
            "{number}: {counted}"
        );
    }
    let requests = requests(&pulls);
    assert!(requests <= 2 * 240 + 20, "{discrepancy}: {requests}");
    pulls
}

fn requests(pulls: &[Vec<PageRequest>]) -> usize {
    pulls.iter().map(Vec::len).sum()
}

#[tokio::test(start_paused = true)]
async fn calls_without_status_cost_no_requests_per_pull() {
    for status in [-1, 77] {
        let mut calls = even(20_000, 80_000);
        for call in calls.iter_mut().step_by(50) {
            call.status = Call::new(0, 0, status).status;
        }
        let bench = Bench::new(settings(SPANS, 100), List::of(calls));
        bench.pulls(5).await;
        bench.assert_up();
        let name = if status < 0 { "unknown" } else { "unknown_77" };
        assert_eq!((bench.counted(), bench.in_status(name)), (20_000, 400));
        an_hour(&bench, name).await;
        assert_eq!((bench.in_status(name), bench.missing()), (400, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_gets_its_status_later_is_followed() {
    let mut calls = even(2000, 78_000);
    for place in [500, 1995] {
        calls[place].status = Call::new(0, 0, -1).status;
    }
    let intervals = cec_exporter::puller::plan::Intervals {
        reconcile_interval: 3600,
        ..SPANS
    };
    let bench = Bench::new(settings(intervals, 100), List::of(calls));
    bench.pulls(5).await;
    assert_eq!(bench.in_status("unknown"), 2);
    bench.vendor.with(|list| {
        list.calls[500].status = Call::done(0, 0).status;
        list.calls[1995].status = Call::waiting(0, 0).status;
    });
    // At the latest, reconciliation finds the one that became final.
    bench.pulls(2 * 240 + 20).await;
    bench.assert_up();
    assert_eq!(
        (bench.in_status("unknown"), bench.in_status("waiting")),
        (0, 1)
    );
    let processed = bench.samples().sum("cec_calls_processed_total", &[]);
    assert_eq!(processed, 1999.0);
}

#[tokio::test(start_paused = true)]
async fn excluded_bounds_cost_no_requests_per_pull() {
    // With a call per second, one is always at a bound.
    for calls in [even(20_000, 80_000), even(80_000, 80_000)] {
        let count = calls.len() as u64;
        let bench = Bench::new(settings(SPANS, 100), List::of(calls));
        bench.vendor.with(|list| list.quirks.bounds_excluded = true);
        bench.pulls(5).await;
        bench.assert_up();
        assert!(
            (count - 1..=count).contains(&bench.counted()),
            "{}",
            bench.counted()
        );
        an_hour(&bench, "excluded bounds").await;
        bench.pulls(2).await;
        assert_eq!(bench.counted(), count + 240);
        assert_eq!(bench.missing(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn unusable_rows_cost_no_requests_per_pull() {
    for (reason, row) in [
        (
            "identity",
            r#"{"upload_time":1699999900,"status":2,"call_type":0}"#,
        ),
        (
            "upload_time",
            r#"{"call_uuid":"x","status":2,"call_type":0}"#,
        ),
        ("shape", "17"),
    ] {
        let mut calls = even(20_000, 80_000);
        // One is in the overlap at first, the other is older.
        for at in [BASE - 100, BASE - 40_000] {
            let row = row
                .replace("1699999900", &at.to_string())
                .replace("\"x\"", &format!("\"{at}\""));
            add(&mut calls, Call::done(1, at).written(row));
        }
        let bench = Bench::new(settings(SPANS, 25), List::of(calls));
        bench.pulls(5).await;
        bench.assert_up();
        assert_eq!(bench.counted(), 20_000, "{reason}");
        let pulls = an_hour(&bench, reason).await;
        // Also while one of them is in the overlap.
        let first = requests(&pulls[..30]);
        assert!(first <= 2 * 30 + 5, "{reason}: {first} requests");
        let rejected = bench.own(
            "cec_exporter_records_rejected_total",
            Some(("reason", reason)),
        );
        // Rows without any distinguishing field may be counted once.
        assert!((1.0..=2.0).contains(&rejected), "{reason}: {rejected}");
        assert_eq!(bench.missing(), 0);
    }
}

/// The list filtered by pending statuses fails, or omits what it should have, for a while, in which all
/// other requests succeed.
#[tokio::test(start_paused = true)]
async fn pending_calls_are_followed_again_when_the_filtered_list_works_again() {
    for fails in [true, false] {
        let mut calls = even(20_000, 80_000);
        for call in calls.iter_mut().skip(5000).step_by(200).take(50) {
            call.status = Call::waiting(0, 0).status;
        }
        let bench = Bench::new(settings(SPANS, 20), List::of(calls));
        bench.pulls(5).await;
        assert_eq!(bench.in_status("waiting"), 50);
        bench.vendor.with(|list| {
            list.quirks.filter = match fails {
                true => FilterQuirk::Fails,
                false => FilterQuirk::Empty,
            }
        });
        bench.pulls(15).await;
        bench.assert_up();
        bench.vendor.with(|list| {
            list.quirks.filter = FilterQuirk::Works;
            for call in &mut list.calls {
                call.status = Call::done(0, 0).status;
            }
        });
        let most = if fails { 2 } else { 60 };
        for _ in 0..most {
            bench.pull_after(15).await;
        }
        assert_eq!(bench.in_status("waiting"), 0, "{fails}");
    }
}
