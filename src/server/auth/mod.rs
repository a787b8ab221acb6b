//! Enforces the web configuration file: TLS, passwords, response headers and the rate limit.
//!
//! The file is read again for each connection and each request. If it cannot be used, no client is
//! admitted: there is no fallback to something less safe.

mod credentials;
mod handshake;
mod passwords;
mod queue;
mod rate_limit;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::header::{self, HeaderMap};
use hyper::{Response, StatusCode};
use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::accept::QUIET;
use super::respond::{self, Body};
use crate::config::ConfigError;
use crate::config::web::{WebConfig, WebFile};
use crate::process::run_within;
use passwords::{PasswordCheck, Passwords};
use rate_limit::TokenBucket;

pub(super) use handshake::accept;

/// Admits clients by the web configuration file.
pub(super) struct Authenticator {
    file: Arc<WebFile>,
    /// One read at a time: on a file system that hangs, each would hold a thread.
    reading: Arc<Semaphore>,
    /// The configuration that was last used, to log when it changes.
    last: Mutex<Option<Arc<WebConfig>>>,
    bucket: Mutex<TokenBucket>,
    passwords: Arc<Passwords>,
    /// Whether the last connection was to use TLS.
    tls: AtomicBool,
    last_error: Mutex<Option<(String, Instant)>>,
}

/// The file cannot be used, so that no client is admitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Unusable;

/// Limits how long a request waits for a file system that hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

const UNUSABLE: &str = "The web configuration file cannot be used; see the log.";

/// Logs the warnings about a web configuration.
pub fn log_warnings(config: &WebConfig) {
    for warning in &config.warnings {
        tracing::warn!("web configuration: {warning}");
    }
}

impl Authenticator {
    pub(super) fn new(file: WebFile) -> Self {
        Self {
            file: Arc::new(file),
            reading: Arc::new(Semaphore::new(1)),
            last: Mutex::default(),
            bucket: Mutex::default(),
            passwords: Arc::default(),
            tls: AtomicBool::new(false),
            last_error: Mutex::default(),
        }
    }

    /// TLS for the next connection; `None` is plain HTTP.
    async fn tls(&self) -> Result<Option<Arc<ServerConfig>>, Unusable> {
        let tls = self.read(|file| file.tls()).await?;
        self.tls.store(tls.is_some(), Ordering::Relaxed);
        Ok(tls)
    }

    /// Whether clients expect TLS, as far as known without reading files.
    pub(super) fn speaks_tls(&self) -> bool {
        self.tls.load(Ordering::Relaxed)
    }

    /// The configuration for the next request.
    async fn config(&self) -> Result<Arc<WebConfig>, Unusable> {
        let config = self.read(|file| file.config()).await?;
        let mut last = self.last.lock();
        if let Some(before) = last.replace(Arc::clone(&config))
            && !Arc::ptr_eq(&before, &config)
        {
            tracing::info!("the web configuration has changed");
            log_warnings(&config);
        }
        Ok(config)
    }

    /// Refuses a request with these headers, or admits it to its `answer`.
    pub(super) async fn answer(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
        is_exempt: bool,
        answer: impl Future<Output = Response<Body>>,
    ) -> Response<Body> {
        let config = match self.config().await {
            Ok(config) => config,
            // The process is as healthy as before, and a restart would not help.
            Err(Unusable) if is_exempt => return answer.await,
            Err(Unusable) => return respond::text(StatusCode::INTERNAL_SERVER_ERROR, UNUSABLE),
        };
        let mut response = match self.admit(&config, headers, peer, is_exempt).await {
            Ok(()) => answer.await,
            Err(refusal) => refusal,
        };
        for (name, value) in &config.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    async fn admit(
        &self,
        config: &WebConfig,
        headers: &HeaderMap,
        peer: IpAddr,
        is_exempt: bool,
    ) -> Result<(), Response<Body>> {
        if let Some(limit) = config.rate_limit
            && !self.bucket.lock().take(limit, Instant::now())
        {
            let reason = "Too many requests.";
            return Err(respond::text(StatusCode::TOO_MANY_REQUESTS, reason));
        }
        if config.users.is_empty() || is_exempt {
            return Ok(());
        }
        let check = match credentials::parse(headers) {
            Some(credentials) => self.passwords.check(&config.users, credentials, peer).await,
            None => PasswordCheck::Wrong,
        };
        match check {
            PasswordCheck::Right => Ok(()),
            PasswordCheck::Wrong => {
                let mut refusal = respond::text(StatusCode::UNAUTHORIZED, "Unauthorized.");
                respond::set(&mut refusal, header::WWW_AUTHENTICATE, "Basic");
                Err(refusal)
            }
            PasswordCheck::Busy => Err(respond::retry_later(
                "Too many passwords are being checked.",
            )),
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&WebFile) -> Result<T, ConfigError> + Send + 'static,
    ) -> Result<T, Unusable> {
        let file = Arc::clone(&self.file);
        let reading = run_within(READ_TIMEOUT, &self.reading, move || read(&file));
        let reason = match reading.await {
            Ok(Ok(read)) => return Ok(read),
            Ok(Err(error)) => error.to_string(),
            Err(unfinished) => unfinished.to_string(),
        };
        self.log(reason);
        Err(Unusable)
    }

    /// Logs why clients are refused: a new reason at once, the same one now and then.
    fn log(&self, reason: String) {
        let mut last = self.last_error.lock();
        let is_known = last
            .as_ref()
            .is_some_and(|(known, at)| *known == reason && at.elapsed() < QUIET);
        if !is_known {
            tracing::error!(
                reason,
                "clients are refused until the web configuration file is corrected"
            );
            *last = Some((reason, Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_hangs_refuses_clients_instead_of_keeping_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let users = "http_server_config: {headers: {X-Frame-Options: deny}}";
        std::fs::write(&file, users).unwrap();
        let auth = Authenticator::new(WebFile::open(file.path()).unwrap());
        let hanging = auth.reading.acquire().await.unwrap();
        tokio::time::pause();
        assert_eq!(auth.config().await.unwrap_err(), Unusable);
        tokio::time::resume();
        let (reason, _) = auth.last_error.lock().clone().unwrap();
        assert!(reason.contains("in time"), "{reason}");
        drop(hanging);
        assert!(auth.config().await.is_ok());
    }
}
