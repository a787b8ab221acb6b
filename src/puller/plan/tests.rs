use proptest::prelude::*;

use super::*;

const SPANS: Intervals = Intervals {
    lookback: 86_400,
    overlap: 600,
    reconcile_interval: 3_600,
};
const NOW: UnixSeconds = 1_000_000;

fn known(from: UnixSeconds, to: UnixSeconds) -> Progress {
    Progress {
        known: Some(Window { from, to }),
        gap: None,
        complete: true,
        ..Progress::default()
    }
}

#[test]
fn a_cold_start_is_a_gap_as_long_as_the_lookback() {
    let mut progress = Progress::default();
    assert_eq!(progress.begin(NOW, SPANS), None);
    let gap = progress.gap.unwrap();
    assert_eq!(gap.from, NOW - 86_400);
    assert_eq!(gap.to, NOW);
    assert_eq!(progress.frontier(), None);
    progress.filled_to(NOW - 1000);
    assert_eq!(progress.gap.unwrap().from, NOW - 999);
    assert_eq!(progress.gap.unwrap().to, NOW);
    progress.filled_to(NOW);
    assert_eq!(progress.gap, None);
    assert_eq!(
        progress.frontier(),
        None,
        "not before it is said to be complete"
    );
    progress.complete = true;
    assert_eq!(progress.frontier(), Some(NOW));
}

#[test]
fn the_tail_begins_an_overlap_before_what_is_known() {
    let mut progress = known(NOW - 86_415, NOW - 15);
    let tail = progress.begin(NOW, SPANS).unwrap();
    assert_eq!(tail.from, NOW - 615);
    assert_eq!(tail.to, NOW);
    assert_eq!(progress.gap, None);
    assert_eq!(progress.frontier(), Some(NOW - 15), "not before it is read");
    progress.reached(NOW, SPANS, true);
    assert_eq!(progress.frontier(), Some(NOW));
}

#[test]
fn after_an_outage_longer_than_the_lookback_no_more_than_the_lookback_is_read() {
    let mut progress = known(100_000, 186_400);
    let tail = progress.begin(NOW, SPANS).unwrap();
    assert_eq!(tail.from, NOW - 86_400);
    assert_eq!(tail.to, NOW);
}

#[test]
fn a_clock_a_little_behind_reads_the_same_tail_again() {
    let mut progress = known(NOW - 86_400, NOW);
    let tail = progress.begin(NOW - 500, SPANS).unwrap();
    // By this clock nothing was read since: what appears late is looked for from here on.
    assert_eq!(tail.from, NOW - 500 - 600);
    assert_eq!(tail.to, NOW - 500);
    // And the older end of the lookback, which has gone back with the clock.
    let gap = progress.gap.unwrap();
    assert_eq!(gap.from, NOW - 500 - 86_400);
    assert_eq!(gap.to, NOW - 86_400);
}

#[test]
fn a_clock_far_behind_makes_everything_unknown() {
    let mut progress = known(NOW - 86_400, NOW);
    let now = NOW - 5000;
    assert_eq!(progress.begin(now, SPANS), None);
    assert_eq!(
        progress.gap,
        Some(Window {
            from: now - 86_400,
            to: now.max(NOW - 86_400)
        })
    );
    assert_eq!(progress.frontier(), Some(now - 86_401));
}

#[test]
fn a_lookback_that_has_grown_is_read_from_its_new_beginning() {
    let mut progress = known(NOW - 86_400, NOW);
    let intervals = Intervals {
        lookback: 7 * 86_400,
        ..SPANS
    };
    let tail = progress.begin(NOW + 15, intervals).unwrap();
    assert_eq!(tail.from, NOW - 600);
    assert_eq!(
        progress.gap,
        Some(Window {
            from: NOW + 15 - 7 * 86_400,
            to: NOW - 86_400
        })
    );
}

#[test]
fn a_gap_that_the_lookback_has_left_behind_shrinks_and_vanishes() {
    let mut progress = Progress {
        gap: Some(Window {
            from: 10,
            to: NOW - 80_000,
        }),
        ..known(10, NOW)
    };
    progress.begin(NOW, SPANS);
    assert_eq!(
        progress.gap,
        Some(Window {
            from: NOW - 86_400,
            to: NOW - 80_000
        })
    );
    progress.begin(NOW + 10_000, SPANS);
    assert_eq!(progress.gap, None);
}

#[test]
fn slices_follow_the_density() {
    let gap = Window {
        from: 1000,
        to: 2000,
    };
    assert_eq!(
        slice(gap, 100),
        Window {
            from: 1000,
            to: 1099
        }
    );
    assert_eq!(
        slice(gap, 1),
        Window {
            from: 1000,
            to: 1000
        }
    );
    assert_eq!(
        slice(gap, 0),
        Window {
            from: 1000,
            to: 1000
        }
    );
    assert_eq!(slice(gap, u32::MAX), gap);
    assert_eq!(next_span(1000, 5000, 5000), 1000);
    assert_eq!(next_span(1000, 20_000, 5000), 250);
    assert_eq!(next_span(1000, 0, 5000), 4000);
    assert_eq!(next_span(1, u64::MAX, 5000), 1);
    assert_eq!(next_span(u32::MAX, 0, 5000), u32::MAX);
}

