//! Loading the configuration, at the start and again: from active targets to configured ones.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tracing::{error, info, warn};

use super::error::LoadError;
use super::files::PATIENCE;
use super::registry::Registry;
use super::storage::Opened;
use super::target::{Prepared, Target};
use crate::client::tls::Trust;
use crate::config::shard::Shard;
use crate::config::{self, Config};
use crate::metrics::catalog;

/// Ledgers opened at a time: a new file waits for the disk, and there may be a thousand targets.
const OPENED_AT_ONCE: usize = 16;

/// What happens to one target of a new configuration.
enum Change {
    /// Its configuration is the same.
    Keep(Arc<Target>),
    /// It is new, with the ledger found on disk.
    Add(Box<Prepared>, Box<Opened>),
    /// Its configuration has changed: it continues with the state of the one before.
    Replace(Box<Prepared>, Arc<Target>),
}

impl Registry {
    /// Applies the first configuration. Scrapes wait until then. After an error the
    /// registry stays without targets.
    pub async fn start(&self, config: Config) -> Result<(), LoadError> {
        let started = self.reloading.run(|| async {
            self.options.storage.create_directory()?;
            let trust = self.files.trust().await?;
            // It waits for files as long as it takes.
            self.apply(config, &trust, Duration::MAX).await
        });
        started.await?;
        self.note_success();
        Ok(())
    }

    /// Loads the configuration again. After an error the one before stays active. Runs to its
    /// end even if it is the request of a client that leaves.
    pub async fn reload(&self) -> Result<(), LoadError> {
        self.reloading.run(|| self.reload_now()).await
    }

    async fn reload_now(&self) -> Result<(), LoadError> {
        let result = match self.files.config(&self.options.load).await {
            Ok((config, trust)) => {
                log_origin(&config.origin, &config.warnings);
                self.apply(config, &trust, PATIENCE).await
            }
            Err(error) => Err(error),
        };
        // A reload that failed may have prepared targets too.
        self.metrics.retain_targets(&self.names());
        match &result {
            Ok(()) => {
                self.note_success();
                info!("configuration reloaded");
            }
            Err(reason) => {
                self.metrics.set(catalog::RELOAD_OK, 0.0);
                let now = (self.options.clock)();
                *self.reload_error.lock() = Some((now, reason.to_string()));
                error!(%reason, "configuration not reloaded; the previous one stays in use");
            }
        }
        result
    }

    fn note_success(&self) {
        self.metrics.set(catalog::RELOAD_OK, 1.0);
        let now = (self.options.clock)();
        self.metrics.set(catalog::RELOAD_TIME, now.into());
        *self.reload_error.lock() = None;
    }

    /// Applies a configuration. Unchanged targets are not touched; changed ones continue
    /// with their calls.
    async fn apply(
        &self,
        config: Config,
        trust: &Trust,
        patience: Duration,
    ) -> Result<(), LoadError> {
        let old = self.targets();
        let configs = self.of_this_shard(config);
        // Everything that can fail comes before anything that cannot be undone.
        let changes = stream::iter(configs.clone())
            .map(|config| self.change(config, &old, trust, patience))
            .buffered(OPENED_AT_ONCE);
        let changes: Vec<Change> = changes.try_collect().await?;
        let is_new = |change: &Change| matches!(change, Change::Add(_, opened) if opened.is_new);
        let new: Vec<&str> = (configs.iter().zip(&changes))
            .filter(|(_, change)| is_new(change))
            .map(|(config, _)| config.name.as_str())
            .collect();
        self.options.storage.log_new(&new, &configs);
        let mut targets = Vec::with_capacity(changes.len());
        for change in changes {
            let (prepared, known) = match change {
                Change::Keep(target) => {
                    targets.push(target);
                    continue;
                }
                Change::Add(prepared, opened) => (prepared, opened.known),
                Change::Replace(prepared, before) => (prepared, before.puller.close().await),
            };
            let target = Target::new(*prepared, &self.options, known);
            targets.push(Arc::new(target));
        }
        for target in old.iter() {
            if !configs
                .iter()
                .any(|config| config.name == target.config.name)
            {
                target.close().await;
            }
        }
        self.publish(targets);
        Ok(())
    }

    async fn change(
        &self,
        config: config::Target,
        old: &[Arc<Target>],
        trust: &Trust,
        patience: Duration,
    ) -> Result<Change, LoadError> {
        let before = old.iter().find(|target| target.config.name == config.name);
        if let Some(before) = before
            && before.config == config
        {
            return Ok(Change::Keep(Arc::clone(before)));
        }
        let now = (self.options.clock)();
        let name = config.name.clone();
        let (metrics, files) = (&self.metrics, &self.files);
        let prepared = Prepared::new(config, metrics, trust, files, patience, now);
        let prepared = Box::new(prepared.await?);
        Ok(match before {
            Some(before) => Change::Replace(prepared, Arc::clone(before)),
            None => {
                let opened = self.options.storage.open(&name).await?;
                Change::Add(prepared, Box::new(opened))
            }
        })
    }

    fn of_this_shard(&self, config: Config) -> Vec<config::Target> {
        let (shard, configured) = (self.options.shard, config.targets.len());
        let mut targets = config.targets;
        targets.retain(|target| shard.owns(&target.name));
        if shard != Shard::WHOLE {
            info!(
                shard = shard.ordinal(),
                total_shards = shard.total(),
                configured,
                targets = targets.len(),
                "this instance serves its shard of the targets"
            );
        }
        targets
    }
}

/// Logs where a configuration comes from, and its warnings.
pub fn log_origin(origin: &str, warnings: &[String]) {
    info!(from = %origin, "configuration read");
    for warning in warnings {
        warn!("{warning}");
    }
}
