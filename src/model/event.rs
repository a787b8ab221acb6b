//! What happens to a call, and where it stands.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CallType, ManualKind, Measures, Status, UnixSeconds};

/// Where a remembered call stands: in a status, or no longer in the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Position {
    /// In the status last seen.
    In(Status),
    /// A complete reading of its window no longer returned it.
    Missing,
}

/// As the status page names it.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(status) => status.fmt(f),
            Self::Missing => f.write_str("missing"),
        }
    }
}

/// How the processing of a call ended. `Display` gives the label `outcome`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// In status `succeeded`.
    Succeeded,
    /// In any other final status.
    Failed,
}

impl Outcome {
    /// Both, in the order of the exposition.
    pub const ALL: [Self; 2] = [Self::Succeeded, Self::Failed];

    /// The outcome that a final status stands for.
    pub fn of(status: Status) -> Self {
        match status {
            Status::SUCCEEDED => Self::Succeeded,
            _ => Self::Failed,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        })
    }
}

/// What is known of the time that the processing of a call took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Processing {
    /// Seconds from its upload until it was first seen final.
    Took(UnixSeconds),
    /// The call was final when it was first seen.
    BeforeFirstSeen,
    /// Nobody looked at the call for so long that the moment cannot be told.
    NotObserved,
}

impl Processing {
    /// The time that it took is not to be trusted.
    pub fn forget(&mut self) {
        if let Self::Took(_) = self {
            *self = Self::NotObserved;
        }
    }
}

/// What happened to a call, told once. All counters, histograms and gauges are a fold over these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A call was seen for the first time.
    Appeared {
        /// Its type, for good.
        call_type: CallType,
        /// Where it was found.
        status: Status,
    },
    /// A call in the lookback was seen that has been counted and forgotten before.
    Returned {
        /// Its type.
        call_type: CallType,
        /// Where it was found.
        status: Status,
    },
    /// A call in the lookback changed its position.
    Moved {
        /// Its type.
        call_type: CallType,
        /// Where it stood.
        from: Position,
        /// Where it stands now.
        to: Position,
    },
    /// A call was seen in a final status for the first time.
    Processed {
        /// Its type.
        call_type: CallType,
        /// The first final status.
        status: Status,
        /// How long that took.
        processing: Processing,
    },
    /// A call was seen as succeeded for the first time.
    Succeeded {
        /// Its type.
        call_type: CallType,
        /// What was measured by then.
        measures: Measures,
    },
    /// A manual state of a call in the lookback changed.
    Manual {
        /// Its type.
        call_type: CallType,
        /// Which of the three.
        kind: ManualKind,
        /// The state it had.
        from: Option<u8>,
        /// The state it has.
        to: Option<u8>,
    },
    /// A call is older than the lookback and was forgotten.
    Left {
        /// Its type.
        call_type: CallType,
        /// Where it stood.
        position: Position,
        /// The status last seen, if the call was never final.
        never_final: Option<Status>,
    },
}
