//! Requests the inspection results of calls, beside the pulls and never ahead of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::{Failure, Inner};
use crate::model::UnixSeconds;
use crate::store::Store;
use crate::upstream::{Error, Upstream};

/// Results counted before they are committed.
const RESULTS_PER_COMMIT: usize = 50;
/// Time after which they are committed anyway.
const COMMIT_INTERVAL: Duration = Duration::from_secs(10);

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
    async fn request_results(self: Arc<Self>) {
        let (mut uncommitted, mut since) = (0, Instant::now());
        loop {
            self.wait_for_pull().await;
            let now = (self.clock)();
            let Some((call, written)) = self.state.lock().next_result(now) else {
                break;
            };
            match self.upstream.inspection(&written).await {
                Ok(inspection) => {
                    let outcome = match inspection.scenarios.is_empty() {
                        true => "empty",
                        false => "counted",
                    };
                    self.metrics.count_results(outcome, 1);
                    self.state.lock().count_result(call, &inspection);
                    uncommitted += 1;
                }
                Err(error) => {
                    self.metrics.count_results("failed", 1);
                    let at_least = error.retry_after.unwrap_or_default().as_secs();
                    let at_least = UnixSeconds::try_from(at_least).unwrap_or(UnixSeconds::MAX);
                    let now = (self.clock)();
                    self.state.lock().postpone_result(call, now, at_least);
                    self.log_failure(&error, &written);
                    if error.kind.is_general() {
                        break;
                    }
                }
            }
            let is_due = uncommitted >= RESULTS_PER_COMMIT || since.elapsed() >= COMMIT_INTERVAL;
            if is_due && uncommitted > 0 {
                if self.commit_results().await.is_err() {
                    return;
                }
                (uncommitted, since) = (0, Instant::now());
            }
        }
        if uncommitted > 0 {
            // The next pull's commit takes what this one does not.
            let _ = self.commit_results().await;
        }
    }

    async fn commit_results(self: &Arc<Self>) -> Result<(), Failure> {
        // Not in the middle of a pull, which would commit what it has not finished.
        self.wait_for_pull().await;
        let result = self.commit().await;
        if let Err(failure) = &result {
            warn!(target = %self.settings.name, %failure, "counted results not committed yet");
        }
        result
    }

    fn log_failure(&self, error: &Error, call: &str) {
        let target = &self.settings.name;
        match error.kind.is_general() {
            true => warn!(%target, %error, "inspection results cannot be requested"),
            false => debug!(%target, call, %error, "inspection result not received"),
        }
    }
}
