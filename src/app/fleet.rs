//! All targets together: what the server asks for, answered by their pullers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::Instant;
use tracing::{error, info};

use super::since_epoch;
use super::storage::{Kept, Storage};
use super::view::target_view;
use crate::config::shard::Shard;
use crate::config::{Config, ConfigError, Target};
use crate::metrics::exporter::{Build, ExporterMetrics, KnownLabels, TargetMetrics};
use crate::metrics::exposition::{CallMetrics, Own, render};
use crate::model::{Rejection, Status, UnixSeconds};
use crate::puller::book::Book;
use crate::puller::plan::Spans;
use crate::puller::{Clock, Failure, Known, Puller, Settings};
use crate::server::{NotReloaded, Scope, Site, StatusView, UnknownTarget};
use crate::upstream::http::{ClientSettings, HttpClient};
use crate::upstream::trust::Trust;
use crate::upstream::{Api, Report, Reporter};

/// Reads the configuration again.
pub(super) type Load = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Ledgers opened at a time at the start. A new file waits for the disk, and there may be a thousand.
const OPENED_AT_ONCE: usize = 16;

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
    metrics: ExporterMetrics,
    clock: Clock,
    load: Load,
    /// Which of the configured targets are pulled here.
    shard: Shard,
    storage: Storage,
    version: String,
    /// Held while a configuration is put into force; what that does is done once at a time.
    reloading: tokio::sync::Mutex<()>,
}

/// One target.
struct Member {
    config: Target,
    puller: Puller<HttpClient, Kept>,
    token_renewal: TokenRenewal,
}

/// From when on a request renews the token; none before the first token.
type TokenRenewal = Arc<Mutex<Option<UnixSeconds>>>;

