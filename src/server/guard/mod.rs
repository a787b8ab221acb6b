//! What is asked of clients before they are answered: TLS, a password, not too many requests.
//!
//! The rules are asked for anew with each connection and each request. When they cannot be had,
//! nobody comes in: there is no falling back to what is less safe.

mod bucket;
mod credentials;
mod handshake;
mod passwords;
mod queue;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use rustls::ServerConfig;
use tokio::time::Instant;

use super::accept::QUIET;
use super::routes::{self, Body};
use bucket::Bucket;
use passwords::{Passwords, Verdict};

pub(super) use handshake::{Accepted, accept};

/// Where the rules come from. Its functions may block; they are called off the async threads, one
/// at a time.
pub trait Protection: fmt::Debug + Send + Sync + 'static {
    /// What the next connection needs: `None` is plain HTTP. An error, one line without secrets,
    /// refuses it.
    fn tls(&self) -> Result<Option<Arc<ServerConfig>>, String>;

    /// The rules for the next request. An error likewise refuses it.
    fn rules(&self) -> Result<Arc<Rules>, String>;
}

/// The rules for requests.
#[derive(Clone, Default)]
pub struct Rules {
    /// Names and the bcrypt hashes of their passwords; without any, everybody is let in.
    pub users: BTreeMap<String, String>,
    /// Headers for every answer; they go before those that it has of itself.
    pub headers: HeaderMap,
    /// How many requests are answered.
    pub rate_limit: Option<RateLimit>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hashes can be guessed at.
        f.debug_struct("Rules")
            .field("users", &self.users.keys())
            .field("headers", &self.headers)
            .field("rate_limit", &self.rate_limit)
            .finish()
    }
}

/// How many requests are answered, over all clients: a request takes a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// How long it takes to make a token.
    pub interval: Duration,
    /// How many tokens are kept at most.
    pub burst: u32,
}

/// Stands between the clients and the answers.
#[derive(Debug)]
pub(super) struct Guard {
    protection: Arc<dyn Protection>,
    /// One look at the files at a time: on a file system that hangs, each would hold a thread.
    looking: Arc<tokio::sync::Mutex<()>>,
    bucket: Mutex<Bucket>,
    passwords: Arc<Passwords>,
    /// Whether the last connection was to speak TLS.
    tls: AtomicBool,
    told: Mutex<Option<(String, Instant)>>,
}

impl Guard {
    pub(super) fn new(protection: Arc<dyn Protection>) -> Self {
        Self {
            protection,
            looking: Arc::default(),
            bucket: Mutex::default(),
            passwords: Arc::default(),
            tls: AtomicBool::new(false),
            told: Mutex::default(),
        }
    }

    /// What the next connection needs; an error has been logged.
    async fn tls(&self) -> Result<Option<Arc<ServerConfig>>, Refused> {
        let tls = self.look(|protection| protection.tls()).await?;
        self.tls.store(tls.is_some(), Ordering::Relaxed);
        Ok(tls)
    }

    /// Whether clients expect TLS, as far as that is known without a look at the files.
    pub(super) fn speaks_tls(&self) -> bool {
        self.tls.load(Ordering::Relaxed)
    }

    /// Answers a request, or lets it `pass` to be answered.
    pub(super) async fn answer<B>(
        &self,
        request: Request<B>,
        peer: IpAddr,
        is_exempt: bool,
        pass: impl AsyncFnOnce(Request<B>) -> Response<Body>,
    ) -> Response<Body> {
        let rules = match self.look(|protection| protection.rules()).await {
            Ok(rules) => rules,
            // The process is as healthy as before, and a restart would not help.
            Err(Refused) if is_exempt => return pass(request).await,
            Err(Refused) => {
                let reason = "The web configuration file cannot be used; see the log.";
                return routes::text(StatusCode::INTERNAL_SERVER_ERROR, reason);
            }
        };
        let mut response = match self.admit(&rules, request.headers(), peer, is_exempt).await {
            Ok(()) => pass(request).await,
            Err(refusal) => refusal,
        };
        for (name, value) in &rules.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }

    async fn admit(
        &self,
        rules: &Arc<Rules>,
        headers: &HeaderMap,
        peer: IpAddr,
        is_exempt: bool,
    ) -> Result<(), Response<Body>> {
        if let Some(limit) = rules.rate_limit {
            let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
            if !bucket.take(limit, Instant::now()) {
                let reason = "Too many requests.";
                return Err(routes::text(StatusCode::TOO_MANY_REQUESTS, reason));
            }
        }
        if rules.users.is_empty() || is_exempt {
            return Ok(());
        }
        let verdict = match credentials::of(headers) {
            Some(credentials) => self.passwords.check(rules, credentials, peer).await,
            None => Verdict::Wrong,
        };
        match verdict {
            Verdict::Right => Ok(()),
            Verdict::Wrong => {
                let mut refusal = routes::text(StatusCode::UNAUTHORIZED, "Unauthorized.");
                let value = HeaderValue::from_static("Basic");
                refusal
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, value);
                Err(refusal)
            }
            Verdict::Busy => {
                let reason = "Too many passwords are being checked.";
                Err(routes::retry_later(reason))
            }
        }
    }

    async fn look<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Protection) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Refused> {
        let only_one = Arc::clone(&self.looking).lock_owned().await;
        let protection = Arc::clone(&self.protection);
        let looked = tokio::task::spawn_blocking(move || {
            // Until it is done, also if the client has left.
            let _only_one = only_one;
            ask(&*protection)
        })
        .await;
        looked
            .unwrap_or_else(|error| Err(format!("the look at it broke off: {error}")))
            .map_err(|reason| self.tell(reason))
    }

    /// Logs why clients are refused: at once when it is something new, and else now and then.
    fn tell(&self, reason: String) -> Refused {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let known = told
            .as_ref()
            .is_some_and(|(known, at)| *known == reason && at.elapsed() < QUIET);
        if !known {
            tracing::error!(reason, "clients are refused: the web configuration is bad");
            *told = Some((reason, Instant::now()));
        }
        Refused
    }
}

/// There are no rules, so nobody comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Refused;
