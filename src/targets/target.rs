//! One target: its configuration, client, puller and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::warn;

use super::error::LoadError;
use super::files::Files;
use super::options::Options;
use crate::client::retry::RequestOutcome;
use crate::client::tls::Trust;
use crate::client::{Api, HttpClient, Report, Reporter};
use crate::config;
use crate::metrics::catalog;
use crate::metrics::exporter::{ExporterMetrics, ResultOutcome, TargetMetrics};
use crate::model::{Rejection, Status, Teams, UnixSeconds, whole_seconds};
use crate::puller::plan::Intervals;
use crate::puller::state::TargetState;
use crate::puller::{FAILURES, Handover, Puller, Settings, TeamsFile};

pub(super) struct Target {
    pub(super) config: config::Target,
    pub(super) puller: Puller<HttpClient>,
    pub(super) metrics: TargetMetrics,
    reported: Arc<Mutex<Reported>>,
}

/// What the client last reported, for the status page.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Reported {
    /// From this time on a request renews the token; none before the first token.
    pub(super) token_renewal: Option<UnixSeconds>,
    /// Seconds by which the local clock is ahead of the vendor's; none before the first answer.
    pub(super) clock_skew: Option<f64>,
}

/// A target's client and metrics: everything that can fail when a target is set up, except for
/// opening its ledger.
pub(super) struct Prepared {
    config: config::Target,
    metrics: TargetMetrics,
    client: HttpClient,
    reported: Arc<Mutex<Reported>>,
    teams: Option<TeamsFile>,
}

impl Prepared {
    /// Waits for the file of teams for as long as `patience`.
    pub(super) async fn new(
        config: config::Target,
        metrics: &ExporterMetrics,
        trust: &Trust,
        files: &Files,
        patience: Duration,
        now: UnixSeconds,
    ) -> Result<Self, LoadError> {
        let own = metrics.target(&config.name, now.into());
        create_series(&own, config.results.is_some());
        let reported: Arc<Mutex<Reported>> = Arc::default();
        let report = reporter(&config.name, own.clone(), Arc::clone(&reported));
        let client = HttpClient::new(config.clone(), trust, report)
            .map_err(|error| LoadError::target(&config.name, error))?;
        let teams = match config.teams_file.clone() {
            Some(path) => Some(files.teams(path, patience).await?),
            None => None,
        };
        Ok(Self {
            config,
            metrics: own,
            client,
            reported,
            teams,
        })
    }
}

impl Target {
    /// A target that continues from `known`: a ledger that was opened, or the state of the target
    /// that it replaces.
    pub(super) fn new(prepared: Prepared, options: &Options, mut known: Handover) -> Self {
        let Prepared {
            config,
            metrics,
            client,
            reported,
            teams,
        } = prepared;
        if options.exemplars {
            known.state.tallies.enable_exemplars();
        }
        // A bad file is tolerated, and read again once it has changed.
        let read = teams.as_ref().and_then(|file| file.teams.clone().ok());
        start_counting(&mut known.state, &config, read);
        let results = (config.results.as_ref()).map(|it| (it.share, it.max_rules as usize));
        if known.state.count_results(results) {
            warn!(
                target = config.name,
                "results are no longer requested: scores, rules and the calls \
                that wait are forgotten"
            );
        }
        let call_types: Vec<String> = config.call_types.iter().map(ToString::to_string).collect();
        let endpoint = config.endpoint.as_str().trim_end_matches('/');
        metrics.set_info(endpoint, &call_types.join(","));
        metrics.set(catalog::LEDGER_LIMIT, config.max_calls.into());
        let clock = Arc::clone(&options.clock);
        let puller = Puller::new(
            puller_settings(&config),
            client,
            clock,
            metrics.clone(),
            known,
            teams,
        );
        Self {
            config,
            puller,
            metrics,
            reported,
        }
    }

    pub(super) fn reported(&self) -> Reported {
        *self.reported.lock()
    }

    /// Ends the pull under way and closes the ledger, even while a scrape still holds the target.
    pub(super) async fn close(&self) {
        let store = self.puller.close().await.store;
        // A panic while closing has been logged, and the file is released with the store.
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }
}

fn reporter(target: &str, metrics: TargetMetrics, reported: Arc<Mutex<Reported>>) -> Reporter {
    let target = target.to_owned();
    // Whether the first page is still to come, and no failure on the way to it has been logged.
    let is_silent = AtomicBool::new(true);
    Arc::new(move |report| match report {
        Report::Request { api, code, took } => {
            // A request is repeated, with a timeout each time, before the pull fails and is logged.
            let is_failure = !code.starts_with('2');
            let ends_silence = is_failure || api == Api::Details;
            if ends_silence && is_silent.swap(false, Ordering::Relaxed) && is_failure {
                let seconds = took.as_millis() as f64 / 1000.0;
                warn!(
                    target,
                    api = api.label(),
                    code,
                    seconds,
                    "a request failed before the first page was read; it is tried again"
                );
            }
            metrics.request(api.label(), &code, took.as_secs_f64());
        }
        Report::Token { expiry, renewal } => {
            metrics.set(catalog::TOKEN_EXPIRY, expiry);
            reported.lock().token_renewal = Some(renewal as UnixSeconds);
        }
        Report::Retry(api) => metrics.add(catalog::API_RETRIES, &[api.label()], 1.0),
        Report::ClockSkew(seconds) => {
            metrics.set(catalog::CLOCK_SKEW, seconds);
            reported.lock().clock_skew = Some(seconds);
        }
    })
}

pub fn puller_settings(config: &config::Target) -> Settings {
    Settings {
        name: config.name.clone(),
        intervals: Intervals {
            lookback: whole_seconds(config.lookback),
            overlap: whole_seconds(config.overlap),
            // At a longer interval, calls would leave the lookback before they are compared.
            reconcile_interval: whole_seconds(config.reconcile_interval.min(config.lookback / 2)),
        },
        page_size: config.page_size,
        min_pull_interval: config.min_pull_interval,
        parallel: config.max_concurrent_requests as usize,
        max_calls: config.max_calls as usize,
    }
}

/// Creates the series of a target, and counts by team and agent as far as it is configured. Inspection
/// results are not part of it: a backfill requests none.
pub fn start_counting(state: &mut TargetState, config: &config::Target, teams: Option<Arc<Teams>>) {
    let statuses: Vec<Status> = config.statuses().collect();
    state.request(&config.call_types, &statuses);
    if let Some(teams) = teams {
        state.set_teams(teams);
    }
    let max_teams = (config.teams_file.as_ref()).map(|_| config.max_teams as usize);
    state.tallies.count_by_team(max_teams);
    let max_agents = config.agents.then_some(config.max_agents as usize);
    state.tallies.count_by_agent(max_agents);
}

/// Creates the series whose labels are known at 0, so that `rate()` sees their first event.
fn create_series(metrics: &TargetMetrics, with_results: bool) {
    for api in Api::in_use(with_results) {
        let api = api.label();
        metrics.create(catalog::API_REQUEST_DURATION, &[api]);
        metrics.create(catalog::API_RETRIES, &[api]);
        for code in RequestOutcome::foreseeable() {
            metrics.create(catalog::API_REQUESTS, &[api, &code.to_string()]);
        }
    }
    for outcome in ResultOutcome::ALL.iter().filter(|_| with_results) {
        metrics.create(catalog::RESULTS, &[outcome.label()]);
    }
    for reason in FAILURES {
        metrics.create(catalog::PULL_FAILURES, &[reason]);
    }
    for reason in Rejection::ALL {
        metrics.create(catalog::REJECTED, &[reason.label()]);
    }
}
