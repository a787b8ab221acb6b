//! Requests the inspection results of calls, beside the pulls and never ahead of them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::Inner;
use super::backoff::Delays;
use crate::metrics::catalog;
use crate::metrics::exporter::ResultOutcome;
use crate::model::Rejection;
use crate::upstream::{ErrorKind, Upstream};

/// After failures that concern all calls. A key that may not request results would otherwise take a new
/// token with each pull.
pub(super) const DELAYS: Delays = Delays {
    first: 5,
    longest: 600,
};

/// Failures in a row of requests that worked before, until one of them is taken to concern all calls: a
/// vendor may answer so for a single call that it does not know, most likely with 404.
fn failures_to_pause(kind: ErrorKind) -> u32 {
    match kind {
        ErrorKind::RateLimit => 1,
        ErrorKind::Unavailable => 20,
        // A 401 takes another token each time, and a timeout half a minute.
        _ => 3,
    }
}

impl<U: Upstream> Inner<U> {
    /// Starts to request results, unless none is due or it has been started before.
    pub(super) fn start_results(self: &Arc<Self>) {
        let now = (self.clock)();
        if !self.results_backoff.lock().is_ready(Instant::now())
            || self.state.lock().results.next(now).is_none()
        {
            return;
        }
        let mut task = self.results_task.lock();
        if task.as_ref().is_none_or(|task| task.is_finished()) && !self.is_closed() {
            *task = Some(tokio::spawn(Arc::clone(self).request_results()));
        }
    }

    /// Requests results until none is due, or the vendor fails in a way that concerns all calls.
    ///
    /// The next pull commits what is counted. After a crash before that, the results are requested
    /// again.
    async fn request_results(self: Arc<Self>) {
        loop {
            self.wait_for_pull().await;
            let now = (self.clock)();
            let Some((call, written)) = self.state.lock().results.next(now) else {
                return;
            };
            match self.upstream.inspection(&written).await {
                Ok(inspection) => {
                    self.results_succeeded();
                    let outcome = match inspection.scenarios.is_empty() {
                        true => ResultOutcome::Empty,
                        false => ResultOutcome::Counted,
                    };
                    self.metrics.add(catalog::RESULTS, &[outcome.label()], 1.0);
                    let (reason, rejected) = (Rejection::Measure.label(), inspection.rejected);
                    (self.metrics).add(catalog::REJECTED, &[reason], rejected.into());
                    self.state.lock().count_result(call, &inspection);
                }
                Err(error) => {
                    let outcome = ResultOutcome::Failed;
                    self.metrics.add(catalog::RESULTS, &[outcome.label()], 1.0);
                    let now = (self.clock)();
                    let at_least = error.retry_after.unwrap_or_default();
                    self.state.lock().results.postpone(call, now, at_least);
                    let target = &self.settings.name;
                    debug!(%target, call = written, %error, "inspection result not received");
                    if !error.kind.is_general() {
                        self.results_succeeded();
                        continue;
                    }
                    let failures = self.results_failures.fetch_add(1, Relaxed) + 1;
                    let mut backoff = self.results_backoff.lock();
                    if !backoff.is_failing() && failures < failures_to_pause(error.kind) {
                        continue;
                    }
                    // An outage is logged once, not with each pull.
                    if !backoff.is_failing() {
                        warn!(%target, %error, "inspection results cannot be requested");
                    }
                    backoff.failed(Instant::now(), Duration::ZERO, error.retry_after);
                    self.view.lock().results_error = Some((now, error.to_string()));
                    return;
                }
            }
        }
    }

    /// A result, or a failure of one call, has arrived.
    fn results_succeeded(&self) {
        self.results_failures.store(0, Relaxed);
        let mut backoff = self.results_backoff.lock();
        backoff.succeeded(Instant::now(), Duration::ZERO);
        self.view.lock().results_error = None;
    }
}