impl Fleet {
    pub(super) async fn new(
        config: Config,
        load: Load,
        shard: Shard,
        storage: Storage,
        clock: Clock,
        build: Build,
    ) -> Result<Self, String> {
        storage.prepare()?;
        let metrics = ExporterMetrics::new(build).map_err(|error| error.to_string())?;
        metrics.shard_ordinal.set(shard.ordinal().into());
        metrics.total_shards.set(shard.total().into());
        let config = of_shard(config, shard);
        let trust = Trust::of_this_machine().map_err(|error| error.to_string())?;
        let members = stream::iter(config.targets).map(async |target| {
            let prepared = prepare(&target, &metrics, &trust)?;
            let (book, store) = storage.open(&target.name).await?;
            let known = Known::opened(book, Arc::new(store));
            Ok::<_, String>(member(target, prepared, &clock, known))
        });
        let members: Vec<Member> = members.buffered(OPENED_AT_ONCE).try_collect().await?;
        metrics.reload_ok.set(1.0);
        metrics.reload_time.set(since_epoch().as_secs_f64());
        Ok(Self {
            members: RwLock::new(Arc::new(members)),
            metrics,
            clock,
            load,
            shard,
            storage,
            version: version(build, shard),
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
        let trust = Trust::of_this_machine().map_err(|error| error.to_string())?;
        // Everything that can fail comes before anything that cannot be undone.
        let mut prepared = Vec::with_capacity(config.targets.len());
        for target in &config.targets {
            if kept(target).is_some() {
                prepared.push(None);
                continue;
            }
            let new = prepare(target, &self.metrics, &trust)?;
            let before = old.iter().find(|member| member.config.name == target.name);
            let ledger = match before {
                Some(before) => Ledger::Of(before.handle()),
                None => Ledger::Opened(self.storage.open(&target.name).await?),
            };
            prepared.push(Some((new, ledger)));
        }
        let mut members = Vec::with_capacity(config.targets.len());
        for (target, prepared) in config.targets.into_iter().zip(prepared) {
            let Some((new, ledger)) = prepared else {
                members.extend(kept(&target).map(Member::handle));
                continue;
            };
            let known = match ledger {
                Ledger::Opened((book, store)) => Known::opened(book, Arc::new(store)),
                Ledger::Of(before) => before.puller.close().await,
            };
            members.push(member(target, new, &self.clock, known));
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

/// What stands beside the name on the status page. A shard does not show all targets, which would
/// puzzle who does not know.
fn version(build: Build, shard: Shard) -> String {
    let version = format!("{} ({})", build.version, build.revision);
    match shard {
        Shard::WHOLE => version,
        _ => format!(
            "{version}, shard {} of 0 to {}",
            shard.ordinal(),
            shard.total() - 1
        ),
    }
}

/// The targets that are pulled here.
fn of_shard(config: Config, shard: Shard) -> Config {
    let configured = config.targets.len();
    let config = config.keep(shard);
    if shard != Shard::WHOLE {
        let (shard, total_shards) = (shard.ordinal(), shard.total());
        info!(
            shard,
            total_shards,
            configured,
            targets = config.targets.len(),
            "targets shared"
        );
    }
    config
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
            token_renewal: Arc::clone(&self.token_renewal),
        }
    }
}

/// What a target needs besides what is known of its calls.
struct Prepared {
    own: TargetMetrics,
    client: HttpClient,
    token_renewal: TokenRenewal,
}

/// What can fail of a target: its client. Its metrics are there at 0 from now on.
fn prepare(
    target: &Target,
    metrics: &ExporterMetrics,
    trust: &Trust,
) -> Result<Prepared, String> {
    let own = metrics.target(&target.name, &known_labels());
    let reported = own.clone();
    let token_renewal = TokenRenewal::default();
    let renewal_reported = Arc::clone(&token_renewal);
    let report: Reporter = Arc::new(move |report| match report {
        Report::Request { api, code, took } => {
            reported.request(&api.to_string(), &code, took.as_secs_f64());
        }
        Report::Token { expiry, renewal } => {
            reported.set_token_expiry(expiry);
            *lock(&renewal_reported) = Some(renewal as UnixSeconds);
        }
        Report::Retry(api) => reported.retry(&api.to_string()),
    });
    let client = HttpClient::new(client_settings(target), trust, report)
        .map_err(|error| format!("target {:?}: {error}", target.name))?;
    Ok(Prepared {
        own,
        client,
        token_renewal,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn member(config: Target, new: Prepared, clock: &Clock, mut known: Known<Kept>) -> Member {
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
    let puller = Puller::go_on(settings, new.client, Arc::clone(clock), new.own, known);
    Member {
        config,
        puller,
        token_renewal: new.token_renewal,
    }
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
        let names: Vec<&str> = members
            .iter()
            .map(|member| member.config.name.as_str())
            .collect();
        let calls: Vec<(&str, &CallMetrics)> = names
            .iter()
            .zip(&views)
            .filter_map(|(name, view)| Some((*name, view.calls.as_deref()?)))
            .collect();
        let own = match (scope, names.as_slice()) {
            (Scope::TargetOnly, [name]) => Own::Only(name),
            _ => Own::With(&names),
        };
        Ok(render(&calls, &self.metrics.gather(), own).into())
    }

    fn status(&self) -> StatusView {
        let targets = self
            .members()
            .iter()
            .map(|member| {
                let renewal = *lock(&member.token_renewal);
                target_view(&member.config, &member.puller.view(), renewal)
            })
            .collect();
        StatusView {
            version: self.version.clone(),
            targets,
        }
    }

    fn ready(&self) -> bool {
        true
    }

    fn scrape_began(&self) {
        self.metrics.scrapes_in_flight.inc();
    }

    fn scrape_ended(&self, status: Option<u16>) {
        self.metrics.scrapes_in_flight.dec();
        if let Some(status) = status {
            self.metrics.scrape_answered(&status.to_string());
        }
    }

    async fn reload(&self) -> Result<(), NotReloaded> {
        let _one_at_a_time = self.reloading.lock().await;
        let result = match (self.load)() {
            Ok(config) => self.replace(of_shard(config, self.shard)).await,
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
