//! Undocumented limits of the vendor.

use std::sync::atomic::Ordering;

use cec_exporter::puller::plan::Intervals;
use cec_exporter::upstream::ErrorKind;

use cec_exporter::bench::{Bench, SPANS, settings};
use cec_exporter::listed::{BASE, Call, Deep, List, Quirks, Total, even};

fn limited(deep: Deep) -> Quirks {
    Quirks {
        deepest: Some(1000),
        deep,
        ..Quirks::default()
    }
}

fn wide(seconds: u32) -> Quirks {
    Quirks {
        widest: Some(seconds),
        ..Quirks::default()
    }
}

fn bench(quirks: Quirks, calls: Vec<Call>, intervals: Intervals) -> Bench {
    Bench::new(settings(intervals, 100), List::of(calls).with(quirks))
}

#[tokio::test(start_paused = true)]
async fn a_day_loads_despite_a_limit_on_paging_depth() {
    for deep in [Deep::Refused, Deep::Empty, Deep::Repeated] {
        for oldest_first in [false, true] {
            let bench = bench(limited(deep), even(20_000, 80_000), SPANS);
            bench.vendor.with(|list| list.oldest_first = oldest_first);
            let requests = bench.pulls(5).await.len();
            bench.assert_up();
            assert_eq!((bench.counted(), bench.missing()), (20_000, 0), "{deep:?}");
            let most = if deep == Deep::Repeated { 800 } else { 400 };
            assert!(requests < most, "{deep:?}: {requests} requests");
        }
    }
}

