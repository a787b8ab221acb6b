//! Why a pull failed.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::store::StoreError;
use crate::upstream::{Error, ErrorKind};

#[derive(Clone, PartialEq, Debug)]
pub enum Failure {
    /// A request failed.
    Upstream(Error),
    /// The commit failed, so what was read is not counted yet.
    Storage(StoreError),
    /// The lookback holds more calls than `max_calls`.
    Full(usize),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Upstream(error)
    }
}

impl Failure {
    /// Every value of the label `reason`.
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
            Self::Storage(_) | Self::Full(_) => "storage",
        }
    }

    pub fn message(&self) -> Cow<'_, str> {
        match self {
            Self::Upstream(error) => Cow::Borrowed(&error.message),
            Self::Storage(error) => Cow::Borrowed(&error.message),
            Self::Full(most) => Cow::Owned(format!(
                "{most} calls are remembered, which is all that max_calls allows: calls uploaded \
                 since then are not counted"
            )),
        }
    }

    /// The likely cause and its remedy, if known.
    pub fn likely_cause(&self) -> Option<&str> {
        match self {
            Self::Upstream(error) => error.likely_cause.as_deref(),
            Self::Storage(error) => error.likely_cause.as_deref(),
            Self::Full(_) => Some(
                "the lookback holds more calls than max_calls: raise it, or shorten lookback; or \
                 the vendor lists calls without end",
            ),
        }
    }

    /// Whether trying again is in vain until a person has changed something.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Upstream(error) => error.kind == ErrorKind::Auth,
            Self::Storage(_) | Self::Full(_) => true,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Upstream(error) => error.retry_after,
            Self::Storage(_) | Self::Full(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        match self.likely_cause() {
            Some(cause) => write!(f, "; likely cause: {cause}"),
            None => Ok(()),
        }
    }
}
