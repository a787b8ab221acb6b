//! Which inspection results are requested, how often, and at whose expense.

use std::collections::BTreeSet;
use std::time::Duration;

use cec_exporter::upstream::{ErrorKind, PageRequest};

use cec_exporter::bench::{Bench, SPANS, settings};
use cec_exporter::listed::{Call, List, even};

/// 20,000 calls a day.
const CALLS_PER_HOUR: u32 = 833;
const PULLS_PER_HOUR: u32 = 240;

/// Six hours of new calls, after a day that is there at the first pull. Returns the requests for
/// pages and for results.
async fn six_hours(
    share: Option<f64>,
    failing: Option<(usize, ErrorKind)>,
    is_restarted: bool,
) -> (Bench, Vec<PageRequest>, Vec<String>) {
    let list = List {
        calls: even(20_000, 86_400),
        failing_results: failing,
        ..List::default()
    };
    let mut bench = Bench::with_results(settings(SPANS, 100), list, share);
    let mut requests = bench.pull().await;
    for hour in 0..6 {
        for number in 0..CALLS_PER_HOUR {
            let at = bench.vendor.now() + number * 3600 / CALLS_PER_HOUR;
            let id = 1_000_000 + hour * 10_000 + number;
            bench.add(Call::done(id.into(), at));
        }
        requests.extend(bench.pulls(PULLS_PER_HOUR).await);
        if hour == 2 && is_restarted {
            bench.restart().await;
        }
    }
    // What is still waiting.
    tokio::time::sleep(Duration::from_secs(5)).await;
    bench.pulls(10).await;
    let results = bench.vendor.with(|list| std::mem::take(&mut list.results));
    (bench, requests, results)
}

fn counted(bench: &Bench) -> usize {
    bench.samples().sum("cec_call_score_count", &[]) as usize
}

#[tokio::test(start_paused = true)]
async fn a_tenth_of_the_calls_is_requested_once_each_and_the_list_as_before() {
    let (_, without, none) = six_hours(None, None, false).await;
    let (bench, with, results) = six_hours(Some(0.1), None, false).await;
    assert_eq!(none.len(), 0);
    assert_eq!(with.len(), without.len(), "requests for pages");
    let distinct: BTreeSet<&String> = results.iter().collect();
    assert_eq!(results.len(), distinct.len(), "each once");
    let calls = bench.counted();
    let tenth = calls / 10 - calls / 100..calls / 10 + calls / 100;
    assert!(
        tenth.contains(&(distinct.len() as u64)),
        "{}",
        distinct.len()
    );
    assert_eq!(counted(&bench), distinct.len());
    assert_eq!(bench.own("cec_exporter_results_pending", None), 0.0);
    // The same calls after a crash; those that were not committed a second time.
    let (bench, _, again) = six_hours(Some(0.1), None, true).await;
    assert_eq!(again.iter().collect::<BTreeSet<_>>(), distinct);
    assert_eq!(counted(&bench), distinct.len());
    assert!(again.len() < distinct.len() + 20, "{}", again.len());
}

/// Also those with a status that a vendor may give to a single call that it does not know.
#[tokio::test(start_paused = true)]
async fn failed_requests_are_repeated_and_each_result_counts_once() {
    for kind in [ErrorKind::Server, ErrorKind::Unavailable] {
        let (bench, _, results) = six_hours(Some(0.1), Some((5, kind)), false).await;
        let distinct: BTreeSet<&String> = results.iter().collect();
        let outcome = |outcome| {
            let label = Some(("outcome", outcome));
            bench.own("cec_exporter_results_total", label) as usize
        };
        let failed = outcome("failed");
        assert!(failed >= distinct.len() / 5, "{kind:?}: {failed}");
        // Once each, and retries.
        assert_eq!(results.len(), counted(&bench) + failed, "{kind:?}");
        let pending = bench.own("cec_exporter_results_pending", None) as usize;
        // The oldest calls of the first day may leave the lookback before they are tried again.
        let given_up = outcome("expired");
        assert_eq!(counted(&bench) + pending + given_up, distinct.len());
        let open = pending + given_up;
        assert!(
            open < 10,
            "{kind:?}: {pending} pending, {given_up} given up"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn results_that_are_refused_are_requested_less_and_less_often() {
    let list = List {
        calls: even(100, 1800),
        refusing_results: Some(ErrorKind::Auth),
        ..List::default()
    };
    let bench = Bench::with_results(settings(SPANS, 100), list, Some(1.0));
    bench.pulls(4 * PULLS_PER_HOUR).await;
    let requested = bench.vendor.with(|list| list.results.len());
    assert!((20..40).contains(&requested), "{requested} in four hours");
    let failed = bench.own("cec_exporter_results_total", Some(("outcome", "failed")));
    assert_eq!(failed as usize, requested);
    bench.assert_up();
    bench.vendor.with(|list| list.refusing_results = None);
    bench.pulls(PULLS_PER_HOUR).await;
    assert_eq!(counted(&bench), 100);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_result_never_comes_is_given_up_when_it_leaves_the_lookback() {
    let mut intervals = SPANS;
    intervals.lookback = 3600;
    let list = List {
        calls: even(20, 1800),
        // Every request fails.
        failing_results: Some((1, ErrorKind::Server)),
        ..List::default()
    };
    let bench = Bench::with_results(settings(intervals, 100), list, Some(1.0));
    bench.pulls(PULLS_PER_HOUR + 20).await;
    let outcome = |outcome| bench.own("cec_exporter_results_total", Some(("outcome", outcome)));
    assert_eq!((outcome("expired"), outcome("counted")), (20.0, 0.0));
    // At 0, 30, 90, 210, ... seconds.
    let tried = outcome("failed") / 20.0;
    assert!((5.0..9.0).contains(&tried), "{tried} times each");
    assert_eq!(bench.own("cec_exporter_results_pending", None), 0.0);
    assert_eq!(bench.view().up, Some(true));
}
