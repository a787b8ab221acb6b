//! Which windows of the vendor's list to read. Pure: knowledge and time in, windows out.
//!
//! A window that is read to prove that a call is gone is asked for a second wider at both ends,
//! and the proof holds only inside: the vendor does not say whether its bounds belong to it.

use serde::{Deserialize, Serialize};

use crate::model::{UnixSeconds, Window};

/// How far the list is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Progress {
    /// All calls uploaded in it are known, but for those of the gap.
    pub known: Option<Window>,
    /// What is still to be read, from its beginning on: at a cold start the whole lookback, after
    /// an outage the time that was missed.
    pub gap: Option<Window>,
    /// The first whole lookback is in.
    pub complete: bool,
    /// When the overlap was last read to its end.
    #[serde(default)]
    pub swept: Option<UnixSeconds>,
    /// All that was known at this time has been compared with the list since then.
    #[serde(default)]
    pub reconciled: Option<UnixSeconds>,
}

/// The times that a target's configuration gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intervals {
    /// Seconds of upload time that the gauges speak of.
    pub lookback: UnixSeconds,
    /// Seconds that a call may appear late, and clocks may differ.
    pub overlap: UnixSeconds,
    /// Seconds in which the whole lookback is compared anew.
    pub reconcile_interval: UnixSeconds,
}

impl Progress {
    /// What a pull at `now` has to catch up with: answers with the recent window, in which a call
    /// may have appeared since the last sweep, and widens the gap where more than that is unknown.
    pub fn begin(&mut self, now: UnixSeconds, intervals: Intervals) -> Option<Window> {
        let from = now.saturating_sub(intervals.lookback);
        let Some(known) = self.known else {
            self.known = Some(Window { from, to: now });
            self.widen_gap(Window { from, to: now });
            self.swept = Some(now);
            return None;
        };
        let tail = if now.saturating_add(intervals.overlap) < known.to {
            // The clock was ahead of the vendor's, so that what was asked for since had not
            // happened yet, and now it is behind what is thought to be known.
            self.widen_gap(Window { from, to: now });
            self.known = Some(Window { from, to: now });
            self.swept = Some(now);
            None
        } else {
            let late = known.to.saturating_sub(intervals.overlap);
            // A call listed since the last sweep was uploaded at most `overlap` before it.
            let swept = self.swept.unwrap_or(known.to).min(now);
            self.swept = Some(swept);
            let late = late.min(swept.saturating_sub(intervals.overlap));
            Some(Window {
                from: late.max(from).min(now),
                to: now,
            })
        };
        // The lookback has grown, or the clock has gone back.
        if from < known.from {
            self.widen_gap(Window {
                from,
                to: known.from,
            });
        }
        self.gap = self
            .gap
            .map(|gap| Window {
                from: gap.from.max(from),
                to: gap.to,
            })
            .filter(|gap| gap.from <= gap.to);
        tail
    }

    /// Whether the overlap is to be read to its end again.
    pub fn is_sweep_due(&self, now: UnixSeconds, intervals: Intervals) -> bool {
        let due = |swept: UnixSeconds| now >= swept.saturating_add(intervals.overlap / 2);
        self.swept.is_none_or(due)
    }

    /// The recent window is read, or put into the gap: all up to `now` is known but for that.
    pub fn reached(&mut self, now: UnixSeconds, intervals: Intervals, swept: bool) {
        if swept {
            self.swept = Some(now);
        }
        self.known = Some(Window {
            from: now.saturating_sub(intervals.lookback),
            to: now,
        });
    }

    /// Puts a window into the gap, and whatever lies between the two.
    pub fn widen_gap(&mut self, window: Window) {
        self.gap = Some(self.gap.map_or(window, |gap| Window {
            from: gap.from.min(window.from),
            to: gap.to.max(window.to),
        }));
    }

    /// A first part of the gap is read.
    pub fn filled_to(&mut self, time: UnixSeconds) {
        self.gap = self.gap.filter(|gap| gap.to > time).map(|gap| Window {
            from: time.saturating_add(1),
            to: gap.to,
        });
    }

    /// All calls uploaded up to this time are known; `None` before the first whole lookback.
    pub fn frontier(&self) -> Option<UnixSeconds> {
        let known = self.known.filter(|_| self.complete)?;
        Some(
            self.gap
                .map_or(known.to, |gap| gap.from.saturating_sub(1).min(known.to)),
        )
    }
}

/// The next part of a gap: `seconds` long, or what is left.
pub fn slice(gap: Window, seconds: UnixSeconds) -> Window {
    Window {
        from: gap.from,
        to: gap.from.saturating_add(seconds.max(1) - 1).min(gap.to),
    }
}

/// How many seconds a slice should have to hold `wanted` calls, when `span` seconds held `found`.
/// Grows at most fourfold, for what lies ahead may be denser.
pub fn next_span(span: UnixSeconds, found: u64, wanted: u64) -> UnixSeconds {
    let fitting = u64::from(span).saturating_mul(wanted) / found.max(1);
    let most = u64::from(span).saturating_mul(4);
    UnixSeconds::try_from(fitting.clamp(1, most.max(1))).unwrap_or(UnixSeconds::MAX)
}

/// Cuts a window into pieces of at most so many seconds, about equally long.
pub fn pieces(window: Window, width: UnixSeconds) -> Vec<Window> {
    let mut pieces = Vec::new();
    let mut rest = Some(window);
    while let Some(window) = rest {
        let piece = slice(window, width);
        rest = (piece.to < window.to).then(|| Window {
            from: piece.to + 1,
            to: window.to,
        });
        pieces.push(piece);
    }
    pieces
}

