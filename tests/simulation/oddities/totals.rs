//! Totals that differ from the number of calls: rows listed twice, groups, outdated totals.

use cec_exporter::puller::plan::Intervals;

use cec_exporter::bench::{Bench, SPANS, settings};
use cec_exporter::listed::{BASE, Call, List, Quirks, Total, add, even};

/// Half a day of calls, one of them listed twice: adjacent, or with another call in between.
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

fn with_total(total: Total) -> Quirks {
    Quirks {
        total,
        ..Quirks::default()
    }
}

fn distinct(calls: &[Call]) -> u64 {
    let ids: std::collections::HashSet<u128> = calls.iter().map(|call| call.id).collect();
    ids.len() as u64
}

/// A cold start, then an hour of pulls with a new call each. Checks that each is counted at once,
/// with at most one extra request per pull.
async fn assert_loads_and_continues(name: &str, calls: Vec<Call>, quirks: Quirks) {
    let count = distinct(&calls);
    let bench = Bench::new(settings(SPANS, 100), List::of(calls).with(quirks));
    bench.pulls(3).await;
    bench.assert_up();
    assert_eq!(bench.counted(), count, "{name}");
    assert_eq!((bench.listed(), bench.missing()), (count, 0), "{name}");
    let mut requests = 0;
    for number in 0..240_u64 {
        bench.add_new(5000 + u128::from(number));
        requests += bench.pull_after(15).await.len();
        bench.assert_up();
        // A call that the total does not count yet may need another pull.
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
async fn a_row_listed_twice_has_no_other_effect() {
    for apart in [false, true] {
        let name = format!("apart: {apart}");
        assert_loads_and_continues(&name, listed_twice(apart), Quirks::default()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_becomes_listed_twice_does_not_stop_a_target() {
    let bench = Bench::new(settings(SPANS, 100), List::of(even(300, 43_200)));
    bench.pulls(3).await;
    // In the overlap first, older later.
    bench
        .vendor
        .with(|list| list.calls.last_mut().unwrap().copies = 2);
    for round in 0..120 {
        bench.add_new(5000 + round);
        let requests = bench.pull_after(15).await;
        bench.assert_up();
        assert!(round < 3 || requests.len() <= 4, "{round}: {requests:#?}");
    }
    assert_eq!((bench.counted(), bench.missing()), (420, 0));
}

#[tokio::test(start_paused = true)]
async fn a_total_is_never_trusted() {
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
        let quirks = with_total(total);
        assert_loads_and_continues(&format!("{total:?}"), even(300, 43_200), quirks).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unproven_window_is_counted() {
    let list = List::of(even(300, 43_200)).with(with_total(Total::Off(1)));
    let bench = Bench::new(settings(SPANS, 100), list);
    bench.pulls(3).await;
    assert!(bench.own("cec_exporter_windows_unproven_total", None) > 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_call_is_missing_although_every_total_is_wrong() {
    for total in [Total::Off(1), Total::Off(-1), Total::Missing, Total::Groups] {
        let mut calls = even(300, 43_200);
        calls[100].status = Call::waiting(0, 0).status;
        let intervals = Intervals {
            reconcile_interval: 1200,
            ..SPANS
        };
        let list = List::of(calls).with(with_total(total));
        let bench = Bench::new(settings(intervals, 100), list);
        bench.pulls(3).await;
        assert_eq!(bench.in_status("waiting"), 1, "{total:?}");
        // A pending call, and one that only reconciliation checks.
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

/// As if the operator had lost the permission to see the calls: the target is down rather than all
/// calls missing or the lookback empty.
#[tokio::test(start_paused = true)]
async fn totals_without_rows_are_an_error_rather_than_an_empty_lookback() {
    let bench = Bench::new(settings(SPANS, 100), List::of(even(2000, 43_200)));
    bench.pulls(3).await;
    assert_eq!(bench.counted(), 2000);
    bench.vendor.with(|list| list.quirks.hides_rows = true);
    let mut requests = 0;
    for _ in 0..240 {
        let at = bench.vendor.now();
        bench.add(Call::done(u128::from(at), at));
        requests += bench.pull_after(15).await.len();
    }
    assert_eq!(bench.view().up, Some(false));
    assert_eq!((bench.counted(), bench.missing()), (2000, 0));
    // An outage does not increase the number of requests.
    assert!(requests < 10 * 240, "{requests} requests");
    bench.vendor.with(|list| list.quirks.hides_rows = false);
    bench.pulls(10).await;
    bench.assert_up();
    assert_eq!((bench.counted(), bench.missing()), (2240, 0));

    // The first load is an error, too.
    let list = List {
        calls: even(2000, 43_200),
        quirks: Quirks {
            hides_rows: true,
            ..Quirks::default()
        },
        ..List::default()
    };
    let bench = Bench::new(settings(SPANS, 100), list);
    bench.pulls(10).await;
    assert_eq!(bench.view().up, Some(false));
    assert!(bench.view().snapshot.calls.is_none());
    bench.vendor.with(|list| list.quirks.hides_rows = false);
    bench.pulls(10).await;
    bench.assert_up();
    assert_eq!(bench.counted(), 2000);
}

/// After a restart it is not known that the total is always too large, so the list in which a call was
/// the only one seems to hide it. Seed 4304.
#[tokio::test(start_paused = true)]
async fn a_list_that_a_deletion_has_emptied_does_not_stop_a_target() {
    for total in [Total::Off(1), Total::Off(7), Total::Always(5)] {
        let mut calls = even(300, 43_200);
        calls.retain(|call| call.at < BASE - 2000);
        let old = calls.len() as u64;
        add(&mut calls, Call::done(1000, BASE - 100));
        let list = List::of(calls).with(with_total(total));
        let mut bench = Bench::new(settings(SPANS, 100), list);
        bench.pulls(3).await;
        bench.assert_up();
        assert_eq!(bench.counted(), old + 1, "{total:?}");
        bench.vendor.with(|list| list.calls.pop());
        bench.restart().await;
        bench.pull_after(15).await;
        bench.assert_up();
        bench.add_new(2000);
        bench.pulls(60).await;
        bench.assert_up();
        assert_eq!(bench.counted(), old + 2, "{total:?}");
        // A total that is off by another number each time proves nothing: what it seems to hide is
        // skipped.
        let is_known = matches!(total, Total::Off(_));
        let skipped = bench.view().snapshot.skipped.len();
        assert_eq!((bench.missing() == 1, skipped == 0), (is_known, is_known));
    }
}
