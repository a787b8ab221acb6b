//! [`Upstream`] over HTTP: tokens, rate limit, concurrency and retries of each request.

mod inspection;
mod page;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, Request};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tracing::debug;
use url::Url;

pub use super::settings::{BuildError, ClientSettings, ProxySettings, SecretSource};

use super::credentials::{Credentials, CurrentSecret};
use super::exchange::{Exchange, MAX_SMALL_BODY};
use super::failure::{Failure, RequestContext};
use super::request::{api_headers, check_url, token_headers};
use super::response::ParseError;
use super::retry::{self, Budgets, Outcome, Retry};
use super::settings::with_path;
use super::throttle::Throttle;
use super::tls::Trust;
use super::token::{Token, TokenCache, Urgency, renewal_margin};
use super::token_response::{TokenResponse, parse_token_response};
use super::{Api, Error, Page, PageRequest, Report, Reporter, Upstream, connection};
use crate::model::Inspection;

/// Path of the list of calls, from the vendor's documentation.
const DETAILS_PATH: &str = "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details";
/// Path of the inspection result of a call: documented below another service than the list.
const CREDIT_PATH: &str = "/apiaccess/CCISQM/rest/ccisqm/v1/appraisecall/credit";

/// A client for one deployment. Shared by any number of tasks.
pub struct HttpClient {
    settings: ClientSettings,
    report: Reporter,
    client: reqwest::Client,
    details_url: Url,
    inspection_url: Url,
    api_headers: HeaderMap,
    token_headers: HeaderMap,
    credentials: CurrentSecret,
    tokens: TokenCache,
    /// One permit per concurrent request.
    permits: Semaphore,
    /// For pages and tokens.
    throttle: Throttle,
    /// For inspection results.
    inspection_throttle: Throttle,
    budgets: Mutex<Budgets>,
    /// See [`HttpClient::unusable_example`].
    example: Mutex<Option<String>>,
}

/// Why an attempt at a request did not succeed.
enum Unsuccessful {
    /// The token or secret was refused and has been replaced: repeat at once.
    Renewed,
    /// Repeat after a backoff, if [`retry::decide`] allows it.
    Failed(Failure),
    /// Do not repeat.
    Final(Error),
}

