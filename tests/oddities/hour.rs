//! An hour with each oddity: requests, bytes written and memory stay what they are without it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cec_exporter::upstream::ErrorKind;

use crate::bench::{Bench, SPANS, settings};
use crate::listed::{BASE, Call, List, Malformed, Total, add, even};

const CALLS: u32 = 20_000;
const PULLS: usize = 240;

/// What an hour has cost.
#[derive(Debug)]
struct Cost {
    requests: usize,
    /// Of the last quarter of the hour.
    last_requests: usize,
    bytes: u64,
    last_bytes: u64,
    remembered: usize,
}

/// A day of calls with some that are pending; each pull brings three and moves one on.
async fn hour(name: &str, change: impl FnOnce(&mut List)) -> Cost {
    let mut list = List {
        calls: even(CALLS, 86_400),
        ..List::default()
    };
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
        remembered: bench.view().remembered,
    }
}

async fn costs_no_more(name: &str, change: impl FnOnce(&mut List)) {
    let plain = hour("plain", |_| ()).await;
    let odd = hour(name, change).await;
    let what = format!("{name}: {odd:?} instead of {plain:?}");
    // At most one more a pull on average, and no growth.
    assert!(
        odd.requests <= plain.requests + PULLS + PULLS / 10,
        "{what}"
    );
    assert!(
        odd.last_requests <= plain.last_requests + PULLS / 4 + PULLS / 20,
        "{what}"
    );
    // Changed rows and the state; what is read again unchanged is not written again.
    assert!(odd.bytes <= plain.bytes * 5 / 4 + 100_000, "{what}");
    assert!(
        odd.last_bytes <= plain.last_bytes * 5 / 4 + 25_000,
        "{what}"
    );
    assert!(odd.remembered <= plain.remembered + 2, "{what}");
}

fn oddity(oddity: Malformed) -> impl FnOnce(&mut List) {
    move |list: &mut List| list.oddity = oddity
}

#[tokio::test(start_paused = true)]
async fn of_totals() {
    for total in [
        Total::Off(1),
        Total::Off(-1),
        Total::Groups,
        Total::Late(20),
        Total::Missing,
    ] {
        let odd = Malformed {
            total,
            ..Malformed::default()
        };
        costs_no_more(&format!("{total:?}"), oddity(odd)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_rows_that_are_listed_twice() {
    costs_no_more("listed twice", |list| {
        for call in list.calls.iter_mut().rev().step_by(40) {
            call.copies = 2;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_rows_that_cannot_be_read() {
    for kind in [ErrorKind::Server, ErrorKind::Body] {
        // Beside a pending call, and in the tail.
        costs_no_more(&format!("{kind:?}"), |list| {
            list.calls[101].fault = Some(kind);
            let last = list.calls.len() - 50;
            list.calls[last].fault = Some(kind);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_rows_without_a_status() {
    costs_no_more("no status", |list| {
        for call in list.calls.iter_mut().step_by(50) {
            call.status = Call::new(0, 0, -1).status;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_rows_without_an_identity() {
    costs_no_more("no identity", |list| {
        for at in [BASE - 50, BASE - 100, BASE - 40_000] {
            let row = format!(r#"{{"upload_time":{at},"status":2}}"#);
            add(&mut list.calls, Call::done(1, at).written(row));
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_bounds_and_limits() {
    let plain = Malformed::default;
    for odd in [
        Malformed {
            bounds_excluded: true,
            ..plain()
        },
        Malformed {
            deepest: Some(1000),
            ..plain()
        },
        Malformed {
            widest: Some(86_400),
            ..plain()
        },
        Malformed {
            widest: Some(3600),
            ..plain()
        },
    ] {
        costs_no_more(&format!("{odd:?}"), oddity(odd)).await;
    }
}

/// Nothing happens, and nothing is written but the frontier now and then.
#[tokio::test(start_paused = true)]
async fn of_nothing_at_all() {
    let list = List {
        calls: even(CALLS, 86_400),
        ..List::default()
    };
    // Calls that leave the lookback are a change, so the hour is one in which none does.
    let bench = Bench::new(settings(SPANS, 100), list);
    bench
        .vendor
        .with(|list| list.calls.retain(|call| call.at > BASE - 80_000));
    bench.pulls(10).await;
    bench.assert_up();
    let commits = || bench.given.commits.load(Ordering::Relaxed);
    let before = commits();
    bench.pulls(PULLS as u32).await;
    assert!(commits() - before <= 60, "{} commits", commits() - before);
}
