//! Totals that do not count the calls: rows that are listed twice, groups, yesterday's.

use cec_exporter::puller::plan::Intervals;

use crate::bench::{Bench, SPANS, settings};
use crate::listed::{BASE, Call, List, Malformed, Total, add, even};

/// Half a day of calls, of which one is listed twice: side by side, or with another in between.
fn listed_twice(apart: bool) -> Vec<Call> {
    let mut calls = even(300, 43_200);
    let at = calls[250].at;
    match apart {
        false => calls[250].copies = 2,
        true => {
            add(&mut calls, Call::done(1000, at));
            let again = calls[250].clone();
            add(&mut calls, again);
        }
    }
    calls
}

fn distinct(calls: &[Call]) -> u64 {
    let ids: std::collections::HashSet<u128> = calls.iter().map(|call| call.id).collect();
    ids.len() as u64
}

/// A cold start, then an hour of pulls with a new call each: every one is counted at once, at no
/// more than a request a pull beyond the one that it takes.
async fn loads_and_goes_on(name: &str, calls: Vec<Call>, oddity: Malformed) {
    let count = distinct(&calls);
    let list = List {
        calls,
        oddity,
        ..List::default()
    };
    let bench = Bench::new(settings(SPANS, 100), list);
    bench.pulls(3).await;
    bench.assert_up();
    assert_eq!(bench.counted(), count, "{name}");
    assert_eq!((bench.listed(), bench.missing()), (count, 0), "{name}");
    let mut requests = 0;
    for number in 0..240_u64 {
        let at = bench.vendor.now();
        bench
            .vendor
            .with(|list| add(&mut list.calls, Call::done(5000 + u128::from(number), at)));
        requests += bench.pull_after(15).await.len();
        bench.assert_up();
        // One that the vendor's total does not count yet may take another pull.
        assert!(
            bench.counted() >= count + number.saturating_sub(3),
            "{name}"
        );
        assert!(bench.counted() <= count + number + 1, "{name}");
    }
    bench.pulls(4).await;
    assert_eq!(bench.counted(), count + 240, "{name}");
    assert_eq!(
        (bench.listed(), bench.missing()),
        (count + 240, 0),
        "{name}"
    );
    assert!(requests <= 2 * 240 + 20, "{name}: {requests} requests");
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_listed_twice_costs_nothing_else() {
    for apart in [false, true] {
        let name = format!("apart: {apart}");
        loads_and_goes_on(&name, listed_twice(apart), Malformed::default()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_begins_to_be_listed_twice_does_not_stop_a_target() {
    let list = List {
        calls: even(300, 43_200),
        ..List::default()
    };
    let bench = Bench::new(settings(SPANS, 100), list);
    bench.pulls(3).await;
    // In the tail, and then older than it.
    bench
        .vendor
        .with(|list| list.calls.last_mut().unwrap().copies = 2);
    for round in 0..120 {
        let at = bench.vendor.now();
        bench
            .vendor
            .with(|list| add(&mut list.calls, Call::done(5000 + round, at)));
        let requests = bench.pull_after(15).await;
        bench.assert_up();
        assert!(round < 3 || requests.len() <= 4, "{round}: {requests:#?}");
    }
    assert_eq!((bench.counted(), bench.missing()), (420, 0));
}

#[tokio::test(start_paused = true)]
async fn a_total_is_never_believed() {
    for total in [
        Total::Off(1),
        Total::Off(7),
        Total::Off(-1),
        Total::Off(-150),
        Total::Groups,
        Total::Late(30),
        Total::Always(0),
        Total::Always(1_000_000),
        Total::Missing,
    ] {
        let oddity = Malformed {
            total,
            ..Malformed::default()
        };
        loads_and_goes_on(&format!("{total:?}"), even(300, 43_200), oddity).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_without_proof_is_counted_as_such() {
    let oddity = Malformed {
        total: Total::Off(1),
        ..Malformed::default()
    };
    let list = List {
        calls: even(300, 43_200),
        oddity,
        ..List::default()
    };
    let bench = Bench::new(settings(SPANS, 100), list);
    bench.pulls(3).await;
    assert!(bench.own("cec_exporter_windows_unproven_total", None) > 0.0);
}

/// Calls that are gone are found to be so, whatever the total says.
#[tokio::test(start_paused = true)]
async fn a_deleted_call_is_missing_though_no_total_is_right() {
    for total in [Total::Off(1), Total::Off(-1), Total::Missing, Total::Groups] {
        let mut calls = even(300, 43_200);
        let oddity = Malformed {
            total,
            ..Malformed::default()
        };
        calls[100].status = Call::waiting(0, 0).status;
        let intervals = Intervals {
            reconcile_interval: 1200,
            ..SPANS
        };
        let list = List {
            calls,
            oddity,
            ..List::default()
        };
        let bench = Bench::new(settings(intervals, 100), list);
        bench.pulls(3).await;
        assert_eq!(bench.in_status("waiting"), 1, "{total:?}");
        // One that is looked for as pending, and one that only the comparison misses.
        bench.vendor.with(|list| {
            list.calls.remove(200);
            list.calls.remove(100);
        });
        bench.pulls(240).await;
        bench.assert_up();
        assert_eq!(bench.missing(), 2, "{total:?}");
        assert_eq!(
            (bench.listed(), bench.in_status("waiting")),
            (298, 0),
            "{total:?}"
        );
        assert_eq!(bench.counted(), 300, "{total:?}");
        assert!(bench.vendor.now() > BASE);
    }
}

/// As for an operator who has lost the right to see the calls: better a target down than calls
/// that are taken for gone, or a lookback for empty.
#[tokio::test(start_paused = true)]
async fn totals_without_rows_are_an_error_and_no_empty_lookback() {
    let list = List {
        calls: even(2000, 43_200),
        ..List::default()
    };
    let bench = Bench::new(settings(SPANS, 100), list);
    bench.pulls(3).await;
    assert_eq!(bench.counted(), 2000);
    bench.vendor.with(|list| list.oddity.hides_rows = true);
    let mut requests = 0;
    for _ in 0..240 {
        let at = bench.vendor.now();
        bench
            .vendor
            .with(|list| add(&mut list.calls, Call::done(u128::from(at), at)));
        requests += bench.pull_after(15).await.len();
    }
    assert_eq!(bench.view().up, Some(false));
    assert_eq!((bench.counted(), bench.missing()), (2000, 0));
    // An outage is met with fewer requests, not more.
    assert!(requests < 10 * 240, "{requests} requests");
    bench.vendor.with(|list| list.oddity.hides_rows = false);
    bench.pulls(10).await;
    bench.assert_up();
    assert_eq!((bench.counted(), bench.missing()), (2240, 0));

    // And a first lookback is not taken for empty.
    let list = List {
        calls: even(2000, 43_200),
        oddity: Malformed {
            hides_rows: true,
            ..Malformed::default()
        },
        ..List::default()
    };
    let bench = Bench::new(settings(SPANS, 100), list);
    bench.pulls(10).await;
    assert_eq!(bench.view().up, Some(false));
    assert!(bench.view().calls.is_none());
    bench.vendor.with(|list| list.oddity.hides_rows = false);
    bench.pulls(10).await;
    bench.assert_up();
    assert_eq!(bench.counted(), 2000);
}
