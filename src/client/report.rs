//! What the client reports about its requests.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Proxy, Target};

/// The endpoints in use. `Display` gives the label `api`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Api {
    Token,
    /// The list of calls.
    Details,
    /// The inspection result of a call.
    Credit,
}

impl Api {
    /// In the order of the exposition.
    pub const ALL: [Self; 3] = [Self::Credit, Self::Details, Self::Token];

    /// Those that a target uses, depending on whether it reads inspection results.
    pub fn in_use(with_results: bool) -> &'static [Self] {
        &Self::ALL[usize::from(!with_results)..]
    }

    /// The configuration key that determines its URL.
    pub(super) fn endpoint_key(self, target: &Target) -> &'static str {
        match self {
            Self::Token if target.has_own_token_endpoint() => "token_endpoint",
            Self::Token | Self::Details | Self::Credit => "endpoint",
        }
    }

    pub(super) fn proxy(self, target: &Target) -> Option<&Proxy> {
        match self {
            Self::Token => target.token_proxy.as_ref(),
            Self::Details | Self::Credit => target.proxy.as_ref(),
        }
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Details => "details",
            Self::Credit => "credit",
        })
    }
}

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
