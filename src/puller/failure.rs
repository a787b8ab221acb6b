//! Why a pull failed, and what the failure says to whom.

use std::fmt;
use std::time::Duration;

use crate::store::StoreError;
use crate::upstream::Error;

/// Why a pull failed.
#[derive(Clone, PartialEq, Debug)]
pub enum Failure {
    /// The vendor, or the way to it.
    Upstream(Error),
    /// What was read could not be kept, so it is not counted yet.
    Storage(StoreError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Upstream(error)
    }
}

impl Failure {
    /// Every label `reason` there is.
    pub const LABELS: [&str; 9] = [
        "auth",
        "rate_limit",
        "timeout",
        "connect",
        "server",
        "body",
        "envelope",
        "storage",
        "paging",
    ];

    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Upstream(error) => error.kind.label(),
            Self::Storage(_) => "storage",
        }
    }

    /// What happened.
    pub fn message(&self) -> &str {
        match self {
            Self::Upstream(error) => &error.message,
            Self::Storage(error) => &error.message,
        }
    }

    /// Why that is most likely, and what to look at, if it can be told.
    pub fn likely_cause(&self) -> Option<&str> {
        match self {
            Self::Upstream(error) => error.likely_cause.as_deref(),
            Self::Storage(error) => error.likely_cause.as_deref(),
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Upstream(error) => error.retry_after,
            Self::Storage(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(error) => error.fmt(f),
            Self::Storage(error) => error.fmt(f),
        }
    }
}
