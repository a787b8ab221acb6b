//! Scrapes and probes: how many at once, how many may wait for pulls, and the answer in the format
//! and encoding that the client asks for.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::respond::{Body, response, retry_later, set, text};
use super::room::Room;
use super::shared::Shared;
use super::{Settings, deadline, negotiation, query};
use crate::metrics::catalog;
use crate::metrics::exporter::ExporterMetrics;
use crate::targets::{Registry, Scope, ScrapeError, ScrapeRequest};

/// Scrapes that wait for pulls at a time. Each holds a connection until its deadline, and a vendor
/// that hangs must not take all connections. Enough for any number of Prometheus servers.
const WAITING: usize = 64;

const NOT_ONE_TARGET: &str = "a probe needs exactly one target, as in /probe?target=NAME";

/// What all scrapes share.
pub(super) struct Scrapes {
    registry: Arc<Registry>,
    max_requests: usize,
    timeout_offset: Duration,
    /// One permit for each scrape that `--web.max-requests` allows.
    slots: Semaphore,
    waiting: Semaphore,
    /// Answers of the scrapes that do not wait.
    immediate: Shared,
}

/// Counts a scrape as in flight, even if its client leaves before the answer.
struct InFlight<'a>(&'a ExporterMetrics);

impl<'a> InFlight<'a> {
    fn new(metrics: &'a ExporterMetrics) -> Self {
        metrics.add(catalog::HANDLER_IN_FLIGHT, &[], 1.0);
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.add(catalog::HANDLER_IN_FLIGHT, &[], -1.0);
    }
}

impl Scrapes {
    pub(super) fn new(registry: Arc<Registry>, settings: &Settings) -> Self {
        Self {
            registry,
            max_requests: settings.max_requests,
            timeout_offset: settings.timeout_offset,
            slots: Semaphore::new(match settings.max_requests {
                0 => Semaphore::MAX_PERMITS,
                limit => limit.min(Semaphore::MAX_PERMITS),
            }),
            waiting: Semaphore::new(WAITING),
            immediate: Shared::default(),
        }
    }

    /// Answers a scrape or a probe, and counts it.
    pub(super) async fn answer(
        &self,
        scope: Scope,
        query: &str,
        headers: &HeaderMap,
        room: &Room,
    ) -> Response<Body> {
        let metrics = self.registry.metrics();
        let _in_flight = InFlight::new(metrics);
        let response = match self.slots.try_acquire() {
            Ok(_slot) => room.hold(self.scrape(scope, query, headers).await).await,
            Err(_) => retry_later(&format!(
                "Too many scrapes at once; --web.max-requests allows {}.",
                self.max_requests
            )),
        };
        metrics.add(
            catalog::HANDLER_REQUESTS,
            &[response.status().as_str()],
            1.0,
        );
        response
    }

    async fn scrape(&self, scope: Scope, query: &str, headers: &HeaderMap) -> Response<Body> {
        let targets = match scope {
            Scope::Everything => query::restriction(query),
            Scope::TargetOnly => match query::only_target(query) {
                Some(target) => Some(vec![target]),
                None => return text(StatusCode::BAD_REQUEST, NOT_ONE_TARGET),
            },
        };
        let offer = negotiation::offer(&list(headers, header::ACCEPT));
        let gzip = negotiation::wants_gzip(&list(headers, header::ACCEPT_ENCODING));
        let request = ScrapeRequest {
            targets,
            scope,
            format: offer.format,
            gzip,
        };
        let rendered = match self.waiting.try_acquire() {
            Ok(_waiting) => {
                let wait = deadline::wait_for(headers, self.timeout_offset);
                self.registry.scrape(&request, Instant::now() + wait).await
            }
            Err(_) => {
                let key = format!("{request:?}");
                let render = || self.registry.scrape(&request, Instant::now());
                match self.immediate.answer(key, render).await {
                    Some(rendered) => rendered,
                    None => return retry_later("Too many different scrapes at once."),
                }
            }
        };
        let body = match rendered {
            Ok(body) => body,
            Err(error @ ScrapeError::NotReady) => return retry_later(&error),
            Err(error) => return text(StatusCode::NOT_FOUND, &error),
        };
        let mut answer = response(StatusCode::OK, offer.content_type, body);
        set(&mut answer, header::VARY, "accept, accept-encoding");
        if gzip {
            set(&mut answer, header::CONTENT_ENCODING, "gzip");
        }
        answer
    }
}

/// The value of a list header, which may be given in parts. Bytes that are not UTF-8 spoil one item,
/// and not all.
fn list(headers: &HeaderMap, name: HeaderName) -> String {
    let parts = headers.get_all(name).into_iter();
    let parts = parts.map(|part| String::from_utf8_lossy(part.as_bytes()));
    parts.collect::<Vec<_>>().join(",")
}
