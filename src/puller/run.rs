//! Runs the pulls of one target, never two at once.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use super::backoff::Backoff;
use super::hints::ScanHints;
use super::pull::Pull;
use super::{Inner, Puller, View};
use crate::metrics::catalog;
use crate::upstream::{Error, Upstream};

/// The pull under way, if any.
pub(super) struct InFlight {
    pub(super) backoff: Backoff,
    phase: Phase,
    task: Option<JoinHandle<()>>,
}

impl InFlight {
    /// No pull yet; the first one waits for `backoff`.
    pub(super) fn after(backoff: Backoff) -> Self {
        Self {
            backoff,
            phase: Phase::Idle,
            task: None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    /// A pull that scrapes wait for.
    Incremental,
    /// The comparison of the lookback, after the pull has ended for the scrapes.
    Reconciling,
    /// As before, and a scrape wants the next pull.
    Wanted,
    /// No pull starts any more: another puller has taken over.
    Closed,
}

impl<U: Upstream> Puller<U> {
    /// Starts a pull if one is due. Returns the number of the pull to wait for, `None` if none is
    /// due.
    pub(super) fn join(&self) -> Option<u64> {
        let mut in_flight = self.inner.in_flight.lock();
        let next = *self.inner.ended.borrow() + 1;
        match in_flight.phase {
            Phase::Incremental | Phase::Wanted => Some(next),
            Phase::Closed => None,
            _ if !in_flight.backoff.is_ready(Instant::now()) => None,
            Phase::Reconciling => {
                in_flight.phase = Phase::Wanted;
                self.inner.wanted.send_replace(true);
                Some(next)
            }
            Phase::Idle => {
                in_flight.phase = Phase::Incremental;
                in_flight.task = Some(tokio::spawn(Arc::clone(&self.inner).run()));
                Some(next)
            }
        }
    }

    /// Aborts the pull under way at its next await and lets none start again.
    pub async fn stop(&self) {
        let task = {
            let mut in_flight = self.inner.in_flight.lock();
            in_flight.phase = Phase::Closed;
            in_flight.task.take()
        };
        let results = self.inner.results_task.lock().take();
        for task in task.into_iter().chain(results) {
            task.abort();
            let _ = task.await;
        }
        // A commit outlives its pull.
        drop(self.inner.committing.lock().await);
    }
}

impl<U: Upstream> Inner<U> {
    /// Pulls until no scrape wants another pull.
    async fn run(self: Arc<Self>) {
        let mut reset = ResetPhase {
            inner: &self,
            is_armed: true,
        };
        let hints = self.hints.lock().take();
        let mut hints = hints.unwrap_or_else(|| ScanHints::new(self.settings.page_size));
        loop {
            self.wanted.send_replace(false);
            let began = Instant::now();
            self.reread_teams().await;
            let mut pull = Pull::new(&self, &mut hints);
            let result = pull.incremental().await;
            self.incremental_ended(began, &result);
            if result.is_ok() {
                self.start_results();
            }
            if result.is_ok()
                && let Err(failure) = pull.reconcile().await
            {
                self.reconcile_failed(&failure);
            }
            let mut in_flight = self.in_flight.lock();
            if in_flight.phase == Phase::Wanted {
                in_flight.phase = Phase::Incremental;
                continue;
            }
            // Under the lock, so that no scrape joins a pull that will not come.
            if in_flight.phase == Phase::Closed {
                self.ended.send_modify(|count| *count += 1);
            } else {
                in_flight.phase = Phase::Idle;
            }
            *self.hints.lock() = Some(hints);
            drop(in_flight);
            reset.is_armed = false;
            self.compact();
            return;
        }
    }

    /// Applies the teams if their file has changed.
    async fn reread_teams(&self) {
        let mut reader = self.teams.lock().await;
        let Some(reader) = &mut *reader else { return };
        let Some(teams) = reader.changed().await else {
            return;
        };
        let error = match teams {
            Ok(teams) => {
                self.state.lock().set_teams(teams);
                None
            }
            Err(reason) => Some(((self.clock)(), reason)),
        };
        self.view.lock().teams_error = error;
    }

    /// Records how a pull went, and releases the scrapes that wait for it.
    fn incremental_ended(&self, began: Instant, result: &Result<(), Error>) {
        let now = (self.clock)();
        let (interval, took) = (self.settings.min_pull_interval, began.elapsed());
        (self.metrics).observe(catalog::PULL_DURATION, &[], took.as_secs_f64());
        self.metrics.set(catalog::UP, result.is_ok().into());
        let mut in_flight = self.in_flight.lock();
        let mut view = self.view.lock();
        let was_up = view.up.replace(result.is_ok());
        view.last_pull = Some((now, took));
        match result {
            Ok(()) => {
                in_flight.backoff.succeeded(Instant::now(), interval);
                self.metrics.set(catalog::LAST_SUCCESS, now.into());
                view.last_success = Some(now);
                if was_up == Some(false) {
                    info!(target = %self.settings.name, "pulls succeed again");
                }
            }
            Err(failure) => self.failed("pull", failure, &mut in_flight.backoff, &mut view),
        }
        self.show_next_pull(&in_flight.backoff);
        if in_flight.phase == Phase::Incremental {
            in_flight.phase = Phase::Reconciling;
        }
        self.ended.send_modify(|count| *count += 1);
    }

    /// Records that the comparison failed. The target stays up, because its values are complete
    /// and only older changes are late. The comparison is tried again after the next pull, which
    /// waits as after a failure.
    fn reconcile_failed(&self, failure: &Error) {
        let mut in_flight = self.in_flight.lock();
        let mut view = self.view.lock();
        let what = "comparing the lookback";
        self.failed(what, failure, &mut in_flight.backoff, &mut view);
        self.show_next_pull(&in_flight.backoff);
    }

    /// Counts, logs and shows a failure. The next pull waits.
    fn failed(&self, what: &str, failure: &Error, backoff: &mut Backoff, view: &mut View) {
        let reason = failure.kind.label();
        warn!(target = %self.settings.name, reason, %failure, "{what} failed");
        (self.metrics).add(catalog::PULL_FAILURES, &[reason], 1.0);
        let interval = self.settings.min_pull_interval;
        backoff.failed(Instant::now(), interval, failure.retry_after);
        view.last_error = Some(((self.clock)(), failure.clone()));
    }
}

impl<U> Inner<U> {
    /// Whether another puller has taken over.
    pub(super) fn is_closed(&self) -> bool {
        self.in_flight.lock().phase == Phase::Closed
    }

    /// Waits while a scrape waits for a pull.
    pub(super) async fn wait_for_pull(&self) {
        let mut ended = self.ended.subscribe();
        loop {
            ended.mark_unchanged();
            let phase = self.in_flight.lock().phase;
            if !matches!(phase, Phase::Incremental | Phase::Wanted) {
                return;
            }
            if ended.changed().await.is_err() {
                return;
            }
        }
    }

    fn show_next_pull(&self, backoff: &Backoff) {
        let wait = backoff.wait(Instant::now()).as_secs_f64();
        (self.metrics).set(catalog::NEXT_PULL, f64::from((self.clock)()) + wait);
    }
}

/// Resets the phase even on panic or abort, so that the next scrape can start a pull.
struct ResetPhase<'a, U> {
    inner: &'a Inner<U>,
    is_armed: bool,
}

impl<U> Drop for ResetPhase<'_, U> {
    fn drop(&mut self) {
        if !self.is_armed {
            return;
        }
        let mut in_flight = self.inner.in_flight.lock();
        if in_flight.phase != Phase::Closed {
            in_flight.phase = Phase::Idle;
        }
        if std::thread::panicking() {
            // Nothing else would report the failure, or delay the next pull.
            let interval = self.inner.settings.min_pull_interval;
            in_flight.backoff.failed(Instant::now(), interval, None);
            self.inner.show_next_pull(&in_flight.backoff);
            self.inner.metrics.set(catalog::UP, 0.0);
            let mut view = self.inner.view.lock();
            (view.up, view.last_pull) = (Some(false), None);
        }
        // Scrapes that still wait are answered with what is published.
        self.inner.ended.send_modify(|count| *count += 1);
    }
}
