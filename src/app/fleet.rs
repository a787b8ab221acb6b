//! All targets together: what the server asks for, answered by their pullers.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::time::Instant;
use tracing::{error, info};

use super::since_epoch;
use super::storage::{Kept, Storage};
use super::view::target_view;
use crate::config::{Config, ConfigError, Target};
use crate::metrics::exporter::{Build, ExporterMetrics, KnownLabels, TargetMetrics};
use crate::metrics::exposition::{CallMetrics, Format, Own, render};
use crate::model::{Rejection, Status, UnixSeconds};
use crate::puller::book::Book;
use crate::puller::plan::Spans;
use crate::puller::{Clock, Failure, Known, Puller, Settings};
use crate::server::{NotReloaded, Scope, Site, StatusView, UnknownTarget};
use crate::upstream::http::{ClientSettings, HttpClient};
use crate::upstream::{Api, Report, Reporter};

/// Reads the configuration again.
pub(super) type Load = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What a target goes on with after a reload.
enum Ledger {
    /// What was kept of it.
    Opened((Book, Kept)),
    /// What it has now, under another configuration.
    Of(Member),
}

/// All targets, and the metrics of the exporter itself.
pub(super) struct Fleet {
    members: RwLock<Arc<Vec<Member>>>,
    metrics: Arc<ExporterMetrics>,
    clock: Clock,
    load: Load,
    storage: Storage,
    version: String,
    /// Whether histograms name a call for each bucket.
    exemplars: bool,
    /// Held while a configuration is put into force; what that does is done once at a time.
    reloading: tokio::sync::Mutex<()>,
}

/// One target.
struct Member {
    config: Target,
    puller: Puller<HttpClient, Kept>,
}

impl Fleet {
    pub(super) async fn new(
        config: Config,
        load: Load,
        storage: Storage,
        clock: Clock,
        build: Build,
        exemplars: bool,
    ) -> Result<Self, String> {
        storage.prepare()?;
        let metrics = ExporterMetrics::new(build, since_epoch().as_secs_f64())
            .map_err(|error| error.to_string())?;
        let mut members = Vec::with_capacity(config.targets.len());
        for target in config.targets {
            let (own, client) = prepare(&target, &metrics)?;
            let (book, store) = storage.open(&target.name).await?;
            let mut known = Known::opened(book, Arc::new(store));
            if exemplars {
                known.keep_exemplars();
            }
            members.push(member(target, client, own, &clock, known));
        }
        metrics.reload_ok.set(1.0);
        metrics.reload_time.set(since_epoch().as_secs_f64());
        Ok(Self {
            members: RwLock::new(Arc::new(members)),
            metrics: Arc::new(metrics),
            clock,
            load,
            storage,
            version: format!("{} ({})", build.version, build.revision),
            exemplars,
            reloading: tokio::sync::Mutex::new(()),
        })
    }

    /// Ends all pulls and lets go of all ledgers.
    pub(super) async fn stop(&self) {
        // A reload under way would hand over what is ended here.
        let _one_at_a_time = self.reloading.lock().await;
        let members = self.members();
        join_all(members.iter().map(Member::end)).await;
    }