/// What the cover costs, counted anew.
fn cost(windows: &[Window], calls: &[UnixSeconds], page_size: u64) -> u64 {
    let rows = |window: &Window| calls.iter().filter(|at| window.contains(**at)).count() as u64;
    windows
        .iter()
        .map(|window| pages(rows(window), page_size))
        .sum()
}

proptest! {
    #[test]
    fn a_cover_holds_all_times_and_none_is_cheaper(
        mut calls in prop::collection::vec(1000_u32..1400, 1..120),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        page_size in 1_u64..30,
    ) {
        calls.sort_unstable();
        let mut times: Vec<UnixSeconds> = picks.iter().map(|pick| calls[pick.index(calls.len())]).collect();
        times.sort_unstable();
        let count = |window: Window| calls.iter().filter(|at| window.contains(**at)).count() as u64;
        let windows = cover(&times, page_size, count);
        for at in &times {
            prop_assert!(windows.iter().any(|window| proven(*window).unwrap().contains(*at)));
        }
        times.dedup();
        // Every way to cut the times into runs.
        let best = (0..1_u32 << (times.len() - 1)).map(|cuts| {
            let mut windows = vec![Window { from: times[0], to: times[0] }];
            for (index, at) in times.iter().enumerate().skip(1) {
                match cuts >> (index - 1) & 1 {
                    0 => windows.last_mut().unwrap().to = *at,
                    _ => windows.push(Window { from: *at, to: *at }),
                }
            }
            let windows: Vec<Window> = windows.into_iter().map(padded).collect();
            cost(&windows, &calls, page_size)
        }).min().unwrap();
        prop_assert_eq!(cost(&windows, &calls, page_size), best);
    }
}

#[test]
fn a_comparison_goes_through_the_lookback_in_its_interval() {
    let window = Window {
        from: NOW - 86_400,
        to: NOW,
    };
    let mut reconcile = Reconcile::new(NOW, window);
    // A call each second, pages of 100, pulls each 15 seconds.
    let count = |window: Window| u64::from(window.to - window.from + 1);
    let mut rows = 0;
    let mut now = NOW;
    while reconcile.cursor <= window.to {
        now += 15;
        let current = reconcile.current(now, window, SPANS);
        assert_eq!(current.began, NOW, "the old one goes on until it has ended");
        while let Some(slice) = reconcile.slice(now, SPANS, 100, 500, count) {
            assert_eq!(slice.from, reconcile.cursor);
            assert!(count(slice) <= 500);
            rows += count(slice);
            reconcile.done(slice);
        }
    }
    assert_eq!(rows, 86_401);
    assert_eq!(now - NOW, 3600);
    let next = reconcile.current(now, window, SPANS);
    assert_eq!(next, Reconcile::new(now, window));
}

#[test]
fn a_quiet_centre_pays_no_request_at_each_pull() {
    let window = Window {
        from: NOW - 86_400,
        to: NOW,
    };
    let reconcile = Reconcile::new(NOW, window);
    let count = |window: Window| u64::from((window.to - window.from) / 1000);
    assert_eq!(reconcile.slice(NOW + 1800, SPANS, 100, 500, count), None);
    assert_eq!(
        reconcile.slice(NOW + 3600, SPANS, 100, 500, count),
        Some(window)
    );
}

#[test]
fn a_second_with_more_calls_than_a_slice_is_read_all_the_same() {
    let window = Window {
        from: NOW - 10,
        to: NOW,
    };
    let reconcile = Reconcile::new(NOW, window);
    let slice = reconcile
        .slice(NOW + 3600, SPANS, 100, 500, |_| 9999)
        .unwrap();
    assert_eq!(
        slice,
        Window {
            from: NOW - 10,
            to: NOW - 10
        }
    );
}

#[test]
fn a_comparison_goes_on_with_what_has_not_left_the_lookback() {
    let window = Window {
        from: NOW - 86_400,
        to: NOW,
    };
    let reconcile = Reconcile::new(NOW, window);
    let moved = Window {
        from: NOW - 50_000,
        to: NOW + 36_400,
    };
    assert_eq!(
        reconcile.current(NOW + 60, moved, SPANS).cursor,
        NOW - 50_000
    );
    // Nobody has pulled for longer than the lookback: all of it has left.
    let later = NOW + 100_000;
    let known = Window {
        from: later - 86_400,
        to: later,
    };
    let next = reconcile.current(later, known, SPANS);
    assert_eq!(next, Reconcile::new(later, known));
}

#[test]
fn a_window_that_has_no_length_is_no_reason_to_panic() {
    let window = Window {
        from: NOW + 1,
        to: NOW,
    };
    let reconcile = Reconcile::new(NOW, window);
    let slice = reconcile.slice(NOW + 10, SPANS, 100, 500, |_| 0);
    assert!(slice.is_none_or(|slice| slice.to <= NOW + 1), "{slice:?}");
}
