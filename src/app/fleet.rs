//! All targets together: what the server asks for, answered by their pullers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use prometheus::Gauge;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{error, info};

use super::member::{Member, member, prepare};
use super::storage::{Opened, Storage};
use super::view::target_view;
use super::{lock, since_epoch, tell_of};
use crate::config::shard::Shard;
use crate::config::{Config, ConfigError, Target};
use crate::metrics::exporter::{Build, ExporterMetrics};
use crate::metrics::exposition::{CallMetrics, ExporterSeries, Format, Shown, Spelling, render};
use crate::puller::{Clock, Handover};
use crate::server::{LastError, NotReloaded, Scope, Site, StatusView, UnknownTarget};
use crate::upstream::tls::Trust;

/// Reads the configuration again.
pub(super) type Load = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Ledgers opened at a time at the start. A new file waits for the disk, and there may be a thousand.
const OPENED_AT_ONCE: usize = 16;

/// Answers written at a time; more would only wait for the processor, with their memory.
const RENDERED_AT_ONCE: usize = 4;

/// What a target goes on with after a reload.
enum Ledger {
    /// What was kept of it.
    Opened(Opened),
    /// What it has now, under another configuration.
    Of(Member),
}

/// What does not change while the program runs.
pub(super) struct Setup {
    pub(super) load: Load,
    /// Which of the configured targets are pulled here.
    pub(super) shard: Shard,
    pub(super) storage: Storage,
    pub(super) clock: Clock,
    pub(super) build: Build,
    /// Whether histograms name a call for each bucket.
    pub(super) exemplars: bool,
    /// Whether OpenMetrics text tells since when each series counts.
    pub(super) created_lines: bool,
}

/// What an answer needs of one target, however long it is in the making.
struct Part {
    name: String,
    calls: Option<Arc<CallMetrics>>,
    is_stale: bool,
    storage_bytes: Gauge,
}

impl Part {
    fn shown(&self) -> Option<Shown<'_>> {
        Some(Shown {
            target: &self.name,
            calls: self.calls.as_deref()?,
            is_stale: self.is_stale,
        })
    }
}

/// All targets, and the metrics of the exporter itself.
pub(super) struct Fleet {
    members: RwLock<Arc<Vec<Member>>>,
    metrics: Arc<ExporterMetrics>,
    setup: Setup,
    /// For writing answers. That goes on when its client has left, and must not pile up.
    rendering: Arc<Semaphore>,
    /// Held while a configuration is put into force; what that does is done once at a time.
    reloading: tokio::sync::Mutex<LastReload>,
    /// Why the last reload failed, until one succeeds.
    reload_error: Mutex<Option<LastError>>,
    /// How many reloads have begun.
    reloads: AtomicU64,
}

/// What came of a reload.
struct LastReload {
    number: u64,
    result: Result<(), NotReloaded>,
}

impl Fleet {
    pub(super) async fn new(config: Config, setup: Setup) -> Result<Self, String> {
        setup.storage.prepare()?;
        let metrics = ExporterMetrics::new(setup.build, since_epoch().as_secs_f64())
            .map_err(|error| error.to_string())?;
        metrics.shard_ordinal.set(setup.shard.ordinal().into());
        metrics.total_shards.set(setup.shard.total().into());
        let config = of_shard(config, setup.shard);
        let trust = trust()?;
        let opened = stream::iter(&config.targets).map(async |target| {
            let prepared = prepare(target, &metrics, &trust)?;
            Ok::<_, String>((prepared, setup.storage.open(&target.name).await?))
        });
        let opened: Vec<_> = opened.buffered(OPENED_AT_ONCE).try_collect().await?;
        let is_new = opened.iter().map(|(_, opened)| opened.is_new);
        report_new(&setup.storage, &config.targets, is_new);
        let members = config.targets.into_iter().zip(opened);
        let members: Vec<Member> = members
            .map(|(target, (prepared, opened))| {
                let known = Handover::opened(opened.state, Arc::new(opened.store));
                member(target, prepared, &metrics, &setup, known)
            })
            .collect();
        metrics.reload_ok.set(1.0);
        metrics.reload_time.set(since_epoch().as_secs_f64());
        Ok(Self {
            members: RwLock::new(Arc::new(members)),
            metrics: Arc::new(metrics),
            setup,
            rendering: Arc::new(Semaphore::new(RENDERED_AT_ONCE)),
            reloading: tokio::sync::Mutex::new(LastReload {
                number: 0,
                result: Ok(()),
            }),
            reload_error: Mutex::default(),
            reloads: AtomicU64::new(0),
        })
    }

    /// Ends all pulls and lets go of all ledgers.
    pub(super) async fn stop(&self) {
        // A reload under way would hand over what is ended here; one that hangs in a file will not.
        let _one_at_a_time = tokio::time::timeout(GRACE, self.reloading.lock()).await;
        let members = self.members();
        join_all(members.iter().map(Member::end)).await;
    }