    fn members(&self) -> Arc<Vec<Member>> {
        Arc::clone(&self.members.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a configuration into force: targets that are as they were are not touched, those that
    /// changed go on with what they know of their calls.
    async fn replace(&self, config: Config) -> Result<(), String> {
        let old = self.members();
        let kept = |target: &Target| old.iter().find(|member| member.config == *target);
        // Everything that can fail comes before anything that cannot be undone.
        let mut prepared = Vec::with_capacity(config.targets.len());
        for target in &config.targets {
            if kept(target).is_some() {
                prepared.push(None);
                continue;
            }
            let (own, client) = prepare(target, &self.metrics)?;
            let before = old.iter().find(|member| member.config.name == target.name);
            let ledger = match before {
                Some(before) => Ledger::Of(before.handle()),
                None => Ledger::Opened(self.storage.open(&target.name).await?),
            };
            prepared.push(Some((own, client, ledger)));
        }
        let mut members = Vec::with_capacity(config.targets.len());
        for (target, prepared) in config.targets.into_iter().zip(prepared) {
            let Some((own, client, ledger)) = prepared else {
                members.extend(kept(&target).map(Member::handle));
                continue;
            };
            let mut known = match ledger {
                Ledger::Opened((book, store)) => Known::opened(book, Arc::new(store)),
                Ledger::Of(before) => before.puller.close().await,
            };
            if self.exemplars {
                known.keep_exemplars();
            }
            members.push(member(target, client, own, &self.clock, known));
        }
        for gone in old.iter() {
            if !members
                .iter()
                .any(|member| member.config.name == gone.config.name)
            {
                gone.end().await;
            }
        }
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(members);
        Ok(())
    }
}

/// How long pulls under way may go on when the program is to end: long enough for most, and short
/// of the ten seconds after which containers are killed.
const GRACE: Duration = Duration::from_secs(5);

/// Ends all pulls after a while, so that scrapes that wait for a long one are answered with what
/// there is, instead of being cut.
pub(super) fn halt_later(fleet: Arc<Fleet>) {
    tokio::spawn(async move {
        tokio::time::sleep(GRACE).await;
        let members = fleet.members();
        join_all(members.iter().map(|member| member.puller.stop())).await;
    });
}

impl Member {
    /// Ends its pull and lets go of its ledger, also where a scrape still holds the target.
    async fn end(&self) {
        let store = self.puller.close().await.store;
        // A panic in there would have been logged; nothing is left to be done about it.
        let _ = tokio::task::spawn_blocking(move || store.close()).await;
    }

    fn handle(&self) -> Self {
        Self {
            config: self.config.clone(),
            puller: self.puller.clone(),
        }
    }
}

/// What can fail of a target: its client. Its metrics are there at 0 from now on.
fn prepare(
    target: &Target,
    metrics: &ExporterMetrics,
) -> Result<(TargetMetrics, HttpClient), String> {
    let own = metrics.target(&target.name, &known_labels(), since_epoch().as_secs_f64());
    let reported = own.clone();
    let report: Reporter = Arc::new(move |report| match report {
        Report::Request { api, code, took } => {
            reported.request(&api.to_string(), &code, took.as_secs_f64());
        }
        Report::TokenExpiry(time) => reported.set_token_expiry(time),
        Report::Retry(api) => reported.retry(&api.to_string()),
    });
    let client = HttpClient::new(client_settings(target), report)
        .map_err(|error| format!("target {:?}: {error}", target.name))?;
    Ok((own, client))
}

fn member(
    config: Target,
    client: HttpClient,
    own: TargetMetrics,
    clock: &Clock,
    mut known: Known<Kept>,
) -> Member {
    let statuses: Vec<Status> = Status::documented()
        .chain(config.extra_status_codes.iter().copied())
        .collect();
    known.expect(&config.call_types, &statuses);
    let settings = Settings {
        name: config.name.clone(),
        spans: Spans {
            lookback: seconds(config.lookback),
            overlap: seconds(config.overlap),
            // Slower than that, calls would leave the lookback before their turn came.
            reconcile_interval: seconds(config.reconcile_interval.min(config.lookback / 2)),
        },
        page_size: config.page_size,
        min_pull_interval: config.min_pull_interval,
        parallel: config.max_concurrent_requests as usize,
    };
    let puller = Puller::go_on(settings, client, Arc::clone(clock), own, known);
    Member { config, puller }
}

pub(super) fn client_settings(target: &Target) -> ClientSettings {
    let codes = Status::documented().chain(target.extra_status_codes.iter().copied());
    let (rest, pending): (Vec<Status>, Vec<Status>) = codes.partition(|status| status.is_final());
    let numbers = |statuses: &[Status]| statuses.iter().map(|s| s.number()).collect::<Vec<_>>();
    ClientSettings {
        endpoint: target.endpoint.clone(),
        token_endpoint: target.token_endpoint.clone(),
        app_key: target.app_key.expose().to_owned(),
        app_secret: target.app_secret.expose().to_owned(),
        user_id: target.user_id.clone(),
        tenant_space_id: target.tenant_space_id.clone(),
        call_types: target
            .call_types
            .iter()
            .map(|call_type| call_type.number())
            .collect(),
        status_codes: numbers(&[pending.clone(), rest].concat()),
        pending_codes: numbers(&pending),
        request_timeout: target.request_timeout,
        max_concurrent_requests: target.max_concurrent_requests as usize,
        max_requests_per_second: target.max_requests_per_second,
        ca_file: target.ca_file.clone(),
        proxy_url: target
            .proxy_url
            .as_ref()
            .map(|proxy| proxy.expose().clone()),
    }
}

fn known_labels() -> KnownLabels {
    KnownLabels {
        apis: Api::ALL.map(|api| api.to_string()).to_vec(),
        failures: Failure::LABELS.map(str::to_owned).to_vec(),
        rejections: Rejection::ALL.map(|reason| reason.to_string()).to_vec(),
    }
}

fn seconds(duration: Duration) -> UnixSeconds {
    UnixSeconds::try_from(duration.as_secs()).unwrap_or(UnixSeconds::MAX)
}

impl Site for Fleet {
    async fn scrape(
        &self,
        targets: Option<Vec<String>>,
        scope: Scope,
        format: Format,
        deadline: Instant,
    ) -> Result<Bytes, UnknownTarget> {
        let all = self.members();
        let members: Vec<&Member> = match &targets {
            None => all.iter().collect(),
            Some(names) => names
                .iter()
                .map(|name| {
                    let found = all.iter().find(|member| member.config.name == *name);
                    found.ok_or_else(|| UnknownTarget {
                        name: name.clone(),
                        known: all
                            .iter()
                            .map(|member| member.config.name.clone())
                            .collect(),
                    })
                })
                .collect::<Result<_, _>>()?,
        };
        let views = join_all(members.iter().map(|member| member.puller.scrape(deadline))).await;
        let names: Vec<String> = members
            .iter()
            .map(|member| member.config.name.clone())
            .collect();
        let metrics = Arc::clone(&self.metrics);
        // Of a thousand targets, tens of megabytes: other requests must not wait for that.
        let rendered = tokio::task::spawn_blocking(move || {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let calls: Vec<(&str, &CallMetrics)> = names
                .iter()
                .zip(&views)
                .filter_map(|(name, view)| Some((*name, view.calls.as_deref()?)))
                .collect();
            let own = match (scope, names.as_slice()) {
                (Scope::TargetOnly, [name]) => Own::Only(name),
                _ => Own::With(&names),
            };
            Bytes::from(render(format, &calls, &metrics.gather(), own))
        });
        match rendered.await {
            Ok(answer) => Ok(answer),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The program is at its end, and so is the connection.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn status(&self) -> StatusView {
        let targets = self
            .members()
            .iter()
            .map(|member| target_view(&member.config, &member.puller.view()))
            .collect();
        StatusView {
            version: self.version.clone(),
            targets,
        }
    }

    fn ready(&self) -> bool {
        true
    }

    async fn reload(&self) -> Result<(), NotReloaded> {
        let _one_at_a_time = self.reloading.lock().await;
        let result = match (self.load)() {
            Ok(config) => self.replace(config).await,
            Err(error) => Err(error.to_string()),
        };
        self.metrics
            .reload_ok
            .set(if result.is_ok() { 1.0 } else { 0.0 });
        match result {
            Ok(()) => {
                self.metrics.reload_time.set(since_epoch().as_secs_f64());
                info!("configuration reloaded");
                Ok(())
            }
            Err(reason) => {
                error!(reason, "configuration not reloaded; the old one stays");
                Err(NotReloaded(reason))
            }
        }
    }
}
