//! The vendor's API over HTTP: tokens, rate limit, concurrency and retries of each request. No other
//! module sends requests to the vendor.
//!
//! [`retry`] decides whether to repeat a request, `throttle` when to send one.

pub mod probe;
pub mod retry;
pub mod tls;
pub mod token_response;

mod api;
mod calls;
mod cause;
mod connection;
mod connection_error;
mod credentials;
mod decode;
mod exchange;
mod failure;
mod no_response;
mod private_trust;
mod redact;
mod report;
mod throttle;
mod token;

use std::time::Duration;

use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, Request};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tracing::debug;

pub use api::Api;
pub use report::{Report, Reporter};

use crate::config::Target;
use crate::model::Inspection;
use crate::process;
use crate::upstream::response::ParseError;
use crate::upstream::{Error, Page, PageRequest, Upstream};
use connection::{api_headers, token_headers};
use credentials::Credentials;
use exchange::{MAX_SMALL_BODY, exchange};
use failure::{Failure, RequestContext};
use retry::{Budgets, RequestOutcome};
use throttle::Throttle;
use tls::Trust;
use token::{TokenCache, renewal_margin};
use token_response::{Token, parse_token_response};

/// Age of a token from which an error that may be about it leads to another one. A persistent error
/// then costs one token a minute.
const MIN_DOUBTED_AGE: Duration = Duration::from_secs(60);

/// A client for one target. Shared by any number of tasks.
pub struct HttpClient {
    target: Target,
    report: Reporter,
    client: reqwest::Client,
    api_headers: HeaderMap,
    credentials: Mutex<Credentials>,
    tokens: TokenCache,
    /// One permit per concurrent request.
    permits: Semaphore,
    /// For pages and tokens.
    throttle: Throttle,
    /// For inspection results.
    inspection_throttle: Throttle,
    budgets: Mutex<Budgets>,
}

/// Why no client can be built.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    /// One setting cannot be used. `reason` never contains a secret value.
    #[error("{key}: {reason}")]
    Setting { key: &'static str, reason: String },
    /// The HTTP client did not start for a reason outside of the configuration.
    #[error("the HTTP client did not start: {0}")]
    Client(String),
}

impl BuildError {
    fn setting(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            key,
            reason: reason.into(),
        }
    }
}

/// Why an attempt at a request did not succeed.
enum Unsuccessful {
    /// The token or secret was refused and has been replaced: repeat at once.
    Renewed,
    /// Repeat after a backoff, if [`retry::backoff`] allows it.
    Failed(Failure),
    /// Do not repeat.
    Final(Error),
}

impl HttpClient {
    /// Sends no request yet. Blocks while it reads certificates.
    ///
    /// # Errors
    ///
    /// If a value of the configuration cannot be used.
    pub fn new(target: Target, trust: &Trust, report: Reporter) -> Result<Self, BuildError> {
        let max_inspections =
            (target.results).map_or(1.0, |results| results.max_requests_per_second);
        Ok(Self {
            client: connection::client(&target, trust)?,
            api_headers: api_headers(&target)?,
            credentials: Mutex::new(Credentials::new(&target)),
            tokens: TokenCache::default(),
            permits: Semaphore::new(target.max_concurrent_requests as usize),
            throttle: Throttle::new(target.max_requests_per_second),
            inspection_throttle: Throttle::new(max_inspections),
            budgets: Mutex::default(),
            target,
            report,
        })
    }

    /// Fetches a token unless there is a valid one.
    ///
    /// # Errors
    ///
    /// If the token service does not provide one.
    pub async fn take_token(&self) -> Result<(), Error> {
        self.token().await.map(drop)
    }

