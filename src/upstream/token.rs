//! One token, shared by all requests and renewed ahead of its end.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::time::Instant;

use super::token_response::TokenResponse;
use super::{Error, ErrorKind};

const RENEW_AHEAD: Duration = Duration::from_secs(60);
/// How long a failure answers for further requests: a crowd of waiters asks once, not in turn.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);
/// The same while the old token is still good.
const FAILURE_AHEAD_HOLDS: Duration = Duration::from_secs(10);

/// How long before its end a token with this lifetime is renewed: a minute, or a fifth of its life
/// if that is less.
pub(super) fn renewed_ahead(lifetime: Duration) -> Duration {
    RENEW_AHEAD.min(lifetime / 5)
}

/// A token in use.
#[derive(Clone)]
pub struct Token {
    bare: Arc<str>,
    /// The value of `Authorization`.
    pub header: HeaderValue,
    received: Instant,
    lifetime: Duration,
}

impl Token {
    fn new(grant: TokenResponse, now: Instant) -> Option<Self> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", grant.token)).ok()?;
        header.set_sensitive(true);
        Some(Self {
            bare: grant.token.into(),
            header,
            received: now,
            lifetime: grant.lifetime,
        })
    }

    /// The bare token, for those who have to keep it out of a text.
    pub fn bare(&self) -> &str {
        &self.bare
    }

    fn left(&self, now: Instant) -> Duration {
        (self.received + self.lifetime).saturating_duration_since(now)
    }

    fn is_due(&self, now: Instant) -> bool {
        self.left(now) <= renewed_ahead(self.lifetime)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// How badly a token is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// There is none.
    Now,
    /// There is one that will soon expire: not worth a retry.
    Ahead,
}

/// The one token of a client: fetched when it is needed, by one request at a time.
#[derive(Debug, Default)]
pub struct TokenCache {
    state: Mutex<State>,
    /// Held while a token is being fetched. Apart from the state, so that requests go on with a
    /// token that is still good while one of them renews it.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    /// The last failure and when it was, until a token comes.
    failure: Option<(Instant, Error)>,
}

impl TokenCache {
    /// A good token: the one at hand, or what `fetch` brings.
    ///
    /// # Errors
    ///
    /// Those of `fetch`, which are remembered for a second or for what their `retry_after` says;
    /// until then it is not called again.
    pub async fn get<F, G>(&self, fetch: F) -> Result<Token, Error>
    where
        F: FnOnce(Need) -> G,
        G: Future<Output = Result<TokenResponse, Error>>,
    {
        let old = self.good_token();
        let guard = match &old {
            Some(token) if !token.is_due(Instant::now()) => return Ok(token.clone()),
            // Someone else renews it already, or could not just now.
            Some(token) => match self.fetching.try_lock() {
                Ok(guard) if self.recent_failure(FAILURE_AHEAD_HOLDS).is_none() => guard,
                _ => return Ok(token.clone()),
            },
            None => self.fetching.lock().await,
        };
        // Whoever had the lock before may have brought a token, or found that there is none.
        let now = Instant::now();
        if let Some(token) = self.good_token().filter(|token| !token.is_due(now)) {
            return Ok(token);
        }
        let need = if old.is_some() {
            Need::Ahead
        } else {
            Need::Now
        };
        if need == Need::Now
            && let Some(error) = self.recent_failure(FAILURE_HOLDS)
        {
            return Err(error);
        }
        let fetched = fetch(need).await;
        drop(guard);
        self.keep(fetched, old)
    }

    /// Forgets a token that was not accepted, unless another has taken its place.
    pub fn refuse(&self, refused: &Token) {
        let mut state = self.state();
        if state
            .token
            .as_ref()
            .is_some_and(|token| Arc::ptr_eq(&token.bare, &refused.bare))
        {
            state.token = None;
        }
    }

    fn keep(
        &self,
        fetched: Result<TokenResponse, Error>,
        old: Option<Token>,
    ) -> Result<Token, Error> {
        let now = Instant::now();
        let mut state = self.state();
        let error = match fetched.map(|grant| Token::new(grant, now)) {
            Ok(Some(token)) => {
                *state = State {
                    token: Some(token.clone()),
                    failure: None,
                };
                return Ok(token);
            }
            // `parse_token_response` lets none of these through.
            Ok(None) => Error {
                kind: ErrorKind::Body,
                message: "the token cannot be sent in a header".into(),
                likely_cause: None,
                retry_after: None,
            },
            Err(error) => error,
        };
        state.failure = Some((now, error.clone()));
        drop(state);
        old.filter(|token| !token.left(now).is_zero()).ok_or(error)
    }

    fn good_token(&self) -> Option<Token> {
        let now = Instant::now();
        self.state()
            .token
            .clone()
            .filter(|token| !token.left(now).is_zero())
    }

