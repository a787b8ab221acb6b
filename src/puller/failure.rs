//! Why a pull failed, if not because of a request.

use crate::store::StoreError;
use crate::upstream::{Error, ErrorKind};

/// Every value of the label `reason`.
pub const FAILURES: [&str; 9] = [
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

/// The commit failed, so what was read is not counted yet.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::new(ErrorKind::Storage, error.message, error.likely_cause)
    }
}

/// The lookback holds more calls than `max_calls`.
pub(super) fn full(max_calls: usize) -> Error {
    let message = format!(
        "{max_calls} calls are remembered, which is all that max_calls allows: calls uploaded \
         since then are not counted"
    );
    let cause = "the lookback holds more calls than max_calls: raise it, or shorten lookback; or the \
                 vendor lists calls without end";
    Error::new(ErrorKind::Storage, message, Some(cause.to_owned()))
}
