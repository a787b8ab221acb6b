use proptest::prelude::*;

use super::*;

const INTERVALS: Intervals = Intervals {
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
fn a_cold_start_begins_with_a_gap_of_the_whole_lookback() {
    let mut progress = Progress::default();
    assert_eq!(progress.begin(NOW, INTERVALS), None);
    assert_eq!(progress.gap, Some(Window::new(NOW - 86_400, NOW)));
    assert_eq!(progress.frontier(), None);
    progress.filled_to(NOW - 1000);
    assert_eq!(progress.gap, Some(Window::new(NOW - 999, NOW)));
    progress.filled_to(NOW);
    assert_eq!(progress.gap, None);
    assert_eq!(
        progress.frontier(),
        None,
        "not before the state is complete"
    );
    progress.complete = true;
    assert_eq!(progress.frontier(), Some(NOW));
}

#[test]
fn the_recent_window_starts_an_overlap_before_the_frontier() {
    let mut progress = known(NOW - 86_415, NOW - 15);
    let recent = progress.begin(NOW, INTERVALS).unwrap();
    assert_eq!(recent, Window::new(NOW - 615, NOW));
    assert_eq!(progress.gap, None);
    assert_eq!(
        progress.frontier(),
        Some(NOW - 15),
        "not before the window is read"
    );
    progress.reached(NOW, INTERVALS, true);
    assert_eq!(progress.frontier(), Some(NOW));
}

#[test]
fn after_a_long_outage_only_the_lookback_is_read() {
    let mut progress = known(100_000, 186_400);
    let recent = progress.begin(NOW, INTERVALS).unwrap();
    assert_eq!(recent, Window::new(NOW - 86_400, NOW));
}

#[test]
fn a_clock_slightly_behind_reads_the_recent_window_again() {
    let mut progress = known(NOW - 86_400, NOW);
    let recent = progress.begin(NOW - 500, INTERVALS).unwrap();
    // By this clock nothing has been read since, so late rows are searched from here on.
    assert_eq!(recent, Window::new(NOW - 500 - 600, NOW - 500));
    // The start of the lookback has moved back with the clock.
    let gap = Window::new(NOW - 500 - 86_400, NOW - 86_400);
    assert_eq!(progress.gap, Some(gap));
}

#[test]
fn a_clock_far_behind_discards_the_progress() {
    let mut progress = known(NOW - 86_400, NOW);
    let now = NOW - 5000;
    assert_eq!(progress.begin(now, INTERVALS), None);
    assert_eq!(
        progress.gap,
        Some(Window::new(now - 86_400, now.max(NOW - 86_400)))
    );
    assert_eq!(progress.frontier(), Some(now - 86_401));
}

#[test]
fn a_clock_behind_by_more_than_the_lookback_leaves_no_gap_in_the_future() {
    let mut progress = known(NOW - 86_400, NOW);
    let now = NOW - 100_000;
    assert_eq!(progress.begin(now, INTERVALS), None);
    let lookback = Window::new(now - 86_400, now);
    assert_eq!(progress.gap, Some(lookback));
    assert_eq!(progress.known, Some(lookback));
}

#[test]
fn a_longer_lookback_is_read_from_its_new_start() {
    let mut progress = known(NOW - 86_400, NOW);
    let intervals = Intervals {
        lookback: 7 * 86_400,
        ..INTERVALS
    };
    let recent = progress.begin(NOW + 15, intervals).unwrap();
    assert_eq!(recent.from, NOW - 600);
    assert_eq!(
        progress.gap,
        Some(Window::new(NOW + 15 - 7 * 86_400, NOW - 86_400))
    );
}

#[test]
fn a_gap_shrinks_and_disappears_as_the_lookback_moves_on() {
    let mut progress = Progress {
        gap: Some(Window::new(10, NOW - 80_000)),
        ..known(10, NOW)
    };
    progress.begin(NOW, INTERVALS);
    assert_eq!(progress.gap, Some(Window::new(NOW - 86_400, NOW - 80_000)));
    progress.begin(NOW + 10_000, INTERVALS);
    assert_eq!(progress.gap, None);
}

#[test]
fn the_next_slice_adapts_to_the_density_of_calls() {
    let gap = Window::new(1000, 2000);
    assert_eq!(slice(gap, 100), Window::new(1000, 1099));
    assert_eq!(slice(gap, 1), Window::new(1000, 1000));
    assert_eq!(slice(gap, 0), Window::new(1000, 1000));
    assert_eq!(slice(gap, u32::MAX), gap);
    assert_eq!(next_span(1000, 5000, 5000), 1000);
    assert_eq!(next_span(1000, 20_000, 5000), 250);
    assert_eq!(next_span(1000, 0, 5000), 4000);
    assert_eq!(next_span(1, u64::MAX, 5000), 1);
    assert_eq!(next_span(u32::MAX, 0, 5000), u32::MAX);
}

/// The number of pages of a cover.
fn cost(windows: &[Window], calls: &[UnixSeconds], page_size: u64) -> u64 {
    let rows = |window: &Window| calls.iter().filter(|at| window.contains(**at)).count() as u64;
    windows
        .iter()
        .map(|window| pages(rows(window), page_size))
        .sum()
}

proptest! {
    #[test]
    fn a_cover_contains_all_times_and_is_the_cheapest(
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
        // Every way to split the times into windows.
        let best = (0..1_u32 << (times.len() - 1)).map(|cuts| {
            let mut windows = vec![Window { from: times[0], to: times[0] }];
            for (index, at) in times.iter().enumerate().skip(1) {
                match cuts >> (index - 1) & 1 {
                    0 => windows.last_mut().unwrap().to = *at,
                    _ => windows.push(Window { from: *at, to: *at }),
                }
            }
            let windows: Vec<Window> = windows.into_iter().map(|window| window.pad([1, 1])).collect();
            cost(&windows, &calls, page_size)
        }).min().unwrap();
        prop_assert_eq!(cost(&windows, &calls, page_size), best);
    }
}

#[test]
fn a_reconcile_covers_the_lookback_within_its_interval() {
    let window = Window::new(NOW - 86_400, NOW);
    let mut reconcile = Reconcile::new(NOW, window);
    // A call per second, pages of 100, a pull every 15 seconds.
    let count = |window: Window| u64::from(window.to - window.from + 1);
    let mut rows = 0;
    let mut now = NOW;
    while reconcile.cursor <= window.to {
        now += 15;
        let current = reconcile.current(now, window, INTERVALS);
        assert_eq!(
            current.began, NOW,
            "the same reconcile continues until its end"
        );
        while let Some(slice) = reconcile.slice(now, INTERVALS, 100, 500, count) {
            assert_eq!(slice.from, reconcile.cursor);
            assert!(count(slice) <= 500);
            rows += count(slice);
            reconcile.done(slice);
        }
    }
    assert_eq!(rows, 86_401);
    assert_eq!(now - NOW, 3600);
    let next = reconcile.current(now, window, INTERVALS);
    assert_eq!(next, Reconcile::new(now, window));
}

#[test]
fn a_quiet_target_is_reconciled_in_one_request() {
    let window = Window::new(NOW - 86_400, NOW);
    let reconcile = Reconcile::new(NOW, window);
    let count = |window: Window| u64::from((window.to - window.from) / 1000);
    assert_eq!(
        reconcile.slice(NOW + 1800, INTERVALS, 100, 500, count),
        None
    );
    assert_eq!(
        reconcile.slice(NOW + 3600, INTERVALS, 100, 500, count),
        Some(window)
    );
}

#[test]
fn a_second_with_more_calls_than_a_slice_is_read() {
    let window = Window::new(NOW - 10, NOW);
    let reconcile = Reconcile::new(NOW, window);
    let slice = reconcile
        .slice(NOW + 3600, INTERVALS, 100, 500, |_| 9999)
        .unwrap();
    assert_eq!(slice, Window::new(NOW - 10, NOW - 10));
}

#[test]
fn a_reconcile_skips_what_has_left_the_lookback() {
    let window = Window::new(NOW - 86_400, NOW);
    let reconcile = Reconcile::new(NOW, window);
    let moved = Window::new(NOW - 50_000, NOW + 36_400);
    assert_eq!(
        reconcile.current(NOW + 60, moved, INTERVALS).cursor,
        NOW - 50_000
    );
    // No pull for longer than the lookback: all of it has left.
    let later = NOW + 100_000;
    let known = Window::new(later - 86_400, later);
    let next = reconcile.current(later, known, INTERVALS);
    assert_eq!(next, Reconcile::new(later, known));
}

#[test]
fn an_empty_window_does_not_panic() {
    let window = Window::new(NOW + 1, NOW);
    let reconcile = Reconcile::new(NOW, window);
    let slice = reconcile.slice(NOW + 10, INTERVALS, 100, 500, |_| 0);
    assert!(slice.is_none_or(|slice| slice.to <= NOW + 1), "{slice:?}");
}
