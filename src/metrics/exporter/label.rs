//! Values of labels that are known from the start, so that their series start at 0.

/// Why a window of the list is not proved complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnprovenReason {
    /// Its total and its rows disagree.
    Total,
    /// It cannot be read.
    Unreadable,
    /// Two readings differ.
    Changing,
}

impl UnprovenReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Total, Self::Unreadable, Self::Changing];

    /// The label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Unreadable => "unreadable",
            Self::Changing => "changing",
        }
    }
}

/// How a request for an inspection result ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResultOutcome {
    Counted,
    /// The call was inspected for no scenario.
    Empty,
    /// Failed, and tried again later.
    Failed,
    /// Given up, because the call left the lookback.
    Expired,
}

impl ResultOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Counted, Self::Empty, Self::Failed, Self::Expired];

    /// The label `outcome`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Empty => "empty",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}
