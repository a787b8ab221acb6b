//! [`Upstream`] over HTTP: headers, bodies, token, pace and retries of each request.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, Request};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;
use url::Url;

pub use super::settings::{BuildError, ClientSettings, ProxySettings, SecretSource};

use super::credentials::{Credentials, CurrentSecret};
use super::exchange::{Exchange, SMALL_BODY};
use super::failure::{Failure, RequestContext};
use super::rate_limit::RateLimiter;
use super::request::{check_address, details_headers, token_headers};
use super::response::{PageRules, Reading, Unreadable};
use super::retry::{self, Budgets, Outcome, Retry};
use super::tls::Trust;
use super::token::{Need, Token, TokenCache, renewed_ahead};
use super::token_response::{TokenResponse, parse_token_response};
use super::{Api, Error, Filter, Page, PageRequest, Report, Reporter, Upstream, connection};

/// Path of the list of calls, from the vendor's documentation.
const DETAILS_PATH: &str = "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details";
/// Bytes of a page: some 800 make a row, and groups may hold several.
const BYTES_A_ROW: usize = 16 << 10;
const MIN_PAGE: usize = 1 << 20;
const MAX_PAGE: usize = 64 << 20;
/// Rows of a page for each that was asked for, since `limit` may count groups; and for small pages.
const ROWS_A_ROW: usize = 20;
const MIN_ROWS: usize = 1000;

/// A client of one deployment, for any number of tasks at once.
pub struct HttpClient {
    settings: ClientSettings,
    report: Reporter,
    client: reqwest::Client,
    details_url: Url,
    details_headers: HeaderMap,
    token_headers: HeaderMap,
    credentials: CurrentSecret,
    tokens: TokenCache,
    /// One permit for each request that may be under way.
    slots: Semaphore,
    pace: Mutex<RateLimiter>,
    budgets: Mutex<Budgets>,
    /// The vendor's wish to be left alone: until when, and the failure that came with it.
    hold: Mutex<Option<(Instant, Error)>>,
    /// What is wrong with a row of the last page that had one that cannot be used.
    example: Mutex<Option<String>>,
}

impl HttpClient {
    /// Makes a client, which does not talk to anybody yet. Reads certificates, so it blocks.
    ///
    /// # Errors
    ///
    /// If a setting cannot be used: it cannot be sent in a header, is no address that can be
    /// asked, is a limit of nothing, or is a `ca_file` without certificates.
    pub fn new(
        settings: ClientSettings,
        trust: &Trust,
        report: Reporter,
    ) -> Result<Self, BuildError> {
        check_address("endpoint", &settings.endpoint)?;
        check_address("token_endpoint", &settings.token_endpoint)?;
        if settings.max_concurrent_requests == 0 {
            return Err(BuildError::setting(
                "max_concurrent_requests",
                "expected at least 1",
            ));
        }
        if settings.max_requests_per_second.is_nan() || settings.max_requests_per_second <= 0.0 {
            return Err(BuildError::setting(
                "max_requests_per_second",
                "expected more than 0",
            ));
        }
        let mut details_url = settings.endpoint.clone();
        details_url.set_query(None);
        details_url.set_path(&format!(
            "{}{DETAILS_PATH}",
            details_url.path().trim_end_matches('/')
        ));
        let permits = settings.max_concurrent_requests.min(Semaphore::MAX_PERMITS);
        Ok(Self {
            client: connection::client(&settings, trust)?,
            details_url,
            details_headers: details_headers(&settings)?,
            token_headers: token_headers(),
            credentials: CurrentSecret::new(&settings),
            tokens: TokenCache::default(),
            slots: Semaphore::new(permits),
            pace: Mutex::new(RateLimiter::new(settings.max_requests_per_second)),
            budgets: Mutex::default(),
            hold: Mutex::default(),
            example: Mutex::default(),
            settings,
            report,
        })
    }

    /// Sees to it that there is a token, as the next page would.
    ///
    /// # Errors
    ///
    /// If none can be had.
    pub async fn take_token(&self) -> Result<(), Error> {
        self.token().await.map(drop)
    }

    /// What is wrong with a row of the last page that had one that cannot be used: names and types
    /// of its fields.
    pub fn unusable_example(&self) -> Option<String> {
        lock(&self.example).clone()
    }

    /// One attempt at a page, with a token that has been accepted so far.
    async fn details(&self, wanted: &PageRequest, token: &Token) -> Result<Page, Failure> {
        let status = match wanted.filter {
            Filter::All => &self.settings.status_codes,
            Filter::Pending => &self.settings.pending_codes,
        };
        let body = json!({
            "upload_from": wanted.window.from,
            "upload_to": wanted.window.to,
            "call_types": self.settings.call_types,
            "status": status,
            "limit": wanted.limit,
            "page": wanted.page,
        });
        let mut request = Request::new(Method::POST, self.details_url.clone());
        *request.headers_mut() = self.details_headers.clone();
        request
            .headers_mut()
            .insert(AUTHORIZATION, token.header.clone());
        *request.body_mut() = Some(body.to_string().into());
        let secrets = self.credentials.get().secrets;
        let subject = RequestContext {
            api: Api::Details,
            url: &self.details_url,
            page: Some(wanted.page),
            secrets: &secrets,
            token: Some(token.bare()),
            settings: &self.settings,
        };
        let rules = PageRules {
            page: wanted.page,
            max_rows: most_rows(wanted.limit),
            success_codes: &self.settings.success_codes,
        };
        let read = |body: &[u8]| rules.read(body);
        let longest = longest_page(wanted.limit);
        let Reading { page, example } = self.request(request, subject, longest, read).await?;
        if example.is_some() {
            *lock(&self.example) = example;
        }
        Ok(page)
    }

