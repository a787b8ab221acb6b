//! Scrapes and probes: how many at once, how many may wait for pulls, and the response in the format
//! and encoding that the client asks for.

use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::respond::{Body, response, retry_later, set, text};
use super::routes::Service;
use super::{deadline, negotiation, query};
use crate::metrics::catalog;
use crate::metrics::exporter::ExporterMetrics;
use crate::targets::{Scope, ScrapeError, ScrapeRequest};

const NOT_ONE_TARGET: &str = "a probe needs exactly one target, as in /probe?target=NAME";

/// Counts a scrape as in flight, even if its client leaves before the response.
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

impl Service {
    /// Answers a scrape or a probe, and counts it.
    pub(super) async fn answer_scrape(
        &self,
        scope: Scope,
        query: &str,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let metrics = self.registry.metrics();
        let _in_flight = InFlight::new(metrics);
        let response = match self.scrapes.try_acquire() {
            Ok(_slot) => {
                let response = self.scrape(scope, query, headers).await;
                self.memory.hold(response).await
            }
            Err(_) => retry_later(&format!(
                "Too many scrapes at once; --web.max-requests allows {}.",
                self.settings.max_requests
            )),
        };
        let code = response.status();
        metrics.add(catalog::HANDLER_REQUESTS, &[code.as_str()], 1.0);
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
        let deadline = Instant::now() + deadline::wait_for(headers, self.settings.timeout_offset);
        let rendered = match self.waiting.try_acquire() {
            Ok(_waiting) => self.registry.scrape(&request, deadline).await,
            Err(_) => {
                let render = || self.registry.scrape(&request, Instant::now());
                match timeout_at(deadline, self.immediate.share(&request, render)).await {
                    Ok(Some(rendered)) => rendered,
                    _ => return retry_later("Too many different scrapes at once."),
                }
            }
        };
        let body = match rendered {
            Ok(body) => body,
            Err(error @ ScrapeError::NotReady) => return retry_later(&error),
            Err(error) => return text(StatusCode::NOT_FOUND, &error),
        };
        let mut response = response(StatusCode::OK, offer.content_type, body);
        set(&mut response, header::VARY, "accept, accept-encoding");
        if gzip {
            set(&mut response, header::CONTENT_ENCODING, "gzip");
        }
        response
    }
}

/// The value of a list header, which may be given in parts. Bytes that are not UTF-8 spoil one item,
/// and not all.
fn list(headers: &HeaderMap, name: HeaderName) -> String {
    let parts = headers.get_all(name).into_iter();
    let parts = parts.map(|part| String::from_utf8_lossy(part.as_bytes()));
    parts.collect::<Vec<_>>().join(",")
}
