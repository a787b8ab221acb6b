//! Plans which windows of the list to read. Pure: progress and time in, windows out.
//!
//! Windows are requested a second wider at both ends, and prove something only inside: the vendor
//! does not document whether its bounds are inclusive.

use serde::{Deserialize, Serialize};

use crate::model::{UnixSeconds, Window};

/// How far the list has been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    /// All calls uploaded in it are known, except those in the gap.
    pub known: Option<Window>,
    /// What remains to be read: the whole lookback at a cold start, the missed time after an outage.
    pub gap: Option<Window>,
    /// The first lookback is complete.
    pub complete: bool,
    /// When the overlap was last swept, that is read to its end.
    #[serde(default)]
    pub swept: Option<UnixSeconds>,
    /// Start of the last complete comparison of the lookback with the list.
    #[serde(default)]
    pub reconciled: Option<UnixSeconds>,
}

/// Time spans of a target's configuration, seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intervals {
    /// Upload times covered by the gauges.
    pub lookback: UnixSeconds,
    /// How late a call may be listed, and how far clocks may differ.
    pub overlap: UnixSeconds,
    /// Time for one comparison of the whole lookback.
    pub reconcile_interval: UnixSeconds,
}

impl Progress {
    /// Begins a pull at `now`. Returns the recent window, in which calls may have appeared since the
    /// last sweep; `None` if nothing is known yet. Widens the gap where more is unknown.
    pub fn begin(&mut self, now: UnixSeconds, intervals: Intervals) -> Option<Window> {
        let from = now.saturating_sub(intervals.lookback);
        // Calls after `now` had not been uploaded yet when a clock that was ahead made the progress.
        let most = now.saturating_add(intervals.overlap);
        let Some(known) = self.known.filter(|known| known.to <= most) else {
            let lookback = Window { from, to: now };
            (self.known, self.gap) = (Some(lookback), Some(lookback));
            self.swept = Some(now);
            return None;
        };
        // The lookback was extended, or the clock went back.
        if from < known.from {
            self.widen_gap(Window::new(from, known.from));
        }
        self.gap = self
            .gap
            .map(|gap| Window::new(gap.from.max(from), gap.to))
            .filter(|gap| gap.from <= gap.to);
        // A call listed since the last sweep was uploaded at most `overlap` before that sweep.
        let swept = self.swept.unwrap_or(known.to).min(now);
        self.swept = Some(swept);
        let late = known.to.min(swept).saturating_sub(intervals.overlap);
        Some(Window::new(late.max(from).min(now), now))
    }

    /// Whether the next sweep of the overlap is due.
    pub fn is_sweep_due(&self, now: UnixSeconds, intervals: Intervals) -> bool {
        let due = |swept: UnixSeconds| now >= swept.saturating_add(intervals.overlap / 2);
        self.swept.is_none_or(due)
    }

    /// The recent window was read, or added to the gap.
    pub fn reached(&mut self, now: UnixSeconds, intervals: Intervals, swept: bool) {
        if swept {
            self.swept = Some(now);
        }
        self.known = Some(Window::new(now.saturating_sub(intervals.lookback), now));
    }

    /// Adds a window to the gap, with what lies between the two.
    pub fn widen_gap(&mut self, window: Window) {
        self.gap = Some(self.gap.map_or(window, |gap| {
            Window::new(gap.from.min(window.from), gap.to.max(window.to))
        }));
    }

    /// The gap was read up to a time.
    pub fn filled_to(&mut self, time: UnixSeconds) {
        self.gap = self
            .gap
            .filter(|gap| gap.to > time)
            .map(|gap| Window::new(time.saturating_add(1), gap.to));
    }

    /// All calls uploaded up to this time are known; `None` until the first lookback is complete.
    pub fn frontier(&self) -> Option<UnixSeconds> {
        let known = self.known.filter(|_| self.complete)?;
        Some(
            self.gap
                .map_or(known.to, |gap| gap.from.saturating_sub(1).min(known.to)),
        )
    }
}

/// The next slice of a gap, `seconds` long at most.
pub fn slice(gap: Window, seconds: UnixSeconds) -> Window {
    let to = gap.from.saturating_add(seconds.max(1) - 1);
    Window::new(gap.from, to.min(gap.to))
}

/// Seconds that a slice needs to hold `wanted` calls, if `span` seconds held `found`. Grows at most
/// fourfold, because the next hour may be busier.
pub fn next_span(span: UnixSeconds, found: u64, wanted: u64) -> UnixSeconds {
    let fitting = u64::from(span).saturating_mul(wanted) / found.max(1);
    let most = u64::from(span).saturating_mul(4);
    UnixSeconds::try_from(fitting.clamp(1, most.max(1))).unwrap_or(UnixSeconds::MAX)
}

/// Splits a window into pieces of at most `width` seconds.
pub fn pieces(window: Window, width: UnixSeconds) -> Vec<Window> {
    let mut pieces = Vec::new();
    let mut rest = Some(window);
    while let Some(window) = rest {
        let piece = slice(window, width);
        rest = (piece.to < window.to).then(|| Window::new(piece.to + 1, window.to));
        pieces.push(piece);
    }
    pieces
}

/// The halves of a window; `None` for a single second.
pub fn halves(window: Window) -> Option<[Window; 2]> {
    let Window { from, to } = window;
    let middle = from + (to - from) / 2;
    (from < to).then(|| [Window::new(from, middle), Window::new(middle + 1, to)])
}

