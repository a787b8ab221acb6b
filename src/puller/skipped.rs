//! Windows that cannot be read: skipped, and retried with backoff. Pure.

use serde::{Deserialize, Serialize};

use super::backoff::Delays;
use crate::model::{UnixSeconds, Window, shortened};

/// Until a window is retried.
const DELAYS: Delays = Delays {
    first: 60,
    longest: 3600,
};
/// Windows remembered. Beyond that the closest neighbours are merged, which bounds the memory.
const MAX_WINDOWS: usize = 64;

/// Characters of a reason: most failures with their likely cause.
const MAX_REASON: usize = 300;

/// A window that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Skipped {
    /// Upload times, both ends inclusive.
    pub window: Window,
    /// When it was first skipped.
    pub since: UnixSeconds,
    /// Time of the next retry.
    pub retry_at: UnixSeconds,
    /// How often it was tried.
    pub tries: u32,
    /// The failure, for people.
    pub reason: String,
}

/// All skipped windows of a target: ascending and disjoint.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SkippedWindows(Vec<Skipped>);

impl SkippedWindows {
    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Skipped> {
        self.0.iter()
    }

    /// Whether a time lies in one of them.
    pub fn contains(&self, time: UnixSeconds) -> bool {
        self.0.iter().any(|skipped| skipped.window.contains(time))
    }

    /// Adds a window, or counts another failure of it. One that is adjacent is merged, but no failure of
    /// the other: a window is narrowed second by second, which is one failure.
    pub fn add(&mut self, window: Window, now: UnixSeconds, reason: &str) {
        let mut new = Skipped {
            window,
            since: now,
            retry_at: now,
            tries: 0,
            reason: shortened(reason, MAX_REASON),
        };
        let (mut merged_retry, mut merged_tries) = (UnixSeconds::MAX, 0);
        self.0.retain(|old| {
            let touches = old.window.pad([1, 1]).overlaps(window);
            if touches {
                new.window.from = new.window.from.min(old.window.from);
                new.window.to = new.window.to.max(old.window.to);
                new.since = new.since.min(old.since);
                if old.window.covers(window) {
                    new.tries = old.tries;
                } else {
                    merged_retry = merged_retry.min(old.retry_at);
                    merged_tries = merged_tries.max(old.tries);
                }
            }
            !touches
        });
        let retry_at = now.saturating_add(DELAYS.after(new.tries));
        new.retry_at = retry_at.min(merged_retry);
        new.tries = new.tries.saturating_add(1).max(merged_tries);
        let at = self
            .0
            .partition_point(|old| old.window.from < new.window.from);
        self.0.insert(at, new);
        if self.0.len() > MAX_WINDOWS {
            self.merge_closest();
        }
    }

    fn merge_closest(&mut self) {
        let gap = |at: &usize| self.0[*at].window.from - self.0[*at - 1].window.to;
        if let Some(at) = (1..self.0.len()).min_by_key(gap) {
            let right = self.0.remove(at);
            let left = &mut self.0[at - 1];
            left.window.to = right.window.to;
            left.since = left.since.min(right.since);
        }
    }

    /// Removes a window whose retry is due at `now`.
    pub fn take_due(&mut self, now: UnixSeconds) -> Option<Skipped> {
        let is_due = |at| now >= at || DELAYS.is_beyond(at, now);
        let at = (self.0.iter()).position(|skipped| is_due(skipped.retry_at))?;
        Some(self.0.remove(at))
    }

    /// After a retry: what is still skipped of a window waits longer than before.
    pub fn inherit_tries(&mut self, before: &Skipped, now: UnixSeconds) {
        for skipped in &mut self.0 {
            if before.window.pad([1, 1]).covers(skipped.window) {
                skipped.since = skipped.since.min(before.since);
                skipped.tries = skipped.tries.max(before.tries.saturating_add(1));
                skipped.retry_at = now.saturating_add(DELAYS.after(skipped.tries - 1));
            }
        }
    }

    /// Puts a window back whose retry failed as a whole.
    pub fn requeue(&mut self, skipped: Skipped, now: UnixSeconds) {
        self.add(skipped.window, now, &skipped.reason);
        self.inherit_tries(&skipped, now);
    }