    /// The last failure, if it is younger than this or than the vendor asked to be left alone.
    fn recent_failure(&self, younger_than: Duration) -> Option<Error> {
        let now = Instant::now();
        let state = self.state();
        let (at, error) = state.failure.as_ref()?;
        let age = now.saturating_duration_since(*at);
        let asked_for = error.retry_after.unwrap_or_default();
        let retry_after = error.retry_after.map(|wait| wait.saturating_sub(age));
        (age < younger_than.max(asked_for)).then(|| Error {
            retry_after,
            ..error.clone()
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can leave it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A token service that counts how often it is asked and fails from one call to another.
    #[derive(Default)]
    struct Service {
        asked: AtomicU32,
        failing: Mutex<Option<Error>>,
    }

    impl Service {
        async fn answer(&self) -> Result<TokenResponse, Error> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
            match self.failing.lock().unwrap().clone() {
                Some(error) => Err(error),
                None => Ok(TokenResponse {
                    token: format!("token-{number}"),
                    lifetime: Duration::from_secs(600),
                }),
            }
        }

        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }

        fn fail(&self, retry_after: Option<u64>) {
            *self.failing.lock().unwrap() = Some(Error {
                kind: ErrorKind::RateLimit,
                message: "no".into(),
                likely_cause: None,
                retry_after: retry_after.map(Duration::from_secs),
            });
        }

        fn recover(&self) {
            *self.failing.lock().unwrap() = None;
        }
    }

    async fn get(cache: &TokenCache, service: &Service) -> Result<String, Error> {
        Ok(cache.get(|_| service.answer()).await?.bare().to_owned())
    }

    async fn seconds(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_asks_once_and_gets_one_token() {
        let (cache, service) = (TokenCache::default(), Service::default());
        let crowd = (0..20).map(|_| get(&cache, &service));
        for token in futures_util::future::join_all(crowd).await {
            assert_eq!(token.unwrap(), "token-1");
        }
        assert_eq!(service.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_a_minute_ahead_while_the_others_go_on() {
        let (cache, service) = (TokenCache::default(), Service::default());
        get(&cache, &service).await.unwrap();
        seconds(539).await;
        assert_eq!(get(&cache, &service).await.unwrap(), "token-1");
        seconds(1).await;
        let both = futures_util::future::join(get(&cache, &service), get(&cache, &service));
        let (renewing, other) = both.await;
        assert_eq!(
            (renewing.unwrap(), other.unwrap()),
            ("token-2".into(), "token-1".into())
        );
        assert_eq!(service.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_fails_costs_nothing_while_the_old_token_is_good() {
        let (cache, service) = (TokenCache::default(), Service::default());
        get(&cache, &service).await.unwrap();
        service.fail(None);
        seconds(545).await;
        for _ in 0..5 {
            assert_eq!(get(&cache, &service).await.unwrap(), "token-1");
        }
        assert_eq!(service.asked(), 2, "asked again too soon");
        seconds(11).await;
        get(&cache, &service).await.unwrap();
        assert_eq!(service.asked(), 3);
        seconds(60).await;
        assert!(
            get(&cache, &service).await.is_err(),
            "an expired token was handed out"
        );
        service.recover();
        seconds(2).await;
        assert_eq!(get(&cache, &service).await.unwrap(), "token-5");
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_shares_a_failure_which_is_soon_forgotten() {
        let (cache, service) = (TokenCache::default(), Service::default());
        service.fail(None);
        let crowd = (0..20).map(|_| get(&cache, &service));
        assert!(
            futures_util::future::join_all(crowd)
                .await
                .iter()
                .all(Result::is_err)
        );
        assert_eq!(service.asked(), 1);
        service.recover();
        seconds(1).await;
        assert_eq!(get(&cache, &service).await.unwrap(), "token-2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_lasts_as_long_as_the_vendor_asked_for() {
        let (cache, service) = (TokenCache::default(), Service::default());
        service.fail(Some(30));
        get(&cache, &service).await.unwrap_err();
        service.recover();
        seconds(10).await;
        let left = get(&cache, &service)
            .await
            .unwrap_err()
            .retry_after
            .unwrap();
        assert_eq!((service.asked(), left.as_secs()), (1, 20));
        seconds(20).await;
        get(&cache, &service).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_token_that_was_refused_is_dropped() {
        let (cache, service) = (TokenCache::default(), Service::default());
        let first = cache.get(|_| service.answer()).await.unwrap();
        cache.refuse(&first);
        assert_eq!(get(&cache, &service).await.unwrap(), "token-2");
        cache.refuse(&first);
        assert_eq!(get(&cache, &service).await.unwrap(), "token-2");
    }

    #[tokio::test(start_paused = true)]
    async fn debug_shows_no_token() {
        let (cache, service) = (TokenCache::default(), Service::default());
        let token = cache.get(|_| service.answer()).await.unwrap();
        let shown = format!("{cache:?} {token:?}");
        assert!(!shown.contains("token-1"), "{shown}");
    }
}