/// Twice the number of calls that are likely to be new at `now`: as many as in the equally long time
/// before `known`.
pub fn likely_rows(known: UnixSeconds, now: UnixSeconds, count: impl Fn(Window) -> u64) -> u64 {
    let from = known.saturating_sub(now.saturating_sub(known));
    count(Window { from, to: known }).saturating_mul(2)
}

/// The first time from `low` on that suits, as all times after it do; `high` if none before does.
pub fn first(
    mut low: UnixSeconds,
    mut high: UnixSeconds,
    suits: impl Fn(UnixSeconds) -> bool,
) -> UnixSeconds {
    while low < high {
        let middle = low + (high - low) / 2;
        if suits(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// A window one second narrower at both ends; `None` if nothing is left.
pub fn proven(window: Window) -> Option<Window> {
    let inside = Window::new(window.from.checked_add(1)?, window.to.checked_sub(1)?);
    (inside.from <= inside.to).then_some(inside)
}

/// Pages that hold `rows` rows, at least one: an empty window costs a request too.
pub fn pages(rows: u64, page_size: u64) -> u64 {
    rows.div_ceil(page_size.max(1)).max(1)
}

/// The padded windows that contain all `times` (ascending) with the fewest pages.
///
/// `count` returns the number of calls in a window. Neighbours share a window where the pages between
/// them cost no more than a request of their own. Exact: a shortest path over all possible ends of a
/// window, quadratic in the number of times.
pub fn cover(times: &[UnixSeconds], page_size: u64, count: impl Fn(Window) -> u64) -> Vec<Window> {
    let mut times = times.to_vec();
    times.dedup();
    // rows_to[i]: calls from the first time to times[i], padding included.
    let own: Vec<u64> = times
        .iter()
        .map(|at| count(Window::new(*at, *at).pad([1, 1])))
        .collect();
    let mut rows_to = Vec::with_capacity(times.len());
    let mut rows = 0;
    for (index, at) in times.iter().enumerate() {
        rows += match index {
            0 => own[0],
            _ => {
                let from = times[index - 1].saturating_add(2);
                let to = at.saturating_add(1);
                if from <= to {
                    count(Window { from, to })
                } else {
                    0
                }
            }
        };
        rows_to.push(rows);
    }
    // best[i]: the least pages for the first i times; from[i]: where its last window begins.
    let mut best = vec![0_u64; times.len() + 1];
    let mut from = vec![0_usize; times.len() + 1];
    for end in 1..=times.len() {
        best[end] = u64::MAX;
        for start in (0..end).rev() {
            let rows = rows_to[end - 1] - rows_to[start] + own[start];
            let cost = pages(rows, page_size);
            // Wider windows cost even more.
            if cost > best[end] {
                break;
            }
            if best[start] + cost < best[end] {
                best[end] = best[start] + cost;
                from[end] = start;
            }
        }
    }
    let mut windows = Vec::new();
    let mut end = times.len();
    while end > 0 {
        let start = from[end];
        windows.push(Window::new(times[start], times[end - 1]).pad([1, 1]));
        end = start;
    }
    windows.reverse();
    windows
}

/// One comparison of the whole lookback, spread over `reconcile_interval`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reconcile {
    pub began: UnixSeconds,
    /// Upload times to compare.
    pub window: Window,
    /// Start of the next slice.
    pub cursor: UnixSeconds,
}

impl Reconcile {
    pub fn new(now: UnixSeconds, known: Window) -> Self {
        Self {
            began: now,
            window: known,
            cursor: known.from,
        }
    }

    /// The comparison at `now`: this one, or a new one once its interval is over.
    pub fn current(self, now: UnixSeconds, known: Window, intervals: Intervals) -> Self {
        let over = now >= self.began.saturating_add(intervals.reconcile_interval);
        // Calls that left the lookback need no comparison.
        let cursor = self.cursor.max(known.from);
        // `now` before the start: the clock went back.
        if now < self.began || (over && cursor > self.window.to) {
            Self::new(now, known)
        } else {
            Self { cursor, ..self }
        }
    }

    /// How far it should be at `now`.
    fn due(&self, now: UnixSeconds, intervals: Intervals) -> UnixSeconds {
        let length = u64::from(self.window.to.saturating_sub(self.window.from));
        let elapsed = u64::from(now.saturating_sub(self.began));
        let share = length.saturating_mul(elapsed) / u64::from(intervals.reconcile_interval.max(1));
        self.window
            .from
            .saturating_add(share.min(length) as UnixSeconds)
    }

    /// The next slice, if due. It holds at least a page of calls, so that a quiet centre does not
    /// pay a request at each pull, and at most `max_rows`.
    pub fn slice(
        &self,
        now: UnixSeconds,
        intervals: Intervals,
        page_size: u64,
        max_rows: u64,
        count: impl Fn(Window) -> u64,
    ) -> Option<Window> {
        let due = self.due(now, intervals);
        if self.cursor > due {
            return None;
        }
        let whole = Window::new(self.cursor, due);
        let rows = count(whole);
        if rows < page_size && due < self.window.to {
            return None;
        }
        if rows <= max_rows {
            return Some(whole);
        }
        // The longest slice that fits, at least a second.
        let slice = |to| Window::new(whole.from, to);
        let too_long = first(whole.from, whole.to, |to| count(slice(to)) > max_rows);
        Some(slice(too_long.saturating_sub(1).max(whole.from)))
    }

    pub fn is_done(&self) -> bool {
        self.cursor > self.window.to
    }

    pub fn done(&mut self, slice: Window) {
        self.cursor = slice.to.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
