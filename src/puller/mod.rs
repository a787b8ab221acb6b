//! The loop of one target: a scrape starts a pull, or waits for the one under way, and answers
//! with what is published at its deadline at the latest. The pull goes on by itself.

pub mod backoff;
mod commit;
mod failure;
mod hints;
mod pending;
pub mod plan;
mod pull;
mod recent;
mod recent_set;
mod reconcile;
mod scan;
pub mod skipped;
pub mod state;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{info, warn};

use backoff::Backoff;
pub use failure::Failure;
use hints::ScanHints;
use plan::Intervals;
use pull::Pull;
use state::TargetState;
pub use view::View;

use crate::metrics::exporter::TargetMetrics;
use crate::model::{CallType, Status, UnixSeconds};
use crate::store::Store;
use crate::upstream::Upstream;

/// The local time. An argument, so that a test can hold it, step it and let it run.
pub type Clock = Arc<dyn Fn() -> UnixSeconds + Send + Sync>;

/// What the configuration says of pulling one target.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// The label `target`.
    pub name: String,
    /// Lookback, overlap, interval of reconciling.
    pub intervals: Intervals,
    /// Rows to ask for a page.
    pub page_size: u32,
    /// Scrapes closer together than this share one pull.
    pub min_pull_interval: Duration,
    /// Pages to read at a time.
    pub parallel: usize,
    /// Calls to remember at most.
    pub max_calls: usize,
}

/// What one puller hands over to the next.
pub struct Handover<S> {
    state: TargetState,
    /// Where the state is kept.
    pub store: Arc<S>,
    /// What is published, where the state may be ahead of it: what was read and not yet kept is
    /// shown after the next commit.
    view: Option<View>,
    /// Holds the next pull off: an interval, a backoff or what the vendor asked for.
    backoff: Backoff,
}

impl<S> Handover<S> {
    /// A state as it is kept.
    pub fn opened(state: TargetState, store: Arc<S>) -> Self {
        Self {
            state,
            store,
            view: None,
            backoff: Backoff::default(),
        }
    }

    /// Makes the series of these types and statuses be there.
    pub fn expect(&mut self, call_types: &[CallType], statuses: &[Status]) {
        self.state.expect(call_types, statuses);
    }

    /// Makes the histograms name a call for each bucket, of those counted from now on.
    pub fn keep_exemplars(&mut self) {
        self.state.keep_exemplars();
    }
}

/// Pulls one target. Clones are handles of the same.
pub struct Puller<U, S> {
    inner: Arc<Inner<U, S>>,
}

impl<U, S> Clone for Puller<U, S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

struct Inner<U, S> {
    settings: Settings,
    upstream: U,
    store: Arc<S>,
    /// Held while a commit is written, also by one whose pull is gone: the next one waits for it.
    committing: Arc<tokio::sync::Mutex<()>>,
    clock: Clock,
    metrics: TargetMetrics,
    state: Mutex<TargetState>,
    /// Taken by the pull under way.
    hints: Mutex<Option<ScanHints>>,
    view: Mutex<View>,
    in_flight: Mutex<InFlight>,
    /// How many pulls have ended, so far as scrapes wait for them.
    ended: watch::Sender<u64>,
    /// Whether somebody wants the next pull: ends what this one does after it has ended for the
    /// scrapes.
    wanted: watch::Sender<bool>,
}

/// Who is pulling: never two at once.
#[derive(Default)]
struct InFlight {
    backoff: Backoff,
    phase: Phase,
    task: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Nobody.
    #[default]
    Idle,
    /// A pull that scrapes wait for.
    Incremental,
    /// A pull that has ended for them, and compares what is left.
    Reconciling,
    /// The same, and it is asked to end and start anew.
    Wanted,
    /// Nobody, and nobody will: another has taken over.
    Closed,
}

impl<U: Upstream, S: Store> Puller<U, S> {
    /// A puller that goes on from a state, as it is kept in the store.
    pub fn new(
        settings: Settings,
        upstream: U,
        clock: Clock,
        metrics: TargetMetrics,
        state: TargetState,
        store: Arc<S>,
    ) -> Self {
        let known = Handover::opened(state, store);
        Self::resume(settings, upstream, clock, metrics, known)
    }

