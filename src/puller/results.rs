//! Requests the inspection results of calls, beside the pulls and never ahead of them.

use std::sync::Arc;

use tracing::{debug, warn};

use super::Inner;
use crate::model::UnixSeconds;
use crate::store::Store;
use crate::upstream::{Error, Upstream};

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
                    let outcome = match inspection.scenarios.is_empty() {
                        true => "empty",
                        false => "counted",
                    };
                    self.metrics.count_results(outcome, 1);
                    self.state.lock().count_result(call, &inspection);
                }
                Err(error) => {
                    self.metrics.count_results("failed", 1);
                    let at_least = error.retry_after.unwrap_or_default().as_secs();
                    let at_least = UnixSeconds::try_from(at_least).unwrap_or(UnixSeconds::MAX);
                    let now = (self.clock)();
                    self.state.lock().postpone_result(call, now, at_least);
                    self.log_failure(&error, &written);
                    if error.kind.is_general() {
                        return;
                    }
                }
            }
        }
    }

    fn log_failure(&self, error: &Error, call: &str) {
        let target = &self.settings.name;
        match error.kind.is_general() {
            true => warn!(%target, %error, "inspection results cannot be requested"),
            false => debug!(%target, call, %error, "inspection result not received"),
        }
    }
}