/// A page that is full and repeated does not end a list, whatever the total says.
#[tokio::test(start_paused = true)]
async fn a_repeated_page_hides_no_calls_and_makes_none_missing() {
    for total in [
        Total::Rows,
        Total::Missing,
        Total::UpTo(1000),
        Total::UpTo(100),
    ] {
        let repeated = Quirks {
            total,
            ..limited(Deep::Repeated)
        };
        let mut calls = even(5000, 40_000);
        for call in calls.iter_mut().step_by(2) {
            call.status = Call::waiting(0, 0).status;
        }
        let loaded = bench(repeated.clone(), calls.clone(), SPANS);
        loaded.pulls(20).await;
        loaded.assert_up();
        assert_eq!((loaded.counted(), loaded.missing()), (5000, 0), "{total:?}");
        let known = bench(Quirks::default(), calls, SPANS);
        known.pulls(5).await;
        known.vendor.with(|list| list.quirks = repeated);
        known.pulls(40).await;
        known.assert_up();
        assert_eq!((known.counted(), known.listed()), (5000, 5000), "{total:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_an_outage_are_counted_despite_a_limit_on_paging_depth() {
    for deep in [Deep::Refused, Deep::Empty] {
        let bench = bench(limited(deep), even(2000, 78_000), SPANS);
        bench.pulls(3).await;
        assert_eq!(bench.counted(), 2000);
        bench
            .vendor
            .with(|list| list.quirks.failing = Some(ErrorKind::Connect));
        for minute in 0..120_u32 {
            let at = bench.vendor.now();
            for number in 0..40 {
                let id = 10_000 + u128::from(minute * 40 + number);
                bench.add(Call::done(id, at + number));
            }
            bench.pull_after(60).await;
        }
        bench.vendor.with(|list| list.quirks.failing = None);
        let requests = bench.pulls(10).await.len();
        bench.assert_up();
        assert_eq!((bench.counted(), bench.missing()), (2000 + 4800, 0));
        assert!(requests < 200, "{requests} requests");
    }
}

#[tokio::test(start_paused = true)]
async fn windows_stay_within_a_limit_on_their_width() {
    const DAY: u32 = 86_400;
    for (widest, lookback) in [(DAY, DAY), (30 * DAY, 30 * DAY), (3600, DAY), (600, 14_400)] {
        for oldest_first in [false, true] {
            let intervals = Intervals {
                lookback,
                reconcile_interval: 3600,
                ..SPANS
            };
            let mut calls = even(2000, lookback - 7000);
            // Pending calls far apart, which are also read in windows within the limit.
            calls[50].status = Call::waiting(0, 0).status;
            calls[1900].status = Call::waiting(0, 0).status;
            let bench = bench(wide(widest), calls, intervals);
            bench.vendor.with(|list| list.oldest_first = oldest_first);
            bench.pulls(10).await;
            bench.assert_up();
            assert_eq!((bench.counted(), bench.missing()), (2000, 0), "{widest}");
            assert_eq!(bench.in_status("waiting"), 2, "{widest}");
            bench.vendor.with(|list| {
                for call in &mut list.calls {
                    call.status = Call::done(0, 0).status;
                }
            });
            bench.pulls(10).await;
            bench.assert_up();
            assert_eq!(bench.in_status("waiting"), 0, "{widest}");
            // An hour of failures does not widen the windows.
            bench
                .vendor
                .with(|list| list.quirks.failing = Some(ErrorKind::Connect));
            bench.pulls(240).await;
            let at = bench.vendor.now() - 1800;
            bench.vendor.with(|list| list.quirks.failing = None);
            bench.add(Call::done(9999, at));
            bench.pulls(10).await;
            bench.assert_up();
            assert_eq!((bench.counted(), bench.missing()), (2001, 0), "{widest}");
        }
    }
}

/// Both bounds are exclusive or inclusive. The exporter counts from the first second of its first
/// lookback, also if it starts over because its clock was ahead. Seeds 2405, 5083 and 10482.
#[tokio::test(start_paused = true)]
async fn the_first_second_of_the_first_lookback_is_counted_and_the_one_before_is_not() {
    for bounds_excluded in [false, true] {
        for ahead in [0, 8 * 3600] {
            let what = format!("excluded: {bounds_excluded}, ahead: {ahead}");
            let quirks = Quirks {
                bounds_excluded,
                ..Quirks::default()
            };
            let bench = bench(quirks, Vec::new(), SPANS);
            if ahead > 0 {
                bench.ahead.store(ahead, Ordering::Relaxed);
                bench.pull().await;
                bench.ahead.store(0, Ordering::Relaxed);
            }
            let first = bench.vendor.now() + 15 - SPANS.lookback;
            for at in [first - 1, first, first + 1] {
                bench.add(Call::done(at.into(), at));
            }
            bench.pull_after(15).await;
            bench.assert_up();
            assert_eq!(bench.counted(), 2, "{what}");
        }
    }
}

/// The list is as long for a second as for a day, so shorter windows do not help.
#[tokio::test(start_paused = true)]
async fn a_day_loads_although_bounds_of_windows_are_ignored() {
    for bounds_ignored in [[true, false], [false, true], [true, true]] {
        for oldest_first in [false, true] {
            let quirks = Quirks {
                bounds_ignored,
                ..Quirks::default()
            };
            let earlier =
                (0..1990).map(|id| Call::done(100_000 + u128::from(id), BASE - 500_000 + id));
            let mut calls: Vec<Call> = earlier.collect();
            calls.extend(even(7010, 80_000));
            let bench = bench(quirks, calls, SPANS);
            bench.vendor.with(|list| list.oldest_first = oldest_first);
            let what = format!("{bounds_ignored:?}, oldest first: {oldest_first}");
            let first = bench.pulls(5).await.len();
            bench.assert_up();
            assert_eq!((bench.counted(), bench.missing()), (7010, 0), "{what}");
            bench.add_new(200_000);
            let more = bench.pulls(40).await.len();
            bench.assert_up();
            assert_eq!((bench.counted(), bench.missing()), (7011, 0), "{what}");
            assert!(first < 1000, "{what}: {first} requests");
            // Only if the newest calls come last, all the others have to be read before them.
            let most = if bounds_ignored[0] && oldest_first {
                100
            } else {
                4
            };
            assert!(more < 40 * most, "{what}: {more} requests");
        }
    }
}