    /// Repeats a request until it succeeds, fails for good or must not be retried. The first attempt
    /// counts as retry number `retries`. The argument of `attempt` allows it to renew the token or
    /// secret, once.
    async fn with_retries<T, F>(
        &self,
        api: Api,
        mut retries: u32,
        attempt: impl Fn(bool) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Unsuccessful>>,
    {
        let mut may_renew = true;
        self.budgets.lock().earn();
        loop {
            match attempt(may_renew).await {
                Ok(value) => return Ok(value),
                Err(Unsuccessful::Renewed) => may_renew = false,
                Err(Unsuccessful::Failed(Failure { outcome, error, .. })) => {
                    let wait = retry::backoff(outcome, retries, error.retry_after, fastrand::f64());
                    let Some(wait) = wait.filter(|_| self.budgets.lock().spend(outcome)) else {
                        return Err(error);
                    };
                    debug!(%error, ?wait, "retrying");
                    (self.report)(Report::Retry(api));
                    sleep(wait).await;
                    retries += 1;
                }
                Err(Unsuccessful::Final(error)) => return Err(error),
            }
        }
    }

    /// What follows from a response to a request with this token.
    fn judge<T>(
        &self,
        sent: Result<T, Failure>,
        token: &Token,
        throttle: &Throttle,
        may_renew: bool,
    ) -> Result<T, Unsuccessful> {
        sent.map_err(|failure| {
            let is_refused = failure.outcome == RequestOutcome::Status(401)
                || (failure.may_be_token && token.received.elapsed() >= MIN_DOUBTED_AGE);
            if is_refused && may_renew {
                self.tokens.invalidate(token);
                return Unsuccessful::Renewed;
            }
            throttle.remember_pause(&failure.error);
            Unsuccessful::Failed(failure)
        })
    }

    async fn token(&self) -> Result<Token, Error> {
        let fetch = |is_early| {
            let retries = if is_early { retry::MAX_RETRIES } else { 0 };
            self.with_retries(Api::Token, retries, |may_renew| {
                self.attempt_token(may_renew)
            })
        };
        self.tokens.get(fetch).await
    }

    async fn attempt_token(&self, may_renew: bool) -> Result<Token, Unsuccessful> {
        let credentials = self.credentials.lock().clone();
        let app_key = self.target.app_key.expose();
        let body = json!({ "app_key": app_key, "app_secret": credentials.app_secret.expose() });
        self.throttle.admit().await;
        let parse = |body: &[u8]| parse_token_response(body, Instant::now());
        let sent = self.send(Api::Token, None, None, &body, MAX_SMALL_BODY, parse);
        match sent.await {
            Ok(token) => {
                self.report_token(token.lifetime);
                Ok(token)
            }
            Err(failure) if failure.outcome == RequestOutcome::Status(401) && may_renew => {
                let Some(new) = credentials.reload(&self.target).await else {
                    return Err(Unsuccessful::Final(failure.error));
                };
                *self.credentials.lock() = new;
                Err(Unsuccessful::Renewed)
            }
            Err(failure) => Err(Unsuccessful::Failed(failure)),
        }
    }

    /// Sends a request, parses the response and reports the outcome. `token`: none for a request for
    /// one. `page`: of the list, from 1.
    async fn send<T>(
        &self,
        api: Api,
        token: Option<&Token>,
        page: Option<u32>,
        body: &Value,
        max_body: usize,
        parse: impl Fn(&[u8]) -> Result<T, ParseError>,
    ) -> Result<T, Failure> {
        let url = api.url(&self.target);
        let mut secrets = self.credentials.lock().secrets.clone();
        let mut request = Request::new(Method::POST, url.clone());
        let headers = request.headers_mut();
        match token {
            Some(token) => {
                headers.clone_from(&self.api_headers);
                headers.insert(AUTHORIZATION, token.header.clone());
                secrets = secrets.with_token(&token.text);
            }
            None => *headers = token_headers(),
        }
        *request.body_mut() = Some(body.to_string().into());
        let context = RequestContext {
            api,
            url: &url,
            page,
            secrets: &secrets,
            target: &self.target,
        };
        let sent = Instant::now();
        let response = exchange(&self.client, &self.report, request, context, max_body).await;
        let took = sent.elapsed();
        let result = response.and_then(|(status, body)| {
            let parsed = parse(&body).map_err(|error| context.parse_failure(&body, &error))?;
            Ok((status, parsed))
        });
        let outcome = match &result {
            Ok((status, _)) => RequestOutcome::Status(*status),
            Err(failure) => failure.outcome,
        };
        (self.report)(Report::Request {
            api,
            code: outcome.to_string(),
            took,
        });
        result.map(|(_, parsed)| parsed)
    }

    fn report_token(&self, lifetime: Duration) {
        // With a clock before 1970 the metric shows that it is wrong.
        let now = process::since_epoch();
        (self.report)(Report::Token {
            expiry: (now + lifetime).as_secs_f64(),
            renewal: (now + lifetime - renewal_margin(lifetime)).as_secs_f64(),
        });
    }
}

impl Upstream for HttpClient {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        let attempt = |may_renew| self.attempt_page(&request, may_renew);
        self.with_retries(Api::Details, 0, attempt).await
    }

    async fn inspection(&self, call_uuid: &str) -> Result<Inspection, Error> {
        // The caller's queue retries failures, so that a failing call holds up no other.
        let attempt = |may_renew| self.attempt_inspection(call_uuid, may_renew);
        self.with_retries(Api::Credit, retry::MAX_RETRIES, attempt)
            .await
    }
}
