//! Two equal counts are not two equal sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cec_exporter::puller::plan::Spans;

use crate::bench::{Bench, SPANS, settings};
use crate::listed::{Call, List, add, even};

fn bench(calls: Vec<Call>, spans: Spans) -> Bench {
    let list = List {
        calls,
        ..List::default()
    };
    Bench::new(settings(spans, 100), list)
}

/// Pulls within which a row that appears within the overlap is counted: half of the overlap, and
/// some.
const PULLS: u32 = SPANS.overlap / 2 / 15 + 5;

#[tokio::test(start_paused = true)]
async fn a_late_row_is_counted_though_another_is_deleted() {
    for (deleted, late) in [(30, 590), (400, 300), (590, 60), (20_000, 500), (300, 595)] {
        // Dense enough that the overlap is more than a page.
        let bench = bench(even(20_000, 86_400), SPANS);
        bench.pulls(3).await;
        assert_eq!(bench.counted(), 20_000);
        let now = bench.vendor.now();
        bench.vendor.with(|list| {
            let place = list.calls.partition_point(|call| call.at < now - deleted);
            list.calls.remove(place.min(list.calls.len() - 1));
            add(&mut list.calls, Call::done(50_000, now - late));
        });
        bench.pulls(PULLS).await;
        bench.assert_up();
        assert_eq!(
            bench.counted(),
            20_001,
            "deleted {deleted} s ago, late by {late} s"
        );
        assert!(bench.missing() <= 1);
    }
}

#[tokio::test(start_paused = true)]
async fn more_than_a_page_of_new_calls_and_a_deletion_are_told_apart() {
    for gone in 1..4 {
        let bench = bench(even(20_000, 86_400), SPANS);
        bench.pulls(3).await;
        let now = bench.vendor.now();
        bench.vendor.with(|list| {
            // As many are deleted as do not fit on the first page.
            let place = list.calls.partition_point(|call| call.at < now - 500);
            list.calls.drain(place..place + gone);
            for number in 0..100 + gone {
                let at = now + (number % 60) as u32;
                add(&mut list.calls, Call::done(50_000 + number as u128, at));
            }
        });
        bench.pull_after(60).await;
        // Those are new, not late: the first pull counts them.
        assert_eq!(bench.counted(), 20_100 + gone as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_changes_between_its_pages_is_read_again() {
    for oldest_first in [false, true] {
        let list = List {
            calls: even(150, 600),
            oldest_first,
            ..List::default()
        };
        let bench = Bench::new(settings(SPANS, 100), list);
        let mut changes = 0;
        bench.vendor.with(|list| {
            list.before = Some(Box::new(move |calls, request| {
                if request.page == 2 && changes < 1 {
                    changes += 1;
                    // One leaves the first page, so that the first of the second one moves there;
                    // one joins where it is read yet.
                    let (leaves, joins) = match oldest_first {
                        false => (calls.len() - 5, calls[3].at),
                        true => (5, calls[calls.len() - 3].at),
                    };
                    calls.remove(leaves);
                    add(calls, Call::done(1000, joins));
                }
            }));
        });
        bench.pulls(PULLS).await;
        bench.assert_up();
        // The one that left was listed, and may have been read.
        assert!(
            (150..=151).contains(&bench.counted()),
            "{}",
            bench.counted()
        );
        assert_eq!(bench.listed(), 150, "oldest first: {oldest_first}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_gone_is_missing_however_the_list_moves() {
    for oldest_first in [false, true] {
        let spans = Spans {
            lookback: 14_400,
            reconcile_interval: 600,
            ..SPANS
        };
        let mut calls = even(1000, 14_400);
        for place in (0..900).step_by(90) {
            calls[place].status = Call::waiting(0, 0).status;
        }
        let bench = bench(calls, spans);
        bench.vendor.with(|list| list.oldest_first = oldest_first);
        bench.pulls(3).await;
        assert_eq!(bench.counted(), 1000);
        let deleted = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&deleted);
        let mut rng = fastrand::Rng::with_seed(1);
        bench.vendor.with(|list| {
            list.before = Some(Box::new(move |calls, request| {
                if request.page < 2 {
                    return;
                }
                let inside: Vec<usize> = (0..calls.len())
                    .filter(|place| request.window.contains(calls[*place].at))
                    .collect();
                if inside.len() > 100 && counter.load(Ordering::Relaxed) < 100 {
                    // From the page that was read, and anywhere.
                    let recent = match oldest_first {
                        true => inside[rng.usize(..90)],
                        false => inside[inside.len() - 1 - rng.usize(..90)],
                    };
                    calls.remove(recent);
                    let number = counter.fetch_add(1, Ordering::Relaxed);
                    let at = calls[inside[rng.usize(..inside.len() - 1)]].at;
                    add(calls, Call::done(10_000 + u128::from(number), at));
                }
            }));
        });
        for _ in 0..300 {
            bench.pull_after(15).await;
            let gone = deleted.load(Ordering::Relaxed);
            assert!(bench.missing() <= gone, "{} of {gone}", bench.missing());
        }
        assert!(deleted.load(Ordering::Relaxed) > 10);
        bench.vendor.with(|list| list.before = None);
        bench.pulls(100).await;
        let cutoff = bench.vendor.now() - 14_400;
        let listed = bench.vendor.with(|list| {
            let inside = list.calls.iter().filter(|call| call.at >= cutoff);
            inside.count() as u64
        });
        assert_eq!(bench.listed(), listed);
    }
}

/// A vendor that lists a call for a moment only once does not make it missing for good.
#[tokio::test(start_paused = true)]
async fn one_reading_is_not_enough_for_missing() {
    let spans = Spans {
        lookback: 14_400,
        reconcile_interval: 600,
        ..SPANS
    };
    let mut calls = even(400, 14_400);
    calls[200].status = Call::waiting(0, 0).status;
    let bench = bench(calls, spans);
    bench.pulls(3).await;
    // Now and then one answer leaves a call out, with a total that fits.
    let mut kept: Option<Call> = None;
    let mut next = tokio::time::Instant::now();
    bench.vendor.with(|list| {
        list.before = Some(Box::new(move |calls, request| {
            if let Some(call) = kept.take() {
                add(calls, call);
                return;
            }
            let place = calls.iter().position(|call| call.id == 200);
            let Some(place) = place.filter(|place| request.window.contains(calls[*place].at))
            else {
                return;
            };
            if tokio::time::Instant::now() >= next {
                next = tokio::time::Instant::now() + std::time::Duration::from_secs(400);
                kept = Some(calls.remove(place));
            }
        }));
    });
    for _ in 0..240 {
        bench.pull_after(15).await;
        assert_eq!(bench.missing(), 0);
    }
}
