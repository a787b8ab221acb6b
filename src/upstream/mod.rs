//! The vendor's API: the only layer that talks to it.
//!
//! [`Upstream`] is what the puller asks for; [`http`] answers it from the real service. Bytes
//! become records in [`wire`], apart from any socket; pages of a window come from [`pages`];
//! whether and when to try again is decided by [`retry`], how soon by [`pace`], both pure.

pub mod http;
pub mod page_size;
pub mod pages;
pub mod probe;
pub mod rate_limit;
pub mod response;
pub mod retry;
pub mod tls;
pub mod token;
pub mod token_response;

mod cause;
mod connection;
mod credentials;
mod decode;
mod diagnose;
mod exchange;
mod failure;
mod pinned;
mod redact;
mod request;
mod settings;

use std::fmt;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::model::{CallId, Record, Rejection, Window};

/// Which calls of a window to ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    /// Every status that is asked for at all.
    All,
    /// Only those in which a call does not rest. Rows leave such a list while it is read, so it is
    /// a hint and never a proof.
    Pending,
}

/// One page of the list of calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// Upload time of the calls asked for.
    pub window: Window,
    /// Their statuses.
    pub filter: Filter,
    /// Page number, from 1.
    pub page: u32,
    /// Rows a page; the vendor may give fewer, or more where it counts groups.
    pub limit: u32,
}

/// The vendor's answer to a [`PageRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// How many calls the vendor says the whole window holds; `None` where it does not say.
    pub total: Option<u64>,
    /// Those of this page that can be used.
    pub records: Vec<Record>,
    /// Rows of this page that cannot be used, and values of rows that can.
    pub rejected: Vec<Rejected>,
    /// Call groups on this page: `limit` may count these instead of calls.
    pub groups: u32,
    /// Calls that have both identities, `call_uuid` and another `call_id`. The first may have come
    /// later: then the call is known by the second.
    pub renamed: Vec<(CallId, CallId)>,
}

/// A row, or a value of one, that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rejected {
    /// Why.
    pub reason: Rejection,
    /// The same for the same row or value in each reading, so that it is counted once.
    pub fingerprint: u64,
}

impl Rejected {
    /// `row` is what tells the row from others: its identity, or its fields where it has none.
    pub fn new(reason: Rejection, row: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        (reason, row).hash(&mut hasher);
        Self {
            reason,
            fingerprint: hasher.finish(),
        }
    }
}

impl Page {
    /// Rows that could not be used at all.
    pub fn unusable(&self) -> u64 {
        let rows = self.rejected.iter();
        rows.filter(|rejected| rejected.reason != Rejection::Measure)
            .count() as u64
    }

    /// Rows the vendor sent, usable or not.
    pub fn rows(&self) -> u64 {
        self.records.len() as u64 + self.unusable()
    }

    /// Whether the vendor sent no row: the list ends before this page.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }
}

/// What a vendor can do for the puller.
pub trait Upstream: Send + Sync + 'static {
    /// Reads one page, with whatever tokens and retries that takes.
    fn page(&self, request: PageRequest) -> impl Future<Output = Result<Page, Error>> + Send;
}

/// What went wrong, by what can be done about it. [`ErrorKind::label`] gives the label `reason`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ErrorKind {
    /// 401 or 403: credentials, allow list.
    Auth,
    /// 429: asked too often.
    RateLimit,
    /// No answer in time.
    Timeout,
    /// No connection, or one that broke before a status came.
    Connect,
    /// 500: the vendor's service failed, perhaps at what was asked for.
    Server,
    /// Any other HTTP status that is not success, as of a gateway. Reported as `server`.
    Unavailable,
    /// An answer that broke off, is too large or cannot be read.
    Body,
    /// 200 with an error inside.
    Envelope,
    /// 400: the vendor did not like the request, which may be its `limit`. Reported as `server`.
    BadRequest,
    /// A list without calls, though its total promises many. Reported as `envelope`.
    Contradiction,
}

impl ErrorKind {
    /// The label `reason` of `cec_exporter_pull_failures_total`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::RateLimit => "rate_limit",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Server | Self::Unavailable | Self::BadRequest => "server",
            Self::Body => "body",
            Self::Envelope | Self::Contradiction => "envelope",
        }
    }
}

/// A failure of the vendor's, told so that the reader knows what to do. Never holds a secret.
///
/// `Display` tells both what happened and the likely cause, on one line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// What can be done about it.
    pub kind: ErrorKind,
    /// One line for a person: the request, and what came.
    pub message: String,
    /// One line for a person: why that is most likely, and what to look at; `None` where that
    /// cannot be told.
    pub likely_cause: Option<String>,
    /// How long the vendor asked to be left alone.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// A list without a row, though its total promises some.
    pub fn empty_list(total: u64) -> Self {
        Self {
            kind: ErrorKind::Contradiction,
            message: format!("answered 200 without calls, though paging.total is {total}"),
            likely_cause: Some(
                "user_id may not see the calls, or the vendor's service is in trouble".into(),
            ),
            retry_after: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.likely_cause {
            Some(cause) => write!(f, "; likely cause: {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// One of the vendor's two interfaces. `Display` gives the label `api`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Api {
    /// Where tokens come from.
    Token,
    /// The list of calls.
    Details,
}

impl Api {
    /// Both, in the order of the exposition.
    pub const ALL: [Self; 2] = [Self::Details, Self::Token];
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token",
            Self::Details => "details",
        })
    }
}

/// What the client tells about itself while it works; the metrics are made of it.
#[derive(Clone, PartialEq, Debug)]
pub enum Report {
    /// One request has ended. `code` is the HTTP status, or `timeout`, `connect`, `body`,
    /// `envelope`.
    Request {
        /// Which interface.
        api: Api,
        /// How it ended.
        code: String,
        /// From sending it to the last byte of its answer.
        took: Duration,
    },
    /// A token was received. Moments of the local clock, Unix seconds.
    Token {
        /// Until when it is good.
        expiry: f64,
        /// The first request from then on renews it.
        renewal: f64,
    },
    /// A request that failed is about to be sent again.
    Retry(Api),
    /// An answer has said what time it is for the vendor: the local clock is this many seconds
    /// ahead.
    ClockSkew(f64),
}

/// Takes the client's reports; called on its tasks, so it must be quick.
pub type Reporter = std::sync::Arc<dyn Fn(Report) + Send + Sync>;