    async fn token(&self) -> Result<Token, Error> {
        self.tokens.get(|need| self.fetch_token(need)).await
    }

    async fn fetch_token(&self, need: Need) -> Result<TokenResponse, Error> {
        let url = &self.settings.token_endpoint;
        let mut made = match need {
            Need::Now => 0,
            Need::Ahead => retry::MAX_RETRIES,
        };
        let mut read_anew = false;
        self.budgets().earn();
        loop {
            let Credentials {
                app_secret,
                secrets,
            } = self.credentials.get();
            let subject = RequestContext {
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
            match self
                .request(request, subject, SMALL_BODY, parse_token_response)
                .await
            {
                Ok(grant) => {
                    self.report_token(grant.lifetime);
                    return Ok(grant);
                }
                Err(failure) if failure.outcome == Outcome::Status(401) && !read_anew => {
                    read_anew = true;
                    if !self.credentials.read_anew(&self.settings, app_secret).await {
                        return Err(failure.error);
                    }
                }
                Err(failure) => {
                    sleep(self.wait_before_retry(subject.api, failure, made)?).await;
                    made += 1;
                }
            }
        }
    }

    /// Sends a request when its turn has come, reads the answer and reports how it ended.
    async fn request<T>(
        &self,
        request: Request,
        subject: RequestContext<'_>,
        longest_body: usize,
        parse: impl Fn(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, Failure> {
        let turn = lock(&self.pace).next(Instant::now().into_std());
        sleep_until(turn.into()).await;
        let line = Exchange {
            client: &self.client,
            timeout: self.settings.request_timeout,
            report: &self.report,
        };
        let sent = Instant::now();
        let answer = line.exchange(request, subject, longest_body).await;
        let took = sent.elapsed();
        let result = match answer {
            Ok((status, body)) => match parse(&body) {
                Ok(value) => Ok((Outcome::Status(status), value)),
                Err(unreadable) => Err(subject.unreadable(&body, &unreadable)),
            },
            Err(failure) => Err(failure),
        };
        let outcome = match &result {
            Ok((outcome, _)) => *outcome,
            Err(failure) => failure.outcome,
        };
        (self.report)(Report::Request {
            api: subject.api,
            code: outcome.to_string(),
            took,
        });
        result.map(|(_, value)| value)
    }

    /// How long to wait before the request is tried again, or the error if it is not.
    fn wait_before_retry(&self, api: Api, failure: Failure, made: u32) -> Result<Duration, Error> {
        let mut budgets = self.budgets();
        let budget = budgets.after(failure.outcome);
        let retry_after = failure.error.retry_after;
        let jitter = fastrand::f64();
        match retry::decide(failure.outcome, made, retry_after, jitter, budget.is_left()) {
            Retry::No => Err(failure.error),
            Retry::After(wait) => {
                budget.spend();
                debug!(error = %failure.error, ?wait, "trying again");
                (self.report)(Report::Retry(api));
                Ok(wait)
            }
        }
    }

    /// Remembers for how long the list must not be asked for, by any task.
    fn remember_hold(&self, error: &Error) {
        let Some(wait) = error.retry_after.filter(|wait| !wait.is_zero()) else {
            return;
        };
        let until = Instant::now() + wait;
        let mut hold = lock(&self.hold);
        if hold.as_ref().is_none_or(|(held, _)| *held < until) {
            *hold = Some((until, error.clone()));
        }
    }

    /// Waits until the vendor wants to be asked again, if that is soon.
    async fn wait_out_hold(&self) -> Result<(), Error> {
        let Some((until, error)) = lock(&self.hold).clone() else {
            return Ok(());
        };
        let left = until.saturating_duration_since(Instant::now());
        if left > retry::MAX_WAIT {
            return Err(Error {
                retry_after: Some(left),
                ..error
            });
        }
        sleep(left).await;
        Ok(())
    }

    fn report_token(&self, lifetime: Duration) {
        // A clock before 1970 is wrong; the metric then shows it.
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        (self.report)(Report::Token {
            expiry: (now + lifetime).as_secs_f64(),
            renewal: (now + lifetime - renewed_ahead(lifetime)).as_secs_f64(),
        });
    }

    fn budgets(&self) -> MutexGuard<'_, Budgets> {
        lock(&self.budgets)
    }
}

impl Upstream for HttpClient {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        let mut renewed = false;
        let mut made = 0;
        self.budgets().earn();
        loop {
            let failure = {
                // The semaphore is never closed, so there is always a permit. The token comes
                // after it: one taken before the wait might be old when it is used.
                let _permit = self.slots.acquire().await;
                self.wait_out_hold().await?;
                let token = self.token().await?;
                match self.details(&request, &token).await {
                    Ok(page) => return Ok(page),
                    Err(failure) if failure.outcome == Outcome::Status(401) && !renewed => {
                        renewed = true;
                        self.tokens.refuse(&token);
                        continue;
                    }
                    Err(failure) => failure,
                }
            };
            self.remember_hold(&failure.error);
            // Without a permit: others need not wait for this one's pause.
            sleep(self.wait_before_retry(Api::Details, failure, made)?).await;
            made += 1;
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What is done under these locks cannot leave anything half changed, so a panic does no harm.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of a page with this limit, decompressed, at most.
fn longest_page(limit: u32) -> usize {
    (limit as usize)
        .saturating_mul(BYTES_A_ROW)
        .clamp(MIN_PAGE, MAX_PAGE)
}

/// Rows of a page with this limit at most.
fn most_rows(limit: u32) -> usize {
    (limit as usize)
        .saturating_mul(ROWS_A_ROW)
        .saturating_add(MIN_ROWS)
}