    /// Removes the windows that end before a time, and returns them.
    pub fn expire(&mut self, before: UnixSeconds) -> Vec<Skipped> {
        let (gone, kept) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|skipped: &Skipped| skipped.window.to < before);
        self.0 = kept;
        gone
    }

    /// The parts of a window that are not skipped.
    pub fn without(&self, window: Window) -> Vec<Window> {
        let mut parts = Vec::new();
        let mut from = Some(window.from);
        for skipped in &self.0 {
            let Some(start) = from else { break };
            let hole = skipped.window;
            if hole.to < start || hole.from > window.to {
                continue;
            }
            if hole.from > start {
                parts.push(Window::new(start, hole.from - 1));
            }
            from = hole.to.checked_add(1).filter(|next| *next <= window.to);
        }
        parts.extend(from.map(|from| Window::new(from, window.to)));
        parts
    }

    /// Widens a window by a second at both ends, but not into a skipped window, unless that bound
    /// is known to be exclusive.
    pub fn padded(&self, window: Window, inclusive: [Option<bool>; 2]) -> Window {
        let free = |time: UnixSeconds, edge: UnixSeconds, inclusive| {
            let blocked = inclusive != Some(false) && self.contains(time);
            if blocked { edge } else { time }
        };
        Window::new(
            free(window.from.saturating_sub(1), window.from, inclusive[0]),
            free(window.to.saturating_add(1), window.to, inclusive[1]),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: UnixSeconds, to: UnixSeconds) -> Window {
        Window { from, to }
    }

    #[test]
    fn a_skipped_window_is_left_out_and_retried_with_growing_delays() {
        let mut skipped = SkippedWindows::default();
        skipped.add(window(100, 101), 1000, "500");
        skipped.add(window(300, 300), 1000, "500");
        assert_eq!(
            skipped.without(window(0, 400)),
            [window(0, 99), window(102, 299), window(301, 400)]
        );
        assert_eq!(skipped.without(window(100, 100)), []);
        assert_eq!(skipped.without(window(101, 300)), [window(102, 299)]);
        assert_eq!(skipped.without(window(500, 600)), [window(500, 600)]);
        assert_eq!(
            skipped.padded(window(102, 299), [None; 2]),
            window(102, 299)
        );
        assert_eq!(
            skipped.padded(window(103, 200), [None; 2]),
            window(102, 201)
        );
        let known = [Some(true), Some(false)];
        assert_eq!(skipped.padded(window(102, 299), known), window(102, 300));
        let mut now = 1000;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let is_due = |at: &UnixSeconds| skipped.clone().take_due(*at).is_some();
            let due = (now..).find(is_due).unwrap();
            waits.push(due - now);
            now = due;
            while let Some(due) = skipped.take_due(now) {
                skipped.requeue(due, now);
            }
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        let first = skipped.take_due(now + 3600).unwrap();
        assert_eq!(first.window, window(100, 101));
        skipped.requeue(first, now + 3600);
        let next = skipped.take_due(now + 3600).unwrap();
        assert_eq!(next.window, window(300, 300));
        assert_eq!(skipped.expire(102).len(), 1);
        assert_eq!(skipped.iter().count(), 0);
    }

    #[test]
    fn adjacent_windows_merge_and_their_number_is_limited() {
        let mut skipped = SkippedWindows::default();
        for at in 0..1000 {
            skipped.add(window(at * 10, at * 10), 1, "x");
            assert!(skipped.iter().count() <= MAX_WINDOWS);
        }
        assert!((0..1000).all(|at| skipped.contains(at * 10)));
        let mut skipped = SkippedWindows::default();
        skipped.add(window(5, 5), 1, "x");
        skipped.add(window(7, 7), 1, "x");
        skipped.add(window(6, 6), 1, "x");
        let merged = skipped.iter().next().unwrap();
        assert_eq!(merged.window, window(5, 7));
        assert_eq!((merged.tries, merged.retry_at), (1, 61));
    }
}
