//! What the client reports about its requests.

use std::sync::Arc;
use std::time::Duration;

use super::api::Api;

/// An event in the client, from which the caller updates its metrics.
#[derive(Clone, PartialEq, Debug)]
pub enum Report {
    /// A request ended. `code` is the HTTP status, or `timeout`, `connect`, `body`, `envelope`.
    Request {
        api: Api,
        code: String,
        /// From sending the request to the last byte of the response.
        took: Duration,
    },
    /// A token was received. Times are Unix seconds of the local clock.
    Token {
        expiry: f64,
        /// The first request after this renews the token.
        renewal: f64,
    },
    /// A failed request is about to be sent again.
    Retry(Api),
    /// Seconds by which the local clock is ahead of the vendor's, from a response's `Date`.
    ClockSkew(f64),
}

/// Receives the client's reports. Called on its tasks, so it must not block.
pub type Reporter = Arc<dyn Fn(Report) + Send + Sync>;
