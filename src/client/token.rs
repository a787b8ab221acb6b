//! One access token, shared by all requests and renewed before it expires.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::token_response::Token;
use crate::upstream::Error;

const MAX_RENEWAL_MARGIN: Duration = Duration::from_secs(60);
/// How long a failure is returned to further callers, so that waiting callers do not each send a
/// request in turn.
const FAILURE_TTL: Duration = Duration::from_secs(1);
/// The same while the old token is still valid.
const EARLY_FAILURE_TTL: Duration = Duration::from_secs(10);

/// How long before its expiry a token is renewed: a minute, or a fifth of its lifetime if less.
pub(super) fn renewal_margin(lifetime: Duration) -> Duration {
    MAX_RENEWAL_MARGIN.min(lifetime / 5)
}

fn is_due(token: &Token, now: Instant) -> bool {
    token.remaining(now) <= renewal_margin(token.lifetime)
}

/// Fetches the token when it is needed, with one request at a time.
#[derive(Default)]
pub(super) struct TokenCache {
    state: Mutex<State>,
    /// Held while a token is fetched. Separate from the state, so that other requests can use the
    /// old token meanwhile.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// The last failure and its time; cleared by a success.
    failure: Option<(Instant, Error)>,
}

impl TokenCache {
    /// Returns a valid token: the cached one or a fetched one. `fetch` gets whether the cached one is
    /// still valid, so that a failure is not worth a retry. Failures are cached for a second, or
    /// for their `retry_after` if longer.
    pub(super) async fn get<F, G>(&self, fetch: F) -> Result<Token, Error>
    where
        F: FnOnce(bool) -> G,
        G: Future<Output = Result<Token, Error>>,
    {
        let old = self.valid_token();
        let guard = match &old {
            Some(token) if !is_due(token, Instant::now()) => return Ok(token.clone()),
            // Another request is renewing it, or failed to just now.
            Some(token) => match self.fetching.try_lock() {
                Ok(guard) if self.recent_failure(EARLY_FAILURE_TTL).is_none() => guard,
                _ => return Ok(token.clone()),
            },
            None => self.fetching.lock().await,
        };
        // The previous holder of the lock may have fetched a token, or failed.
        let now = Instant::now();
        if let Some(token) = self.valid_token().filter(|token| !is_due(token, now)) {
            return Ok(token);
        }
        if old.is_none()
            && let Some(error) = self.recent_failure(FAILURE_TTL)
        {
            return Err(error);
        }
        let fetched = fetch(old.is_some()).await;
        drop(guard);
        self.store(fetched, old)
    }

    /// Drops a token that the vendor refused, unless it has been replaced already.
    pub(super) fn invalidate(&self, refused: &Token) {
        let mut state = self.state.lock();
        let is_refused = |token: &Token| Arc::ptr_eq(&token.text, &refused.text);
        if state.token.as_ref().is_some_and(is_refused) {
            state.token = None;
        }
    }

    fn store(&self, fetched: Result<Token, Error>, old: Option<Token>) -> Result<Token, Error> {
        let now = Instant::now();
        let mut state = self.state.lock();
        match &fetched {
            Ok(token) => (state.token, state.failure) = (Some(token.clone()), None),
            Err(error) => state.failure = Some((now, error.clone())),
        }
        let old = old.filter(|token| !token.remaining(now).is_zero());
        fetched.or_else(|error| old.ok_or(error))
    }

    fn valid_token(&self) -> Option<Token> {
        let now = Instant::now();
        let token = self.state.lock().token.clone();
        token.filter(|token| !token.remaining(now).is_zero())
    }

