//! Scrapes and probes: how many at once, how many may wait for pulls, and the answer in the format
//! and encoding that the client asks for.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Response, StatusCode};
use prometheus::Gauge;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::respond::{Body, response, retry_later, set, text};
use super::shared::{Metrics, Shared};
use super::{Settings, deadline, gzip, negotiation, query};
use crate::targets::{Registry, Scope, ScrapeError, ScrapeRequest};

/// Answers compressed at a time. More would only wait for a processor.
const COMPRESSED_AT_ONCE: usize = 4;

/// Scrapes that wait for pulls at a time. Each holds a connection until its deadline, and a vendor
/// that hangs must not take all connections. Enough for any number of Prometheus servers.
const WAITING: usize = 64;

/// The limits that all scrapes share.
pub(super) struct Scrapes {
    /// One permit for each scrape that `--web.max-requests` allows.
    slots: Semaphore,
    waiting: Semaphore,
    /// Answers of the scrapes that do not wait.
    immediate: Shared,
    /// Compression continues after its client has left, and must not pile up.
    compressing: Arc<Semaphore>,
}

/// Counts a scrape as in flight, even if its client leaves before the answer.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Scrapes {
    pub(super) fn new(max_requests: usize) -> Self {
        Self {
            slots: Semaphore::new(match max_requests {
                0 => Semaphore::MAX_PERMITS,
                limit => limit.min(Semaphore::MAX_PERMITS),
            }),
            waiting: Semaphore::new(WAITING),
            immediate: Shared::default(),
            compressing: Arc::new(Semaphore::new(COMPRESSED_AT_ONCE)),
        }
    }

    /// Answers a scrape or a probe, and counts it.
    pub(super) async fn answer(
        &self,
        registry: &Registry,
        settings: &Settings,
        scope: Scope,
        query: &str,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let metrics = registry.metrics();
        let _in_flight = InFlight::new(&metrics.scrapes_in_flight);
        let response = match self.slots.try_acquire() {
            Ok(_slot) => self.scrape(registry, settings, scope, query, headers).await,
            Err(_) => retry_later(&format!(
                "Too many scrapes at once; --web.max-requests allows {}.",
                settings.max_requests
            )),
        };
        metrics.scrape_answered(response.status().as_str());
        response
    }

    async fn scrape(
        &self,
        registry: &Registry,
        settings: &Settings,
        scope: Scope,
        query: &str,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let targets = match scope {
            Scope::Everything => query::restriction(query),
            Scope::TargetOnly => match query::only_target(query) {
                Ok(target) => Some(vec![target]),
                Err(error) => return text(StatusCode::BAD_REQUEST, &error),
            },
        };
        let accept = values(headers, header::ACCEPT);
        let offer = negotiation::offer(accept.iter().map(|value| &**value));
        let encodings = values(headers, header::ACCEPT_ENCODING);
        let gzip = negotiation::wants_gzip(encodings.iter().map(|value| &**value));
        let request = ScrapeRequest {
            targets,
            scope,
            format: offer.format,
        };
        let rendered = match self.waiting.try_acquire() {
            Ok(_waiting) => {
                let wait = deadline::wait_for(headers, settings.timeout_offset);
                let deadline = Instant::now() + wait;
                self.render(registry, &request, gzip, deadline).await
            }
            Err(_) => {
                let key = format!("{request:?} {gzip}");
                let render = || self.render(registry, &request, gzip, Instant::now());
                match self.immediate.answer(key, render).await {
                    Some(rendered) => rendered,
                    None => return retry_later("Too many different scrapes at once."),
                }
            }
        };
        let metrics = match rendered {
            Ok(metrics) => metrics,
            Err(ScrapeError::NotReady) => return retry_later(&ScrapeError::NotReady.to_string()),
            Err(error) => return text(StatusCode::NOT_FOUND, &error),
        };
        let mut answer = response(StatusCode::OK, offer.content_type, metrics.body);
        set(&mut answer, header::VARY, "accept, accept-encoding");
        if metrics.is_compressed {
            set(&mut answer, header::CONTENT_ENCODING, "gzip");
        }
        answer
    }

    async fn render(
        &self,
        registry: &Registry,
        request: &ScrapeRequest,
        gzip: bool,
        deadline: Instant,
    ) -> Result<Metrics, ScrapeError> {
        let body = registry.scrape(request, deadline).await?;
        let compressed = match gzip {
            true => gzip::gzip(body.clone(), &self.compressing).await,
            false => None,
        };
        Ok(Metrics {
            is_compressed: compressed.is_some(),
            body: compressed.unwrap_or(body),
        })
    }
}

/// The values of a header. Bytes that are not UTF-8 spoil one item of the list, and not all.
fn values(headers: &HeaderMap, name: HeaderName) -> Vec<Cow<'_, str>> {
    let values = headers.get_all(name).into_iter();
    values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect()
}
