//! Changes of the list that leave its number of rows the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cec_exporter::model::Window;
use cec_exporter::puller::plan::Intervals;
use tokio::time::Instant;

use cec_exporter::bench::{Bench, SPANS, settings};
use cec_exporter::listed::{BASE, Call, FilterQuirk, List, add, even};
use cec_exporter::upstream::Filter;

fn bench(calls: Vec<Call>, intervals: Intervals) -> Bench {
    Bench::new(settings(intervals, 100), List::of(calls))
}

/// Pulls within which a late row is counted: half of the overlap and a few.
const PULLS: u32 = SPANS.overlap / 2 / 15 + 5;

#[tokio::test(start_paused = true)]
async fn a_late_row_is_counted_although_another_is_deleted() {
    for (deleted, late) in [(30, 590), (400, 300), (590, 60), (20_000, 500), (300, 595)] {
        // Dense enough for the overlap to exceed a page.
        let bench = bench(even(20_000, 80_000), SPANS);
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
async fn a_page_of_new_calls_does_not_hide_deletions() {
    for gone in 1..4 {
        let bench = bench(even(20_000, 80_000), SPANS);
        bench.pulls(3).await;
        let now = bench.vendor.now();
        bench.vendor.with(|list| {
            // Delete as many as do not fit on the first page.
            let place = list.calls.partition_point(|call| call.at < now - 500);
            list.calls.drain(place..place + gone);
            for number in 0..100 + gone {
                let at = now + (number % 60) as u32;
                add(&mut list.calls, Call::done(50_000 + number as u128, at));
            }
        });
        bench.pull_after(60).await;
        // They are new rather than late, so the first pull counts them.
        assert_eq!(bench.counted(), 20_100 + gone as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_changes_between_its_pages_is_read_again() {
    for oldest_first in [false, true] {
        let intervals = Intervals {
            reconcile_interval: 1200,
            ..SPANS
        };
        // Older than the overlap, so that only reconciliation reads them again.
        let mut calls = even(150, 7200);
        for call in &mut calls {
            call.at -= 7200;
        }
        let bench = bench(calls, intervals);
        let mut is_changed = false;
        bench.vendor.with(|list| {
            list.oldest_first = oldest_first;
            list.before = Some(Box::new(move |calls, request| {
                if request.page == 2 && !is_changed {
                    is_changed = true;
                    shift_list(calls, request.window, oldest_first, 1000);
                }
            }));
        });
        bench.pulls(2 * 80 + 10).await;
        bench.assert_up();
        // The call that left may have been read before.
        assert!(
            (150..=151).contains(&bench.counted()),
            "{}",
            bench.counted()
        );
        assert_eq!(bench.listed(), 150, "oldest first: {oldest_first}");
    }
}

/// Removes a call from the first page of a window, so that the next page moves up by one, and adds
/// one in the part that has not been read yet.
fn shift_list(calls: &mut Vec<Call>, window: Window, oldest_first: bool, joins: u128) -> Call {
    let begin = calls.partition_point(|call| call.at < window.from);
    let end = calls.partition_point(|call| call.at <= window.to);
    let (leaves, at) = match oldest_first {
        false => (end - 5, calls[begin + 1].at),
        true => (begin + 5, calls[end - 2].at),
    };
    let left = calls.remove(leaves);
    add(calls, Call::done(joins, at));
    left
}

#[tokio::test(start_paused = true)]
async fn only_deleted_calls_are_missing_while_the_list_changes() {
    for oldest_first in [false, true] {
        let intervals = Intervals {
            lookback: 14_400,
            reconcile_interval: 300,
            ..SPANS
        };
        let bench = bench(even(400, 8000), intervals);
        bench.vendor.with(|list| list.oldest_first = oldest_first);
        bench.pulls(3).await;
        assert_eq!(bench.counted(), 400);
        let joined = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&joined);
        let mut away: Option<Call> = None;
        let mut next = Instant::now();
        bench.vendor.with(|list| {
            list.before = Some(Box::new(move |calls, request| {
                if request.page == 1
                    && let Some(call) = away.take()
                {
                    // It is absent only for the duration of one pass.
                    add(calls, call);
                }
                // Not in the overlap, which is read repeatedly.
                let is_old = request.window.from < BASE - 600;
                if request.page == 2 && is_old && Instant::now() >= next {
                    // Rarely enough for a second pass to find the list unchanged.
                    next = Instant::now() + Duration::from_secs(100);
                    let number = counter.fetch_add(1, Ordering::Relaxed);
                    away = Some(shift_list(
                        calls,
                        request.window,
                        oldest_first,
                        10_000 + u128::from(number),
                    ));
                }
            }));
        });
        for _ in 0..300 {
            bench.pull_after(15).await;
            bench.assert_up();
            assert_eq!(bench.missing(), 0, "oldest first: {oldest_first}");
        }
        let joined = joined.load(Ordering::Relaxed);
        assert!(joined > 5, "{joined}");
        assert_eq!(bench.counted(), 400 + joined);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_absent_from_one_pass_is_not_missing() {
    let intervals = Intervals {
        lookback: 14_400,
        reconcile_interval: 600,
        ..SPANS
    };
    let mut calls = even(400, 8000);
    calls[200].status = Call::waiting(0, 0).status;
    let bench = bench(calls, intervals);
    bench.pulls(3).await;
    // Occasionally omit a call from one response, with a matching total.
    let mut kept: Option<Call> = None;
    let mut next = Instant::now();
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
            if Instant::now() >= next {
                next = Instant::now() + Duration::from_secs(400);
                kept = Some(calls.remove(place));
            }
        }));
    });
    for _ in 0..240 {
        bench.pull_after(15).await;
        assert_eq!(bench.missing(), 0);
    }
}

/// As from a vendor that clamps pages silently while its total happens to agree with the first one.
/// Seed 15852.
#[tokio::test(start_paused = true)]
async fn a_call_that_a_wide_window_omits_is_not_missing() {
    let mut calls = even(400, 8000);
    for place in [200, 202, 204] {
        calls[place].status = Call::waiting(0, 0).status;
    }
    let bench = bench(calls, SPANS);
    bench.pulls(3).await;
    assert_eq!(bench.in_status("waiting"), 3);
    let mut omitted: Option<Call> = None;
    bench.vendor.with(|list| {
        list.before = Some(Box::new(move |calls, request| {
            if let Some(call) = omitted.take() {
                add(calls, call);
            }
            let place = calls.iter().position(|call| call.id == 202).unwrap();
            let Window { from, to } = request.window;
            if request.window.contains(calls[place].at) && to - from > 10 {
                omitted = Some(calls.remove(place));
            }
        }));
    });
    for _ in 0..20 {
        bench.pull_after(15).await;
        bench.assert_up();
        assert_eq!((bench.counted(), bench.missing()), (400, 0));
    }
}

/// Both readings have to be complete: one during which the list changes proves nothing.
#[tokio::test(start_paused = true)]
async fn a_call_absent_from_a_doubtful_reading_and_a_complete_one_is_not_missing() {
    let at = BASE - 5000;
    let mut calls: Vec<Call> = (0..150).map(|id| Call::done(id, at)).collect();
    calls.push(Call::waiting(200, at));
    let bench = bench(calls, SPANS);
    bench.pulls(3).await;
    assert_eq!(bench.in_status("waiting"), 1);
    let (mut omitted, mut readings) = (None, 0);
    bench.vendor.with(|list| {
        // So that the call is looked for.
        list.quirks.filter = FilterQuirk::Empty;
        list.before = Some(Box::new(move |calls, request| {
            if !request.window.contains(at) || request.filter != Filter::All {
                return;
            }
            readings += u32::from(request.page == 1);
            match (readings, request.page) {
                (1, 1) => omitted = calls.pop_if(|call| call.id == 200),
                (1, 2) => add(calls, Call::done(300, at)),
                (3, 1) => calls.extend(omitted.take()),
                _ => {}
            }
        }));
    });
    bench.pull_after(15).await;
    assert_eq!((bench.counted(), bench.missing()), (152, 0));
    assert_eq!(bench.in_status("waiting"), 1);
}