    /// The last failure, if it is younger than `ttl` or its `retry_after` is not over.
    fn recent_failure(&self, ttl: Duration) -> Option<Error> {
        let now = Instant::now();
        let state = self.state.lock();
        let (at, error) = state.failure.as_ref()?;
        let age = now.saturating_duration_since(*at);
        let requested = error.retry_after.unwrap_or_default();
        let retry_after = error.retry_after.map(|wait| wait.saturating_sub(age));
        (age < ttl.max(requested)).then(|| Error {
            retry_after,
            ..error.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::token_response::parse_token_response;
    use super::*;
    use crate::upstream::ErrorKind;

    /// A token service that counts requests and can be made to fail.
    #[derive(Default)]
    struct Service {
        requests: AtomicU32,
        failing: Mutex<Option<Error>>,
    }

    impl Service {
        async fn respond(&self) -> Result<Token, Error> {
            let number = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
            match self.failing.lock().clone() {
                Some(error) => Err(error),
                None => {
                    let body = format!(r#"{{"AccessToken": "token-{number}", "Expires": 600}}"#);
                    Ok(parse_token_response(body.as_bytes(), Instant::now()).unwrap())
                }
            }
        }

        fn requests(&self) -> u32 {
            self.requests.load(Ordering::SeqCst)
        }

        fn fail(&self, retry_after: Option<u64>) {
            *self.failing.lock() = Some(Error {
                kind: ErrorKind::RateLimit,
                message: "no".into(),
                likely_cause: None,
                retry_after: retry_after.map(Duration::from_secs),
            });
        }

        fn recover(&self) {
            *self.failing.lock() = None;
        }
    }

    async fn get(cache: &TokenCache, service: &Service) -> Result<String, Error> {
        Ok(cache.get(|_| service.respond()).await?.text.to_string())
    }

    async fn advance(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_callers_share_one_request_and_its_token() {
        let (cache, service) = (TokenCache::default(), Service::default());
        let callers = (0..20).map(|_| get(&cache, &service));
        for token in futures_util::future::join_all(callers).await {
            assert_eq!(token.unwrap(), "token-1");
        }
        assert_eq!(service.requests(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_a_minute_before_expiry_while_others_use_the_old_one() {
        let (cache, service) = (TokenCache::default(), Service::default());
        get(&cache, &service).await.unwrap();
        advance(539).await;
        assert_eq!(get(&cache, &service).await.unwrap(), "token-1");
        advance(1).await;
        let both = futures_util::future::join(get(&cache, &service), get(&cache, &service));
        let (renewing, other) = both.await;
        assert_eq!(
            (renewing.unwrap(), other.unwrap()),
            ("token-2".into(), "token-1".into())
        );
        assert_eq!(service.requests(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_token_is_used_until_it_expires_if_its_renewal_fails() {
        let (cache, service) = (TokenCache::default(), Service::default());
        get(&cache, &service).await.unwrap();
        service.fail(None);
        advance(545).await;
        for _ in 0..5 {
            assert_eq!(get(&cache, &service).await.unwrap(), "token-1");
        }
        assert_eq!(service.requests(), 2, "requested again too soon");
        advance(11).await;
        get(&cache, &service).await.unwrap();
        assert_eq!(service.requests(), 3);
        advance(60).await;
        assert!(
            get(&cache, &service).await.is_err(),
            "an expired token was returned"
        );
        service.recover();
        advance(2).await;
        assert_eq!(get(&cache, &service).await.unwrap(), "token-5");
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_callers_share_a_failure_which_is_soon_forgotten() {
        let (cache, service) = (TokenCache::default(), Service::default());
        service.fail(None);
        let callers = (0..20).map(|_| get(&cache, &service));
        let results = futures_util::future::join_all(callers).await;
        assert!(results.iter().all(Result::is_err));
        assert_eq!(service.requests(), 1);
        service.recover();
        advance(1).await;
        assert_eq!(get(&cache, &service).await.unwrap(), "token-2");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_cached_for_its_retry_after() {
        let (cache, service) = (TokenCache::default(), Service::default());
        service.fail(Some(30));
        get(&cache, &service).await.unwrap_err();
        service.recover();
        advance(10).await;
        let error = get(&cache, &service).await.unwrap_err();
        let remaining = error.retry_after.unwrap();
        assert_eq!((service.requests(), remaining.as_secs()), (1, 20));
        advance(20).await;
        get(&cache, &service).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_refused_token_is_dropped() {
        let (cache, service) = (TokenCache::default(), Service::default());
        let first = cache.get(|_| service.respond()).await.unwrap();
        cache.invalidate(&first);
        assert_eq!(get(&cache, &service).await.unwrap(), "token-2");
        cache.invalidate(&first);
        assert_eq!(get(&cache, &service).await.unwrap(), "token-2");
    }
}
