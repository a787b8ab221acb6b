//! An hour with each quirk of the vendor: requests, bytes written and memory stay the same.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cec_exporter::upstream::ErrorKind;

use cec_exporter::bench::{Bench, SPANS, settings};
use cec_exporter::listed::{BASE, Call, List, Quirks, Total, add, even};
use tokio::sync::OnceCell;

const CALLS: u32 = 20_000;
const PULLS: usize = 240;

/// The cost of an hour.
#[derive(Debug)]
struct Cost {
    requests: usize,
    /// Of the last quarter of the hour.
    last_requests: usize,
    bytes: u64,
    last_bytes: u64,
    remembered: usize,
}

/// A day of calls, some of them pending. Each pull adds three calls, and every tenth finishes one.
async fn hour(name: &str, change: impl FnOnce(&mut List)) -> Cost {
    let mut list = List::of(even(CALLS, 86_400));
    for place in (100..CALLS as usize - 400).step_by(331) {
        list.calls[place].status = Call::waiting(0, 0).status;
    }
    change(&mut list);
    let bench = Bench::new(settings(SPANS, 100), list);
    bench.pulls(10).await;
    bench.assert_up();
    let given = || bench.given.bytes.load(Ordering::Relaxed);
    let (mut requests, before) = (Vec::new(), given());
    let mut last_bytes = 0;
    for number in 0..PULLS {
        tokio::time::sleep(Duration::from_secs(15)).await;
        let now = bench.vendor.now();
        bench.vendor.with(|list| {
            for second in 0..3 {
                let id = 100_000 + (number * 3 + second) as u128;
                add(&mut list.calls, Call::done(id, now - 4 * second as u32));
            }
            let waiting = Call::waiting(0, 0).status;
            if number % 10 == 0
                && let Some(call) = list.calls.iter_mut().find(|call| call.status == waiting)
            {
                call.status = Call::done(0, 0).status;
            }
        });
        if number == PULLS * 3 / 4 {
            last_bytes = given();
        }
        requests.push(bench.pull().await.len());
        assert_eq!(
            bench.view().up,
            Some(true),
            "{name}: {:?}",
            bench.view().last_error
        );
    }
    Cost {
        requests: requests.iter().sum(),
        last_requests: requests[PULLS * 3 / 4..].iter().sum(),
        bytes: given() - before,
        last_bytes: given() - last_bytes,
        remembered: bench.view().snapshot.remembered,
    }
}

async fn assert_same_cost(name: &str, change: impl FnOnce(&mut List)) {
    static PLAIN: OnceCell<Cost> = OnceCell::const_new();
    let plain = PLAIN.get_or_init(|| hour("plain", |_| ())).await;
    let cost = hour(name, change).await;
    let what = format!("{name}: {cost:?} instead of {plain:?}");
    // At most one more per pull on average, and no growth.
    assert!(
        cost.requests <= plain.requests + PULLS + PULLS / 10,
        "{what}"
    );
    assert!(
        cost.last_requests <= plain.last_requests + PULLS / 4 + PULLS / 20,
        "{what}"
    );
    // Only changed rows and the state are written.
    assert!(cost.bytes <= plain.bytes * 5 / 4 + 100_000, "{what}");
    assert!(
        cost.last_bytes <= plain.last_bytes * 5 / 4 + 25_000,
        "{what}"
    );
    assert!(cost.remembered <= plain.remembered + 2, "{what}");
}

fn with_quirks(quirks: Quirks) -> impl FnOnce(&mut List) {
    move |list: &mut List| list.quirks = quirks
}

#[tokio::test(start_paused = true)]
async fn wrong_totals_cost_nothing() {
    for total in [
        Total::Off(1),
        Total::Off(-1),
        Total::Groups,
        Total::Late(20),
        Total::Missing,
    ] {
        let quirks = Quirks {
            total,
            ..Quirks::default()
        };
        assert_same_cost(&format!("{total:?}"), with_quirks(quirks)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rows_listed_twice_cost_nothing() {
    assert_same_cost("listed twice", |list| {
        for call in list.calls.iter_mut().rev().step_by(40) {
            call.copies = 2;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn unreadable_rows_cost_nothing() {
    for kind in [ErrorKind::Server, ErrorKind::Body] {
        // Next to a pending call, and in the overlap.
        assert_same_cost(&format!("{kind:?}"), |list| {
            list.calls[101].fault = Some(kind);
            let last = list.calls.len() - 50;
            list.calls[last].fault = Some(kind);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn rows_without_status_cost_nothing() {
    assert_same_cost("no status", |list| {
        for call in list.calls.iter_mut().step_by(50) {
            call.status = Call::new(0, 0, -1).status;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rows_without_identity_cost_nothing() {
    assert_same_cost("no identity", |list| {
        for at in [BASE - 50, BASE - 100, BASE - 40_000] {
            let row = format!(r#"{{"upload_time":{at},"status":2}}"#);
            add(&mut list.calls, Call::done(1, at).written(row));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn excluded_bounds_and_limits_cost_nothing() {
    let plain = Quirks::default;
    for quirks in [
        Quirks {
            bounds_excluded: true,
            ..plain()
        },
        Quirks {
            deepest: Some(1000),
            ..plain()
        },
        Quirks {
            widest: Some(86_400),
            ..plain()
        },
        Quirks {
            widest: Some(3600),
            ..plain()
        },
    ] {
        assert_same_cost(&format!("{quirks:?}"), with_quirks(quirks)).await;
    }
}

/// Only the frontier is written, from time to time.
#[tokio::test(start_paused = true)]
async fn an_idle_hour_writes_almost_nothing() {
    let mut calls = even(CALLS, 86_400);
    // No call leaves the lookback within this hour, as that would be a change.
    calls.retain(|call| call.at > BASE - 80_000);
    let bench = Bench::new(settings(SPANS, 100), List::of(calls));
    bench.pulls(10).await;
    bench.assert_up();
    let commits = || bench.given.commits.load(Ordering::Relaxed);
    let before = commits();
    bench.pulls(PULLS as u32).await;
    assert!(commits() - before <= 60, "{} commits", commits() - before);
}
