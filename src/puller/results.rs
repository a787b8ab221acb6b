//! Requests the inspection results of calls, beside the pulls and never ahead of them.

use std::sync::Arc;

use tracing::{debug, warn};

use super::Inner;
use crate::model::{Rejection, UnixSeconds};
use crate::store::Store;
use crate::upstream::Upstream;

/// Seconds until results are requested again after a failure that concerns all calls; doubles with
/// each. A key that may not request them would otherwise take a new token with each pull.
const FIRST_PAUSE: UnixSeconds = 5;
const MAX_PAUSE: UnixSeconds = 600;
/// No pause is longer, whatever the vendor asks for. Under a clock that was ahead, it may seem to be.
const LONGEST_PAUSE: UnixSeconds = 3600;

/// How often in a row results could not be requested, and until when they are not.
#[derive(Default)]
pub(super) struct Pause {
    failures: u32,
    until: UnixSeconds,
}

impl Pause {
    fn holds(&self, now: UnixSeconds) -> bool {
        now < self.until && self.until - now <= LONGEST_PAUSE
    }

    /// A result, or a failure of one call, has arrived.
    fn end(&mut self) {
        *self = Self::default();
    }

    /// A failure that concerns all calls has arrived. Returns whether it is the first one: an outage is
    /// logged once, not with each pull.
    fn extend(&mut self, now: UnixSeconds, at_least: UnixSeconds) -> bool {
        let doubled = FIRST_PAUSE << self.failures.min(16);
        self.until = now.saturating_add(doubled.min(MAX_PAUSE).max(at_least));
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }
}

impl<U: Upstream, S: Store> Inner<U, S> {
    /// Starts to request results, unless none is due or it has been started before.
    pub(super) fn start_results(self: &Arc<Self>) {
        let now = (self.clock)();
        if self.results_pause.lock().holds(now) || self.state.lock().next_result(now).is_none() {
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
            let Some((call, written)) = self.state.lock().next_result(now) else {
                return;
            };
            match self.upstream.inspection(&written).await {
                Ok(inspection) => {
                    self.results_pause.lock().end();
                    let outcome = match inspection.scenarios.is_empty() {
                        true => "empty",
                        false => "counted",
                    };
                    self.metrics.count_results(outcome, 1);
                    let rejected = u64::from(inspection.rejected);
                    self.metrics
                        .reject(&Rejection::Measure.to_string(), rejected);
                    self.state.lock().count_result(call, &inspection);
                }
                Err(error) => {
                    self.metrics.count_results("failed", 1);
                    let at_least = error.retry_after.unwrap_or_default().as_secs();
                    let at_least = UnixSeconds::try_from(at_least).unwrap_or(UnixSeconds::MAX);
                    let now = (self.clock)();
                    self.state.lock().postpone_result(call, now, at_least);
                    let target = &self.settings.name;
                    debug!(%target, call = written, %error, "inspection result not received");
                    let mut pause = self.results_pause.lock();
                    if !error.kind.is_general() {
                        pause.end();
                        continue;
                    }
                    if pause.extend(now, at_least) {
                        warn!(%target, %error, "inspection results cannot be requested");
                    }
                    return;
                }
            }
        }
    }
}
