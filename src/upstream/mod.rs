//! What the puller reads from the vendor, and how its list is read.
//!
//! [`Upstream`] is what the puller uses; `client/` implements it over HTTP. [`pages`] reads the list
//! of one window page by page. [`response`] parses bodies and does no I/O.

pub mod page_size;
pub mod pages;
pub mod response;

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::model::{CallId, Inspection, Record, Rejection, Window, cause_suffix};

/// Which calls of a window to request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    /// All configured statuses.
    All,
    /// Only statuses that are not final. Rows leave such a list while it is read, so it is a hint
    /// and never proves anything.
    Pending,
}

/// A request for one page of the list of calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// Upload times of the calls.
    pub window: Window,
    pub filter: Filter,
    /// From 1.
    pub page: u32,
    /// Rows per page. The vendor may return fewer, or more if it counts groups.
    pub limit: u32,
}

/// The response to a [`PageRequest`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// Calls in the whole window according to the vendor; `None` if the response has no total.
    pub total: Option<u64>,
    /// The usable rows.
    pub records: Vec<Record>,
    /// Rows that cannot be used, and unusable values of usable rows.
    pub rejected: Vec<Rejected>,
    /// Calls on rows whose upload time cannot be used: they are listed all the same.
    pub undated: Vec<CallId>,
    /// Whether upload times have fractions of a second.
    pub has_fractions: bool,
    /// Call groups on this page: `limit` may count these instead of calls.
    pub groups: u32,
    /// Pairs of `call_uuid` and a different `call_id` of the same call. If the `call_uuid` appeared
    /// later, earlier pages identified the call by its `call_id`. It need not be unique: the calls of a
    /// group may share it.
    pub renamed: Vec<(CallId, CallId)>,
    /// What is wrong with the first unusable row, by names and types of its fields.
    pub example: Option<String>,
}

/// A row, or a value of a row, that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rejected {
    pub reason: Rejection,
    /// Identical each time the same row or value is read, so that it is counted once.
    pub fingerprint: u64,
}

impl Rejected {
    /// `key` distinguishes the row from others: its identity, or its text if it has none.
    pub fn new(reason: Rejection, key: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        (reason, key).hash(&mut hasher);
        Self {
            reason,
            fingerprint: hasher.finish(),
        }
    }
}

impl Page {
    /// Number of rows that cannot be used at all.
    pub fn unusable(&self) -> u64 {
        let rows = self.rejected.iter();
        rows.filter(|rejected| rejected.reason != Rejection::Measure)
            .count() as u64
    }

    /// Number of rows, usable or not.
    pub fn rows(&self) -> u64 {
        self.records.len() as u64 + self.unusable()
    }

    /// Whether the page has no rows: the list ends before it.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }
}

/// Source of pages and inspection results; implemented by the HTTP client and by fakes in tests.
pub trait Upstream: Send + Sync + 'static {
    /// Reads one page. Token renewal and retries happen inside.
    fn page(&self, request: PageRequest) -> impl Future<Output = Result<Page, Error>> + Send;

    /// Reads what the inspection of a call found: nothing if the vendor has no result for it. Token
    /// renewal happens inside; to retry is up to the caller.
    ///
    /// No error is permanent: the vendor documents 404 for a wrong path alone, and 500 for each
    /// failure of its service, so a call that it does not know looks like an outage. See
    /// [`ErrorKind::is_general`].
    fn inspection(&self, call_uuid: &str)
    -> impl Future<Output = Result<Inspection, Error>> + Send;
}

/// What went wrong, by what the caller can do about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ErrorKind {
    /// 401 or 403.
    Auth,
    /// 429.
    RateLimit,
    /// No complete response in time.
    Timeout,
    /// No connection, or it broke before a status arrived.
    Connect,
    /// 500: the service failed, possibly because of the requested window.
    Server,
    /// Any other unsuccessful status, such as a gateway's. Reported as `server`.
    Unavailable,
    /// A body that was cut off, is too large or cannot be parsed.
    Body,
    /// 200 with an error in the body.
    Envelope,
    /// 400, 413 or 422: the vendor rejected the request, possibly because of its `limit` or call.
    /// Reported as `server`.
    BadRequest,
    /// No calls although the total promises some. Reported as `envelope`.
    Contradiction,
    /// No failure of a request: what was read cannot be stored.
    Storage,
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
            Self::Storage => "storage",
        }
    }

    /// Whether the vendor refuses every request for now.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Auth | Self::RateLimit)
    }

    /// Whether the failure may depend on the window, so that another window may succeed. One row can
    /// make the vendor hang or break the connection, as an outage does.
    pub fn may_be_local(self) -> bool {
        !self.is_refusal() && self != Self::Storage
    }

    /// Whether trying again is in vain until a person has changed something.
    pub fn is_permanent(self) -> bool {
        matches!(self, Self::Auth | Self::Storage)
    }

    /// Whether the failure is probably one of key, network, gateway or load, so that a request for
    /// another call would fail too.
    pub fn is_general(self) -> bool {
        self.is_refusal() || matches!(self, Self::Timeout | Self::Connect | Self::Unavailable)
    }

    /// Whether a `limit` that is too large may be the cause, if other requests succeed. A
    /// [`ErrorKind::BadRequest`] is taken for that at once.
    pub fn may_be_limit(self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::Connect | Self::Server | Self::Unavailable | Self::Envelope
        )
    }
}

/// A failed request or pull, described for an operator on one line. Never contains a secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}{}", cause_suffix(.likely_cause))]
pub struct Error {
    pub kind: ErrorKind,
    /// The request and what came back.
    pub message: String,
    /// Why it most likely failed and what to check; `None` if unknown.
    pub likely_cause: Option<String>,
    /// How long the vendor asked the client to wait.
    pub retry_after: Option<Duration>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: String, likely_cause: Option<String>) -> Self {
        Self {
            kind,
            message,
            likely_cause,
            retry_after: None,
        }
    }

    /// Rows of which none can be used; `example` says what is wrong with the first.
    pub fn unusable(message: String, example: Option<String>) -> Self {
        let cause = example.unwrap_or_else(|| "the vendor has changed its format".to_owned());
        Self::new(ErrorKind::Body, message, Some(cause))
    }

    /// An empty list although its total promises calls.
    pub fn empty_list(total: u64) -> Self {
        let message = format!("answered 200 without calls, though paging.total is {total}");
        let cause = "user_id may not see the calls, or the vendor's service has a fault";
        Self::new(ErrorKind::Contradiction, message, Some(cause.to_owned()))
    }
}
