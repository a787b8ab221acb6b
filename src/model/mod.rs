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
pub use text::{cause_suffix, label_text, shortened};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 UTC. 32 bits last until the year 2106 and halve the ledger's size.
pub type UnixSeconds = u32;

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

    /// Longer by these numbers of seconds, before and after.
    pub fn pad(self, [before, after]: [UnixSeconds; 2]) -> Self {
        Self {
            from: self.from.saturating_sub(before),
            to: self.to.saturating_add(after),
        }
    }
}
