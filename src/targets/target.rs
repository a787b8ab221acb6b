//! One target: its configuration, client, puller and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tracing::warn;

use super::error::LoadError;
use super::options::Options;
use super::teams::watch_teams;
use crate::client::retry::Outcome;
use crate::client::tls::Trust;
use crate::client::{Api, HttpClient, Report, Reporter};
use crate::config;
use crate::metrics::exporter::{
    ExporterMetrics, Gauge, InitialLabels, RESULT_OUTCOMES, TargetMetrics,
};
use crate::model::{Rejection, Status, Teams, UnixSeconds};
use crate::puller::plan::Intervals;
use crate::puller::state::TargetState;
use crate::puller::{FAILURES, Handover, Puller, Settings};

pub(super) struct Target {
    pub(super) config: config::Target,
    pub(super) puller: Puller<HttpClient>,
    /// Bytes of the ledger's file; measured at each scrape.
    pub(super) storage_bytes: Gauge,
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
}

impl Prepared {
    pub(super) fn new(
        config: config::Target,
        metrics: &ExporterMetrics,
        trust: &Trust,
        now: UnixSeconds,
    ) -> Result<Self, LoadError> {
        let own = metrics.target(
            &config.name,
            &known_labels(config.results.is_some()),
            now.into(),
        );
        let reported: Arc<Mutex<Reported>> = Arc::default();
        let report = reporter(&config.name, own.clone(), Arc::clone(&reported));
        let client = HttpClient::new(config.clone(), trust, report)
            .map_err(|error| LoadError::target(&config.name, error))?;
        Ok(Self {
            config,
            metrics: own,
            client,
            reported,
        })
    }
}

impl Target {
    /// A target that continues from `known`: a ledger that was opened, or the state of the target
    /// that it replaces.
    pub(super) fn new(
        prepared: Prepared,
        metrics: &ExporterMetrics,
        options: &Options,
        mut known: Handover,
    ) -> Self {
        let Prepared {
            config,
            metrics: own,
            client,
            reported,
        } = prepared;
        if options.exemplars {
            known.state.tallies.enable_exemplars();
        }
        let teams_file = config.teams_file.as_deref();
        known.teams = teams_file.map(|path| watch_teams(&config.name, path, own.clone()));
        if known.teams.is_none() {
            own.set_teams_file_ok(None);
        }
        // A bad file is tolerated, and read again once it has changed.
        let teams = known.teams.as_mut().and_then(|read| read()?.ok());
        start_counting(&mut known.state, &config, teams);
        let results = config.results.as_ref();
        (known.state)
            .count_results(results.map(|results| (results.share, results.max_rules as usize)));
        let call_types: Vec<String> = config.call_types.iter().map(ToString::to_string).collect();
        let endpoint = config.endpoint.as_str().trim_end_matches('/');
        metrics.set_target_info(&config.name, endpoint, &call_types.join(","));
        own.ledger_limit.set(config.max_calls.into());
        let storage_bytes = own.storage_bytes.clone();
        let clock = Arc::clone(&options.clock);
        let puller = Puller::resume(puller_settings(&config), client, clock, own, known);
        Self {
            config,
            puller,
            storage_bytes,
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
            let is_page = code == "200" && api == Api::Details;
            let is_failure = code != "200";
            let ends_silence = is_page || is_failure;
            let was_silent = ends_silence && is_silent.swap(false, Ordering::Relaxed);
            if was_silent && is_failure {
                let seconds = took.as_millis() as f64 / 1000.0;
                warn!(target, %api, code, seconds, "a request of the first pull failed");
            }
            metrics.request(&api.to_string(), &code, took.as_secs_f64());
        }
        Report::Token { expiry, renewal } => {
            metrics.set_token_expiry(expiry);
            reported.lock().token_renewal = Some(renewal as UnixSeconds);
        }
        Report::Retry(api) => metrics.retry(&api.to_string()),
        Report::ClockSkew(seconds) => {
            metrics.set_clock_skew(seconds);
            reported.lock().clock_skew = Some(seconds);
        }
    })
}

pub fn puller_settings(config: &config::Target) -> Settings {
    Settings {
        name: config.name.clone(),
        intervals: Intervals {
            lookback: seconds(config.lookback),
            overlap: seconds(config.overlap),
            // At a longer interval, calls would leave the lookback before they are compared.
            reconcile_interval: seconds(config.reconcile_interval.min(config.lookback / 2)),
        },
        page_size: config.page_size,
        min_pull_interval: config.min_pull_interval,
        parallel: config.max_concurrent_requests as usize,
        max_calls: config.max_calls as usize,
    }
}

/// Creates the series of a target, and counts by team and agent as far as it is configured.
pub fn start_counting(state: &mut TargetState, config: &config::Target, teams: Option<Arc<Teams>>) {
    let statuses: Vec<Status> = config.statuses().collect();
    state.tallies.create_series(&config.call_types, &statuses);
    if let Some(teams) = teams {
        state.set_teams(teams);
    }
    let max_teams = (config.teams_file.as_ref()).map(|_| config.max_teams as usize);
    state.tallies.count_by_team(max_teams);
    let max_agents = config.agents.then_some(config.max_agents as usize);
    state.tallies.count_by_agent(max_agents);
}

fn known_labels(with_results: bool) -> InitialLabels {
    InitialLabels {
        apis: Api::in_use(with_results)
            .iter()
            .map(Api::to_string)
            .collect(),
        codes: Outcome::foreseeable()
            .map(|code| code.to_string())
            .collect(),
        results: match with_results {
            true => RESULT_OUTCOMES.map(str::to_owned).to_vec(),
            false => Vec::new(),
        },
        failures: FAILURES.map(str::to_owned).to_vec(),
        rejections: Rejection::ALL.map(|reason| reason.to_string()).to_vec(),
    }
}

fn seconds(duration: Duration) -> UnixSeconds {
    UnixSeconds::try_from(duration.as_secs()).unwrap_or(UnixSeconds::MAX)
}
