//! Pulls one target. A scrape starts a pull or joins the one under way, and gets what is published
//! when that ends, or at its own deadline; the pull then continues by itself.

pub mod backoff;
mod commit;
mod failure;
mod gap_read;
mod hints;
mod incremental;
mod missing;
mod pending;
pub mod plan;
mod pull;
mod read;
mod recent;
mod reconcile;
pub mod replay;
mod result_queue;
mod results;
mod run;
mod scan;
pub mod skipped;
pub mod state;
mod team_reader;
mod view;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use backoff::{Backoff, Delays};
pub use failure::FAILURES;
use hints::ScanHints;
use plan::Intervals;
use run::InFlight;
use state::TargetState;
use team_reader::TeamReader;
pub use team_reader::TeamsFile;
pub use view::{Snapshot, View};

use crate::metrics::catalog;
use crate::metrics::exporter::TargetMetrics;
use crate::model::UnixSeconds;
use crate::store::Store;
use crate::upstream::Upstream;

/// After pulls that fail.
const PULL_DELAYS: Delays = Delays {
    first: 1,
    longest: 30,
};

/// The local time; an argument, so that tests control it.
pub type Clock = Arc<dyn Fn() -> UnixSeconds + Send + Sync>;

/// Settings of one target.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// The label `target`.
    pub name: String,
    pub intervals: Intervals,
    /// Rows requested per page.
    pub page_size: u32,
    /// Scrapes closer together than this share one pull.
    pub min_pull_interval: Duration,
    /// Pages requested in parallel.
    pub parallel: usize,
    /// Calls remembered at most.
    pub max_calls: usize,
}

/// What a puller hands over to the one that replaces it after a reload.
pub struct Handover {
    pub state: TargetState,
    pub store: Arc<dyn Store>,
    /// What is published. The state may be ahead of it by what was read and not yet committed.
    view: Option<View>,
    /// When the next pull may start: a `Retry-After` outlives a reload.
    backoff: Backoff,
}

impl Handover {
    /// A state as loaded from the store.
    pub fn opened(state: TargetState, store: Arc<dyn Store>) -> Self {
        Self {
            state,
            store,
            view: None,
            backoff: Backoff::new(PULL_DELAYS),
        }
    }
}

/// Pulls one target.
pub struct Puller<U> {
    inner: Arc<Inner<U>>,
}

struct Inner<U> {
    settings: Settings,
    upstream: U,
    store: Arc<dyn Store>,
    /// Held while a commit is written. A commit outlives an aborted pull; the next one waits.
    committing: Arc<tokio::sync::Mutex<()>>,
    clock: Clock,
    metrics: TargetMetrics,
    state: Mutex<TargetState>,
    /// `None` while a pull uses them.
    hints: Mutex<Option<ScanHints>>,
    /// `None` if calls are not counted by team.
    teams: tokio::sync::Mutex<Option<TeamReader>>,
    view: Mutex<View>,
    in_flight: Mutex<InFlight>,
    /// Requests inspection results.
    results_task: Mutex<Option<JoinHandle<()>>>,
    /// Until when no results are requested, because all requests for them would fail.
    results_backoff: Mutex<Backoff>,
    /// Requests for results that have failed in a row, in ways that may concern all calls.
    results_failures: AtomicU32,
    /// Number of pulls that have ended, as far as scrapes wait for them.
    ended: watch::Sender<u64>,
    /// Whether a scrape wants the next pull, which ends the comparison under way.
    wanted: watch::Sender<bool>,
}

impl<U: Upstream> Puller<U> {
    /// A puller that takes over from a closed one, or starts from a state as loaded from the store.
    /// Whenever the file of teams has changed, it is read again before a pull.
    pub fn new(
        settings: Settings,
        upstream: U,
        clock: Clock,
        metrics: TargetMetrics,
        handover: Handover,
        teams: Option<TeamsFile>,
    ) -> Self {
        let Handover {
            mut state,
            store,
            view,
            backoff,
        } = handover;
        if teams.is_none() {
            metrics.set_optional(catalog::TEAMS_FILE_OK, None);
        }
        let teams = teams.map(|file| TeamReader::new(&settings.name, metrics.clone(), file));
        state.ledger.limit(settings.max_calls);
        state.pull_interval = settings.min_pull_interval;
        let mut view = match view {
            // How the last pull went is true until the next one ends.
            Some(view) => View {
                results_error: None,
                teams_error: None,
                ..view
            },
            None => View {
                snapshot: state.snapshot(),
                last_success: state.looked_at,
                ..View::default()
            },
        };
        // What a reload changes at once. Calls wait for the next commit: the state may be ahead.
        view.snapshot.folded = state.tallies.folded();
        view.snapshot.results = state.pending_results();
        view.snapshot.set_metrics(&metrics);
        if let Some(at) = view.last_success {
            metrics.set(catalog::LAST_SUCCESS, at.into());
        }
        metrics.set(catalog::WINDOW, settings.intervals.lookback.into());
        let interval = settings.min_pull_interval.as_secs_f64();
        metrics.set(catalog::MIN_PULL_INTERVAL, interval);
        let inner = Arc::new(Inner {
            settings,
            upstream,
            store,
            committing: Arc::default(),
            clock,
            metrics,
            state: Mutex::new(state),
            hints: Mutex::default(),
            teams: tokio::sync::Mutex::new(teams),
            view: Mutex::new(view),
            in_flight: Mutex::new(InFlight::after(backoff)),
            results_task: Mutex::default(),
            results_backoff: Mutex::new(Backoff::new(results::DELAYS)),
            results_failures: AtomicU32::default(),
            ended: watch::Sender::new(0),
            wanted: watch::Sender::new(false),
        });
        Self { inner }
    }

    /// What is published now.
    pub fn view(&self) -> View {
        self.inner.view.lock().clone()
    }

    /// Starts a pull if one is due, waits for the pull under way until the deadline at most, and
    /// returns what is published then.
    pub async fn scrape(&self, deadline: Instant) -> View {
        if let Some(number) = self.join() {
            let mut ended = self.inner.ended.subscribe();
            let ended = ended.wait_for(|count| *count >= number);
            if tokio::time::timeout_at(deadline, ended).await.is_err() {
                (self.inner.metrics).add(catalog::EARLY_SCRAPES, &[], 1.0);
            }
        }
        self.view()
    }

    /// Stops for good and hands over the state. Call once.
    pub async fn close(&self) -> Handover {
        self.stop().await;
        Handover {
            state: std::mem::take(&mut *self.inner.state.lock()),
            store: Arc::clone(&self.inner.store),
            view: Some(self.view()),
            backoff: self.inner.in_flight.lock().backoff.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