    /// A puller that takes over from one that was closed.
    pub fn resume(
        settings: Settings,
        upstream: U,
        clock: Clock,
        metrics: TargetMetrics,
        known: Handover<S>,
    ) -> Self {
        let Handover {
            mut state,
            store,
            view,
            backoff,
        } = known;
        state.ledger.limit(settings.max_calls);
        let view = view.unwrap_or_else(|| {
            let published = state.published();
            View {
                calls: published.calls.map(Arc::new),
                progress: published.progress,
                remembered: published.remembered,
                skipped: published.skipped,
                last_success: published.looked_at,
                ..View::default()
            }
        });
        state.expect_pulls_every(settings.min_pull_interval);
        metrics.window.set(settings.intervals.lookback.into());
        let interval = settings.min_pull_interval.as_secs_f64();
        metrics.min_pull_interval.set(interval);
        let inner = Inner {
            settings,
            upstream,
            store,
            committing: Arc::default(),
            clock,
            metrics,
            state: Mutex::new(state),
            hints: Mutex::default(),
            view: Mutex::default(),
            in_flight: Mutex::new(InFlight {
                backoff,
                ..InFlight::default()
            }),
            ended: watch::Sender::new(0),
            wanted: watch::Sender::new(false),
        };
        inner.show(
            view.calls,
            view.progress,
            view.last_success,
            view.remembered,
            view.skipped,
        );
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What is published now.
    pub fn view(&self) -> View {
        lock(&self.inner.view).clone()
    }

    /// Starts a pull if one is due, waits for it or for one that is under way, but not beyond the
    /// deadline, and answers with what is published then.
    pub async fn scrape(&self, deadline: Instant) -> View {
        if let Some(number) = self.join() {
            let mut ended = self.inner.ended.subscribe();
            // At the deadline the answer is what there is; the pull goes on.
            let ended = ended.wait_for(|count| *count >= number);
            if tokio::time::timeout_at(deadline, ended).await.is_err() {
                self.inner.metrics.early_scrapes.inc();
            }
        }
        self.view()
    }

    /// The number of the pull to wait for; none if none is due.
    fn join(&self) -> Option<u64> {
        let mut in_flight = lock(&self.inner.in_flight);
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

    /// Ends the pull under way, if any, at its next wait, and lets none start again.
    pub async fn stop(&self) {
        let task = {
            let mut in_flight = lock(&self.inner.in_flight);
            in_flight.phase = Phase::Closed;
            in_flight.task.take()
        };
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
        // A commit outlives its pull.
        drop(self.inner.committing.lock().await);
    }

    /// Ends for good, and hands over what is known. To be called once.
    pub async fn close(&self) -> Handover<S> {
        self.stop().await;
        Handover {
            state: std::mem::take(&mut *lock(&self.inner.state)),
            store: Arc::clone(&self.inner.store),
            view: Some(self.view()),
            backoff: lock(&self.inner.in_flight).backoff.clone(),
        }
    }
}

impl<U: Upstream, S: Store> Inner<U, S> {
    /// Pulls until nobody wants another.
    async fn run(self: Arc<Self>) {
        // However this ends, a later scrape must find the way free.
        let reset = ResetPhase(&self);
        let known = lock(&self.hints).take();
        let mut hints = known.unwrap_or_else(|| ScanHints::new(self.settings.page_size));
        loop {
            self.wanted.send_replace(false);
            let began = Instant::now();
            let mut pull = Pull::new(&self, &mut hints);
            let result = pull.incremental().await;
            self.incremental_ended(began, &result);
            if result.is_ok()
                && let Err(failure) = pull.reconcile().await
            {
                self.reconcile_failed(&failure);
            }
            let mut in_flight = lock(&self.in_flight);
            if in_flight.phase != Phase::Wanted {
                // With the in_flight locked, so that nobody waits for a pull that is not to come.
                if in_flight.phase == Phase::Closed {
                    self.ended.send_modify(|count| *count += 1);
                } else {
                    in_flight.phase = Phase::Idle;
                }
                *lock(&self.hints) = Some(hints);
                drop(in_flight);
                std::mem::forget(reset);
                self.compact();
                return;
            }
            in_flight.phase = Phase::Incremental;
        }
    }

    /// Notes how a pull went, and lets those go who waited for it.
    fn incremental_ended(&self, began: Instant, result: &Result<(), Failure>) {
        let now = (self.clock)();
        let (interval, took) = (self.settings.min_pull_interval, began.elapsed());
        self.metrics.pull_duration.observe(took.as_secs_f64());
        self.metrics.up.set(if result.is_ok() { 1.0 } else { 0.0 });
        let mut in_flight = lock(&self.in_flight);
        let mut view = lock(&self.view);
        let was_up = view.up.replace(result.is_ok());
        view.last_pull = Some((now, took));
        match result {
            Ok(()) => {
                in_flight.backoff.succeeded(Instant::now(), interval);
                self.metrics.set_last_success(now.into());
                view.last_success = Some(now);
                if was_up == Some(false) {
                    info!(target = %self.settings.name, "pulls succeed again");
                }
            }
            Err(failure) => {
                in_flight
                    .backoff
                    .failed(Instant::now(), interval, failure.retry_after());
                self.metrics.pull_failed(failure.label());
                warn!(target = %self.settings.name, reason = failure.label(), %failure, "pull failed");
                view.last_error = Some((now, failure.clone()));
            }
        }
        self.show_next_pull(&in_flight.backoff);
        if in_flight.phase == Phase::Incremental {
            in_flight.phase = Phase::Reconciling;
        }
        self.ended.send_modify(|count| *count += 1);
    }

    /// The comparison is tried again after the next pull, which is held off as after a failure.
    fn reconcile_failed(&self, failure: &Failure) {
        warn!(target = %self.settings.name, reason = failure.label(), %failure,
            "comparing the lookback failed");
        self.compared_badly(failure);
        let interval = self.settings.min_pull_interval;
        let mut in_flight = lock(&self.in_flight);
        in_flight
            .backoff
            .failed(Instant::now(), interval, failure.retry_after());
        self.show_next_pull(&in_flight.backoff);
    }

    /// Counts and shows a failure of a comparison. The target stays up: its values are complete,
    /// only older changes are late.
    fn compared_badly(&self, failure: &Failure) {
        self.metrics.pull_failed(failure.label());
        lock(&self.view).last_error = Some(((self.clock)(), failure.clone()));
    }
}

impl<U, S> Inner<U, S> {
    fn show_next_pull(&self, backoff: &Backoff) {
        let wait = backoff.wait(Instant::now()).as_secs_f64();
        self.metrics.set_next_pull(f64::from((self.clock)()) + wait);
    }
}

/// Leaves the way free for the next pull, even after a panic or an abort of this one.
struct ResetPhase<'a, U, S>(&'a Inner<U, S>);

impl<U, S> Drop for ResetPhase<'_, U, S> {
    fn drop(&mut self) {
        let mut in_flight = lock(&self.0.in_flight);
        if in_flight.phase != Phase::Closed {
            in_flight.phase = Phase::Idle;
        }
        if std::thread::panicking() {
            // Nothing else would tell that the pull has not succeeded, or hold the next one off.
            let interval = self.0.settings.min_pull_interval;
            in_flight.backoff.failed(Instant::now(), interval, None);
            self.0.show_next_pull(&in_flight.backoff);
            self.0.metrics.up.set(0.0);
            let mut view = lock(&self.0.view);
            (view.up, view.last_pull) = (Some(false), None);
        }
        // Whoever still waits is answered with what there is.
        self.0.ended.send_modify(|count| *count += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // After a panic elsewhere the value may be half changed. A state that is so is not taken for
    // sound: its counters and its calls are compared when it is opened again.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