impl HttpClient {
    /// Sends no request yet. Blocks while it reads certificates.
    ///
    /// # Errors
    ///
    /// If a setting cannot be used.
    pub fn new(
        settings: ClientSettings,
        trust: &Trust,
        report: Reporter,
    ) -> Result<Self, BuildError> {
        check_url("endpoint", &settings.endpoint)?;
        check_url("token_endpoint", &settings.token_endpoint)?;
        if settings.max_concurrent_requests == 0 {
            let key = "max_concurrent_requests";
            return Err(BuildError::setting(key, "expected at least 1"));
        }
        for (key, rate) in [
            ("max_requests_per_second", settings.max_requests_per_second),
            (
                "results.max_requests_per_second",
                settings.max_inspections_per_second,
            ),
        ] {
            if rate.is_nan() || rate <= 0.0 {
                return Err(BuildError::setting(key, "expected more than 0"));
            }
        }
        let permits = settings.max_concurrent_requests.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            client: connection::client(&settings, trust)?,
            details_url: with_path(&settings.endpoint, DETAILS_PATH),
            inspection_url: with_path(&settings.endpoint, CREDIT_PATH),
            api_headers: api_headers(&settings)?,
            token_headers: token_headers(),
            credentials: CurrentSecret::new(&settings),
            tokens: TokenCache::default(),
            permits: Semaphore::new(permits),
            throttle: Throttle::new(settings.max_requests_per_second),
            inspection_throttle: Throttle::new(settings.max_inspections_per_second),
            budgets: Mutex::default(),
            example: Mutex::default(),
            settings,
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

    /// Describes an unusable row, by names and types of its fields: the first one of the last page
    /// that had any.
    pub fn unusable_example(&self) -> Option<String> {
        self.example.lock().clone()
    }

    /// Repeats a request until it succeeds, fails for good or must not be retried. `attempt` is
    /// told whether it may renew the token or secret, which it may once.
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
                Err(Unsuccessful::Failed(failure)) => {
                    sleep(self.backoff(api, failure, retries)?).await;
                    retries += 1;
                }
                Err(Unsuccessful::Final(error)) => return Err(error),
            }
        }
    }

    /// How long to wait before the next attempt, or the error if there must be none.
    fn backoff(&self, api: Api, failure: Failure, retries: u32) -> Result<Duration, Error> {
        let Failure { outcome, error } = failure;
        let mut budgets = self.budgets.lock();
        let budget = budgets.for_outcome(outcome);
        let jitter = fastrand::f64();
        match retry::decide(
            outcome,
            retries,
            error.retry_after,
            jitter,
            budget.is_left(),
        ) {
            Retry::No => Err(error),
            Retry::After(wait) => {
                budget.spend();
                debug!(%error, ?wait, "retrying");
                (self.report)(Report::Retry(api));
                Ok(wait)
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
            if failure.outcome == Outcome::Status(401) && may_renew {
                self.tokens.invalidate(token);
                return Unsuccessful::Renewed;
            }
            throttle.remember_pause(&failure.error);
            Unsuccessful::Failed(failure)
        })
    }

    fn api_request(&self, url: &Url, token: &Token, body: &Value) -> Request {
        let mut request = Request::new(Method::POST, url.clone());
        *request.headers_mut() = self.api_headers.clone();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token.header.clone());
        *request.body_mut() = Some(body.to_string().into());
        request
    }

    async fn token(&self) -> Result<Token, Error> {
        let fetch = |urgency| {
            let retries = match urgency {
                Urgency::Required => 0,
                Urgency::Early => retry::MAX_RETRIES,
            };
            self.with_retries(Api::Token, retries, |may_renew| {
                self.attempt_token(may_renew)
            })
        };
        self.tokens.get(fetch).await
    }

    async fn attempt_token(&self, may_renew: bool) -> Result<TokenResponse, Unsuccessful> {
        let Credentials {
            app_secret,
            secrets,
        } = self.credentials.get();
        let url = &self.settings.token_endpoint;
        let context = RequestContext {
            api: Api::Token,
            url,
            page: None,
            secrets: &secrets,
            token: None,
            settings: &self.settings,
        };
        let body = json!({ "app_key": self.settings.app_key, "app_secret": app_secret });
        let mut request = Request::new(Method::POST, url.clone());
        *request.headers_mut() = self.token_headers.clone();
        *request.body_mut() = Some(body.to_string().into());
        self.throttle.admit().await;
        let sent = self.send(request, context, MAX_SMALL_BODY, parse_token_response);
        match sent.await {
            Ok(response) => {
                self.report_token(response.lifetime);
                Ok(response)
            }
            Err(failure) if failure.outcome == Outcome::Status(401) && may_renew => {
                match self.credentials.reload(&self.settings, app_secret).await {
                    true => Err(Unsuccessful::Renewed),
                    false => Err(Unsuccessful::Final(failure.error)),
                }
            }
            Err(failure) => Err(Unsuccessful::Failed(failure)),
        }
    }

    /// Sends a request, parses the response and reports the outcome.
    async fn send<T>(
        &self,
        request: Request,
        context: RequestContext<'_>,
        max_body: usize,
        parse: impl Fn(&[u8]) -> Result<T, ParseError>,
    ) -> Result<T, Failure> {
        let exchange = Exchange {
            client: &self.client,
            timeout: self.settings.request_timeout,
            report: &self.report,
        };
        let sent = Instant::now();
        let response = exchange.send(request, context, max_body).await;
        let took = sent.elapsed();
        let (outcome, result) = match response {
            Ok((status, body)) => match parse(&body) {
                Ok(value) => (Outcome::Status(status), Ok(value)),
                Err(error) => {
                    let failure = context.parse_failure(&body, &error);
                    (failure.outcome, Err(failure))
                }
            },
            Err(failure) => (failure.outcome, Err(failure)),
        };
        (self.report)(Report::Request {
            api: context.api,
            code: outcome.to_string(),
            took,
        });
        result
    }

    fn report_token(&self, lifetime: Duration) {
        // With a clock before 1970 the metric shows that it is wrong.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
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
        self.read_inspection(call_uuid).await
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
