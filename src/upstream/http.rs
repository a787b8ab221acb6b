//! [`Upstream`] over HTTP: tokens, rate limit, concurrency and retries of each request.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, Request};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;
use url::Url;

pub use super::settings::{BuildError, ClientSettings, ProxySettings, SecretSource};

use super::credentials::{Credentials, CurrentSecret};
use super::exchange::{Exchange, MAX_SMALL_BODY};
use super::failure::{Failure, RequestContext};
use super::rate_limit::RateLimiter;
use super::request::{check_url, details_headers, token_headers};
use super::response::{PageRules, ParseError, ParsedPage};
use super::retry::{self, Budgets, Outcome, Retry};
use super::settings::with_path;
use super::tls::Trust;
use super::token::{Token, TokenCache, Urgency, renewal_margin};
use super::token_response::{TokenResponse, parse_token_response};
use super::{Api, Error, Filter, Page, PageRequest, Report, Reporter, Upstream, connection};

/// Path of the list of calls, from the vendor's documentation.
const DETAILS_PATH: &str = "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details";
/// A row has about 800 bytes; `limit` may count groups of several.
const MAX_BYTES_PER_ROW: usize = 16 << 10;
const MIN_PAGE_BYTES: usize = 1 << 20;
const MAX_PAGE_BYTES: usize = 64 << 20;
/// Accepted rows per requested row, since `limit` may count groups.
const MAX_ROWS_PER_ROW: usize = 20;
/// Accepted in addition, for small limits.
const SPARE_ROWS: usize = 1000;

/// A client for one deployment. Shared by any number of tasks.
pub struct HttpClient {
    settings: ClientSettings,
    report: Reporter,
    client: reqwest::Client,
    details_url: Url,
    details_headers: HeaderMap,
    token_headers: HeaderMap,
    credentials: CurrentSecret,
    tokens: TokenCache,
    /// One permit per concurrent request.
    permits: Semaphore,
    rate_limiter: Mutex<RateLimiter>,
    budgets: Mutex<Budgets>,
    /// The end of the vendor's `Retry-After`, and the failure that it came with.
    pause: Mutex<Option<(Instant, Error)>>,
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
        if settings.max_requests_per_second.is_nan() || settings.max_requests_per_second <= 0.0 {
            let key = "max_requests_per_second";
            return Err(BuildError::setting(key, "expected more than 0"));
        }
        let permits = settings.max_concurrent_requests.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            client: connection::client(&settings, trust)?,
            details_url: with_path(&settings.endpoint, DETAILS_PATH),
            details_headers: details_headers(&settings)?,
            token_headers: token_headers(),
            credentials: CurrentSecret::new(&settings),
            tokens: TokenCache::default(),
            permits: Semaphore::new(permits),
            rate_limiter: Mutex::new(RateLimiter::new(settings.max_requests_per_second)),
            budgets: Mutex::default(),
            pause: Mutex::default(),
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

    async fn attempt_page(
        &self,
        request: &PageRequest,
        may_renew: bool,
    ) -> Result<Page, Unsuccessful> {
        // The semaphore is never closed. The token is fetched after it: one from before the wait
        // might have expired. The permit is released before a backoff.
        let _permit = self.permits.acquire().await;
        self.wait_for_pause().await.map_err(Unsuccessful::Final)?;
        let token = self.token().await.map_err(Unsuccessful::Final)?;
        match self.send_page_request(request, &token).await {
            Ok(page) => Ok(page),
            Err(failure) if failure.outcome == Outcome::Status(401) && may_renew => {
                self.tokens.invalidate(&token);
                Err(Unsuccessful::Renewed)
            }
            Err(failure) => {
                self.remember_pause(&failure.error);
                Err(Unsuccessful::Failed(failure))
            }
        }
    }

    async fn send_page_request(
        &self,
        page_request: &PageRequest,
        token: &Token,
    ) -> Result<Page, Failure> {
        let status = match page_request.filter {
            Filter::All => &self.settings.status_codes,
            Filter::Pending => &self.settings.pending_codes,
        };
        let body = json!({
            "upload_from": page_request.window.from,
            "upload_to": page_request.window.to,
            "call_types": self.settings.call_types,
            "status": status,
            "limit": page_request.limit,
            "page": page_request.page,
        });
        let mut request = Request::new(Method::POST, self.details_url.clone());
        *request.headers_mut() = self.details_headers.clone();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token.header.clone());
        *request.body_mut() = Some(body.to_string().into());
        let secrets = self.credentials.get().secrets;
        let context = RequestContext {
            api: Api::Details,
            url: &self.details_url,
            page: Some(page_request.page),
            secrets: &secrets,
            token: Some(token.text()),
            settings: &self.settings,
        };
        let rules = PageRules {
            page: page_request.page,
            max_rows: max_rows(page_request.limit),
            success_codes: &self.settings.success_codes,
            keep_texts: self.settings.keep_texts,
        };
        let parse = |body: &[u8]| rules.parse(body);
        let max_body = max_page_bytes(page_request.limit);
        let ParsedPage { page, example } = self.send(request, context, max_body, parse).await?;
        if example.is_some() {
            *self.example.lock() = example;
        }
        Ok(page)
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

    /// Sends a request when the rate limit allows it, parses the response and reports the outcome.
    async fn send<T>(
        &self,
        request: Request,
        context: RequestContext<'_>,
        max_body: usize,
        parse: impl Fn(&[u8]) -> Result<T, ParseError>,
    ) -> Result<T, Failure> {
        let start = self.rate_limiter.lock().reserve(Instant::now().into_std());
        sleep_until(start.into()).await;
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

    /// Makes all tasks pause requests for pages until the error's `Retry-After` is over.
    fn remember_pause(&self, error: &Error) {
        let Some(wait) = error.retry_after.filter(|wait| !wait.is_zero()) else {
            return;
        };
        let end = Instant::now() + wait;
        let mut pause = self.pause.lock();
        if pause.as_ref().is_none_or(|(until, _)| *until < end) {
            *pause = Some((end, error.clone()));
        }
    }

    /// Waits for the end of a pause, or fails if that is too long.
    async fn wait_for_pause(&self) -> Result<(), Error> {
        let Some((end, error)) = self.pause.lock().clone() else {
            return Ok(());
        };
        let remaining = end.saturating_duration_since(Instant::now());
        if remaining > retry::MAX_WAIT {
            return Err(Error {
                retry_after: Some(remaining),
                ..error
            });
        }
        sleep(remaining).await;
        Ok(())
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
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Limit on the decompressed size of a page.
fn max_page_bytes(limit: u32) -> usize {
    (limit as usize)
        .saturating_mul(MAX_BYTES_PER_ROW)
        .clamp(MIN_PAGE_BYTES, MAX_PAGE_BYTES)
}

fn max_rows(limit: u32) -> usize {
    (limit as usize)
        .saturating_mul(MAX_ROWS_PER_ROW)
        .saturating_add(SPARE_ROWS)
}
