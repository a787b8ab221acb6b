//! Requests the inspection results of calls, beside the pulls and never ahead of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tracing::{debug, warn};

use super::Inner;
use crate::model::{Rejection, UnixSeconds};
use crate::store::Store;
use crate::upstream::Upstream;

impl<U: Upstream, S: Store> Inner<U, S> {
    /// Starts to request results, unless none is due or it has been started before.
    pub(super) fn start_results(self: &Arc<Self>) {
        let now = (self.clock)();
        if self.state.lock().next_result(now).is_none() {
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
                    self.note_results(true);
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
                    if error.kind.is_general() {
                        if self.note_results(false) {
                            warn!(%target, %error, "inspection results cannot be requested");
                        }
                        return;
                    }
                }
            }
        }
    }

    /// Records whether results can be requested. Returns whether that has changed: an outage is
    /// logged once, not with each pull.
    fn note_results(&self, are_received: bool) -> bool {
        self.results_received.swap(are_received, Ordering::Relaxed) != are_received
    }
}
