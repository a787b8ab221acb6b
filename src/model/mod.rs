//! Domain types shared by all layers: a call as the vendor lists it, what happens to it,
//! and what its inspection found.
//!
//! No I/O, no clock, no JSON. Codes and their meaning come from the vendor's documentation of the
//! list of inspected calls.

mod call_id;
mod code;
mod event;
mod inspection;
mod measure;
mod record;
mod team;
mod text;

pub use call_id::{CallHasher, CallId, CallKey, CallSet};
pub use code::{CallType, Status};
pub use event::{Event, Outcome, Position, ProcessingTime};
pub use inspection::{Inspection, Named, RuleKind, RuleResult, ScenarioResult};
pub use measure::{Measure, Measures, Role, Speech};
pub use record::{ManualKind, ManualStates, Record, Rejection};
pub use team::Teams;
pub use text::{cause_suffix, is_identifier, label_text, shortened};

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 UTC. 32 bits last until the year 2106 and halve the ledger's size.
pub type UnixSeconds = u32;

/// Whole seconds of a duration; a longer one counts as the longest.
pub fn whole_seconds(duration: Duration) -> UnixSeconds {
    UnixSeconds::try_from(duration.as_secs()).unwrap_or(UnixSeconds::MAX)
}

/// The same time, which is written as in RFC 3339.
pub fn utc(time: UnixSeconds) -> Timestamp {
    // All of 32 bits are times that jiff knows.
    Timestamp::from_second(time.into()).unwrap_or_default()
}

/// A window of upload time, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Window {
    pub from: UnixSeconds,
    pub to: UnixSeconds,
}

impl Window {
    pub const fn new(from: UnixSeconds, to: UnixSeconds) -> Self {
        Self { from, to }
    }

    pub fn contains(&self, time: UnixSeconds) -> bool {
        (self.from..=self.to).contains(&time)
    }

    /// The length. A window of one moment has one second.
    pub fn seconds(self) -> UnixSeconds {
        (self.to - self.from).saturating_add(1)
    }

    /// Whether there is a time that both contain.
    pub fn overlaps(&self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// Whether this contains all times of the other.
    pub fn covers(&self, other: Self) -> bool {
        self.contains(other.from) && self.contains(other.to)
    }

    /// Longer by these numbers of seconds, before and after.
    pub fn pad(self, [before, after]: [UnixSeconds; 2]) -> Self {
        Self {
            from: self.from.saturating_sub(before),
            to: self.to.saturating_add(after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_window_belong_to_it() {
        let window = Window::new(10, 19);
        assert_eq!(window.seconds(), 10);
        assert_eq!(Window::new(10, 10).seconds(), 1);
        assert_eq!(Window::new(0, UnixSeconds::MAX).seconds(), UnixSeconds::MAX);
        for (from, to, overlaps) in [(0, 9, false), (0, 10, true), (12, 13, true)] {
            assert_eq!(window.overlaps(Window::new(from, to)), overlaps);
            assert_eq!(Window::new(from, to).overlaps(window), overlaps);
        }
        assert!(window.overlaps(Window::new(19, 20)) && !window.overlaps(Window::new(20, 30)));
    }
}