    fn members(&self) -> Arc<Vec<Member>> {
        Arc::clone(&self.members.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a configuration into force: targets that are as they were are not touched, those that
    /// changed go on with what they know of their calls.
    async fn replace(&self, config: Config, trust: &Trust) -> Result<(), String> {
        let old = self.members();
        let kept = |target: &Target| old.iter().find(|member| member.config == *target);
        // Everything that can fail comes before anything that cannot be undone.
        let mut prepared = Vec::with_capacity(config.targets.len());
        for target in &config.targets {
            if kept(target).is_some() {
                prepared.push(None);
                continue;
            }
            let new = prepare(target, &self.metrics, trust)?;
            let before = old.iter().find(|member| member.config.name == target.name);
            let ledger = match before {
                Some(before) => Ledger::Of(before.handle()),
                None => Ledger::Opened(self.setup.storage.open(&target.name).await?),
            };
            prepared.push(Some((new, ledger)));
        }
        let is_new = prepared
            .iter()
            .map(|prepared| matches!(prepared, Some((_, Ledger::Opened(opened))) if opened.is_new));
        report_new(&self.setup.storage, &config.targets, is_new);
        let mut members = Vec::with_capacity(config.targets.len());
        for (target, prepared) in config.targets.into_iter().zip(prepared) {
            let Some((new, ledger)) = prepared else {
                members.extend(kept(&target).map(Member::handle));
                continue;
            };
            let known = match ledger {
                Ledger::Opened(opened) => Handover::opened(opened.state, Arc::new(opened.store)),
                Ledger::Of(before) => before.puller.close().await,
            };
            members.push(member(target, new, &self.metrics, &self.setup, known));
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

/// Says which targets begin a new ledger; `is_new` is in their order.
fn report_new(storage: &Storage, targets: &[Target], is_new: impl Iterator<Item = bool>) {
    let new: Vec<String> = targets
        .iter()
        .zip(is_new)
        .filter(|(_, is_new)| *is_new)
        .map(|(target, _)| target.name.clone())
        .collect();
    storage.report_new(&new, targets);
}

fn trust() -> Result<Trust, String> {
    Trust::of_this_machine().map_err(|error| error.to_string())
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
        let now = (self.setup.clock)();
        let parts: Vec<Part> = members
            .iter()
            .zip(views)
            .map(|(member, view)| Part {
                name: member.config.name.clone(),
                is_stale: view.is_stale(now, member.config.stale_after),
                calls: view.calls,
                storage_bytes: member.storage_bytes.clone(),
            })
            .collect();
        let metrics = Arc::clone(&self.metrics);
        let storage = self.setup.storage.clone();
        let spelling = Spelling {
            format,
            created_lines: self.setup.created_lines,
        };
        let turn = Arc::clone(&self.rendering).acquire_owned().await;
        // Of a thousand targets, tens of megabytes: other requests must not wait for that.
        let rendered = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            for part in &parts {
                part.storage_bytes.set(storage.bytes(&part.name) as f64);
            }
            let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
            let calls: Vec<Shown<'_>> = parts.iter().filter_map(Part::shown).collect();
            let own = match (scope, names.as_slice()) {
                (Scope::TargetOnly, [name]) => ExporterSeries::Only(name),
                _ => ExporterSeries::With(&names),
            };
            Bytes::from(render(spelling, &calls, &metrics.gather(), own))
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
            .map(|member| target_view(&member.config, &member.puller.view(), member.client_facts()))
            .collect();
        StatusView {
            version: version(self.setup.build, self.setup.shard),
            targets,
            reload_error: lock(&self.reload_error).clone(),
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
        let before = self.reloads.load(Ordering::SeqCst);
        let mut last = self.reloading.lock().await;
        // One that began after this was asked for has read what this would read.
        if last.number <= before {
            last.number = self.reloads.fetch_add(1, Ordering::SeqCst) + 1;
            last.result = self.reload_now().await;
        }
        last.result.clone()
    }
}

impl Fleet {
    async fn reload_now(&self) -> Result<(), NotReloaded> {
        let load = Arc::clone(&self.setup.load);
        let loaded = tokio::task::spawn_blocking(move || {
            let config = load().map_err(|error| error.to_string())?;
            tell_of(&config.origin, &config.warnings);
            Ok((config, trust()?))
        });
        let result = match loaded.await {
            Ok(Ok((config, trust))) => {
                self.replace(of_shard(config, self.setup.shard), &trust)
                    .await
            }
            Ok(Err(reason)) => Err(reason),
            Err(broken) => Err(broken.to_string()),
        };
        self.metrics
            .reload_ok
            .set(if result.is_ok() { 1.0 } else { 0.0 });
        *lock(&self.reload_error) = result.as_ref().err().map(|reason| LastError {
            at: (self.setup.clock)(),
            message: reason.clone(),
            likely_cause: None,
        });
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
