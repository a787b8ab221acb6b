//! What happens to a call.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CallType, ManualKind, Measures, Status, UnixSeconds};

/// Something that happened to a call, emitted once. Counters, histograms and window gauges are a
/// fold over the events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A call was seen for the first time. Its type never changes.
    Appeared { call_type: CallType, status: Status },
    /// A call that may have been counted and forgotten is in the lookback again.
    Returned { call_type: CallType, status: Status },
    /// A call in the lookback changed its position.
    Moved {
        call_type: CallType,
        from: Position,
        to: Position,
    },
    /// A call was seen in a final status for the first time.
    Processed {
        call_type: CallType,
        status: Status,
        processing_time: ProcessingTime,
    },
    /// A call was seen as succeeded for the first time, with these measures.
    Succeeded {
        call_type: CallType,
        measures: Measures,
    },
    /// A manual state of a call in the lookback changed.
    ManualStateChanged {
        call_type: CallType,
        kind: ManualKind,
        from: Option<u8>,
        to: Option<u8>,
    },
    /// A call left the lookback and was forgotten.
    Forgotten {
        call_type: CallType,
        position: Position,
        /// The status last seen, if the call was never final.
        never_final: Option<Status>,
    },
}

/// The position of a call in the window gauges. The names of the variants are the format on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Position {
    /// Listed, with the status last seen.
    In(Status),
    /// No longer listed by complete readings of its window.
    Missing,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(status) => status.fmt(f),
            Self::Missing => f.write_str("missing"),
        }
    }
}

/// How the processing of a call ended. `Display` gives the label `outcome`; the names of the
/// variants are the format on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// In status `succeeded`.
    Succeeded,
    /// In any other final status.
    Failed,
}

impl Outcome {
    /// In the order of the exposition.
    pub const ALL: [Self; 2] = [Self::Succeeded, Self::Failed];

    pub fn of(final_status: Status) -> Self {
        match final_status {
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

/// How long the processing of a call took, if that was observed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcessingTime {
    /// Seconds from the upload until the call was first seen in a final status.
    Observed(UnixSeconds),
    /// The call was already final when it was first seen.
    FinalWhenFirstSeen,
    /// The list was not read for so long that the time is not known.
    NotObserved,
}