/// The two halves of a window; `None` for a second.
pub fn halves(window: Window) -> Option<(Window, Window)> {
    let middle = window.from + (window.to - window.from) / 2;
    (window.from < window.to).then_some((
        Window {
            from: window.from,
            to: middle,
        },
        Window {
            from: middle + 1,
            to: window.to,
        },
    ))
}

/// The earliest beginning, from `from` to `latest`, of a window that holds at most `room` calls;
/// `latest` if none does. `count` tells how many a window from there on holds.
pub fn shortest(
    from: UnixSeconds,
    latest: UnixSeconds,
    room: u64,
    count: impl Fn(UnixSeconds) -> u64,
) -> UnixSeconds {
    let (mut low, mut high) = (from, latest);
    while low < high {
        let middle = low + (high - low) / 2;
        if count(middle) <= room {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Both ends a second wider.
pub fn padded(window: Window) -> Window {
    Window {
        from: window.from.saturating_sub(1),
        to: window.to.saturating_add(1),
    }
}

/// Both ends a second narrower; `None` where nothing is left.
pub fn proven(window: Window) -> Option<Window> {
    let inside = Window {
        from: window.from.checked_add(1)?,
        to: window.to.checked_sub(1)?,
    };
    (inside.from <= inside.to).then_some(inside)
}

/// How many pages hold so many rows. A window that holds nothing costs a request all the same.
pub fn pages(rows: u64, page_size: u64) -> u64 {
    rows.div_ceil(page_size.max(1)).max(1)
}

/// The cheapest windows that hold all of `times` (ascending), padded for a proof.
///
/// `count` tells how many calls a window of the vendor's list holds. Two neighbours share a window
/// where the pages between them cost no more than a request of their own. Exact: the shortest way
/// through all places where a window could end, in the square of the number of times.
pub fn cover(times: &[UnixSeconds], page_size: u64, count: impl Fn(Window) -> u64) -> Vec<Window> {
    let mut times = times.to_vec();
    times.dedup();
    // rows_to[i]: calls from the first time to times[i], padding included.
    let own: Vec<u64> = times
        .iter()
        .map(|at| count(padded(Window { from: *at, to: *at })))
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
            // Wider windows only cost more; once one alone costs more than the best, so do they.
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
        windows.push(padded(Window {
            from: times[start],
            to: times[end - 1],
        }));
        end = start;
    }
    windows.reverse();
    windows
}

/// One comparison of the whole lookback, spread over `reconcile_interval`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reconcile {
    /// When it began.
    pub began: UnixSeconds,
    /// The upload times it goes through.
    pub window: Window,
    /// The next to be read.
    pub cursor: UnixSeconds,
}

impl Reconcile {
    /// A new comparison of all that is known.
    pub fn new(now: UnixSeconds, known: Window) -> Self {
        Self {
            began: now,
            window: known,
            cursor: known.from,
        }
    }

    /// The comparison to go on with at `now`: this one, or the next when its interval is over.
    pub fn current(self, now: UnixSeconds, known: Window, intervals: Intervals) -> Self {
        let over = now >= self.began.saturating_add(intervals.reconcile_interval);
        // What has left the lookback needs no comparison any more.
        let cursor = self.cursor.max(known.from);
        // Before its beginning: the clock has gone back.
        if now < self.began || (over && cursor > self.window.to) {
            Self::new(now, known)
        } else {
            Self { cursor, ..self }
        }
    }

    /// How far it should have come by `now`.
    fn due(&self, now: UnixSeconds, intervals: Intervals) -> UnixSeconds {
        let length = u64::from(self.window.to.saturating_sub(self.window.from));
        let elapsed = u64::from(now.saturating_sub(self.began));
        let share = length.saturating_mul(elapsed) / u64::from(intervals.reconcile_interval.max(1));
        self.window
            .from
            .saturating_add(share.min(length) as UnixSeconds)
    }

    /// The next slice, if one is due: at least a page of calls, so that a quiet centre does not
    /// pay a request at each pull, and at most `most` calls.
    pub fn slice(
        &self,
        now: UnixSeconds,
        intervals: Intervals,
        page_size: u64,
        most: u64,
        count: impl Fn(Window) -> u64,
    ) -> Option<Window> {
        let due = self.due(now, intervals);
        if self.cursor > due {
            return None;
        }
        let whole = Window {
            from: self.cursor,
            to: due,
        };
        let rows = count(whole);
        if rows < page_size && due < self.window.to {
            return None;
        }
        if rows <= most {
            return Some(whole);
        }
        // The longest beginning that holds no more than that, or a second.
        let (mut fits, mut too_long) = (whole.from, whole.to);
        while too_long - fits > 1 {
            let middle = fits + (too_long - fits) / 2;
            if count(Window {
                from: whole.from,
                to: middle,
            }) <= most
            {
                fits = middle;
            } else {
                too_long = middle;
            }
        }
        Some(Window {
            from: whole.from,
            to: fits,
        })
    }

    /// Whether it has come to its end.
    pub fn is_done(&self) -> bool {
        self.cursor > self.window.to
    }

    /// A slice has been read.
    pub fn done(&mut self, slice: Window) {
        self.cursor = slice.to.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
