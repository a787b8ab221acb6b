//! The registry of all targets: what `/metrics`, `/probe`, `/sd` and the status page are made of.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::coalesce::Coalesce;
use super::error::{LoadError, ScrapeError, UnknownTarget};
use super::files::Files;
use super::options::Options;
use super::status::{Status, TargetStatus};
use super::target::Target;
use crate::config::shard::Shard;
use crate::metrics::catalog;
use crate::metrics::exporter::ExporterMetrics;
use crate::metrics::exposition::{Format, Response, Scope, TargetCallMetrics};
use crate::model::UnixSeconds;
use crate::process::blocking;
use crate::puller::View;

/// Answers rendered at a time. More would only wait for a processor, and hold memory.
const RENDERED_AT_ONCE: usize = 4;

/// The fastest level: labels repeat so much that the others save little more.
const GZIP_LEVEL: Compression = Compression::fast();

/// How long [`Registry::close`] waits for a reload that hangs in a file.
const RELOAD_PATIENCE: Duration = Duration::from_secs(5);

pub struct Registry {
    targets: RwLock<Arc<Vec<Arc<Target>>>>,
    pub(super) metrics: Arc<ExporterMetrics>,
    pub(super) options: Options,
    /// Whether the first configuration is active.
    ready: watch::Sender<bool>,
    /// Rendering continues after its client has left, and must not pile up.
    rendering: Arc<Semaphore>,
    pub(super) reloading: Coalesce<Result<(), LoadError>>,
    pub(super) files: Files,
    /// When and why the last reload failed.
    pub(super) reload_error: Mutex<Option<(UnixSeconds, String)>>,
}

/// What a scrape asks for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ScrapeRequest {
    /// The names of the targets, none twice; `None` for all targets.
    pub targets: Option<Vec<String>>,
    pub scope: Scope,
    pub format: Format,
    pub gzip: bool,
}

impl Registry {
    /// A registry without targets; [`Registry::start`] adds them.
    pub fn new(options: Options) -> Self {
        let metrics = ExporterMetrics::new(options.build, f64::from((options.clock)()));
        metrics.set(catalog::SHARD_ORDINAL, options.shard.ordinal().into());
        metrics.set(catalog::TOTAL_SHARDS, options.shard.total().into());
        Self {
            targets: RwLock::default(),
            metrics: Arc::new(metrics),
            options,
            ready: watch::Sender::new(false),
            rendering: Arc::new(Semaphore::new(RENDERED_AT_ONCE)),
            reloading: Coalesce::default(),
            files: Files::default(),
            reload_error: Mutex::default(),
        }
    }

    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    pub fn metrics(&self) -> &ExporterMetrics {
        &self.metrics
    }

    /// The names of all targets, in the order of the configuration.
    pub fn names(&self) -> Vec<String> {
        let targets = self.targets();
        targets
            .iter()
            .map(|target| target.config.name.clone())
            .collect()
    }

    /// Pulls what is due, waits for that until `deadline` at the latest, and renders the metrics
    /// with what is complete by then, whatever state the vendor is in.
    ///
    /// The caller drops the future when the client leaves; pulls and rendering continue without.
    pub async fn scrape(
        &self,
        request: &ScrapeRequest,
        deadline: Instant,
    ) -> Result<Bytes, ScrapeError> {
        let mut ready = self.ready.subscribe();
        let is_ready = timeout_at(deadline, ready.wait_for(|ready| *ready));
        if !matches!(is_ready.await, Ok(Ok(_))) {
            return Err(ScrapeError::NotReady);
        }
        let targets = self.select(request.targets.as_deref())?;
        let views = join_all(targets.iter().map(|target| target.puller.scrape(deadline))).await;
        Ok(self.render(request, targets, views).await)
    }

    /// Renders off the async threads: for a thousand targets an answer has tens of megabytes before
    /// it is compressed.
    async fn render(
        &self,
        request: &ScrapeRequest,
        targets: Vec<Arc<Target>>,
        views: Vec<View>,
    ) -> Bytes {
        let ScrapeRequest {
            scope,
            format,
            gzip,
            ..
        } = *request;
        let metrics = Arc::clone(&self.metrics);
        let storage = self.options.storage.clone();
        let created_lines = self.options.created_lines;
        let now = (self.options.clock)();
        let permit = Arc::clone(&self.rendering).acquire_owned().await;
        blocking(move || {
            let _permit = permit;
            let names: Vec<&str> = targets.iter().map(|target| &*target.config.name).collect();
            for target in &targets {
                let bytes = storage.bytes(&target.config.name);
                target.metrics.set(catalog::STORAGE_BYTES, bytes as f64);
            }
            let shown = targets.iter().zip(&views).filter_map(|(target, view)| {
                Some(TargetCallMetrics {
                    target: &target.config.name,
                    calls: view.snapshot.calls.as_deref()?,
                    is_stale: view.is_stale(now, target.config.gauges_stay()),
                })
            });
            let calls: Vec<TargetCallMetrics<'_>> = shown.collect();
            let response = Response {
                format,
                created_lines,
                targets: &calls,
                exporter: (&metrics, &names),
                scope,
            };
            if !gzip {
                return Bytes::from(response.render());
            }
            let mut encoder =
                GzEncoder::new(Vec::with_capacity(8192 * (1 + targets.len())), GZIP_LEVEL);
            let rendered = response.render_to(&mut encoder);
            let compressed = rendered.and_then(|()| encoder.finish());
            // An empty answer in its place would be an answer without series.
            Bytes::from(compressed.expect("memory takes all that is written"))
        })
        .await
    }

    /// The status page's data, of all targets or of those that are named. Does not block.
    pub fn status(&self, names: Option<&[String]>) -> Result<Status, UnknownTarget> {
        let now = (self.options.clock)();
        let targets = self.select(names)?;
        Ok(Status {
            now,
            version: self.version(),
            is_ready: self.is_ready(),
            targets: (targets.iter())
                .map(|target| TargetStatus::new(target, now))
                .collect(),
            reload_error: self.reload_error.lock().clone(),
        })
    }

    /// A shard shows only its own targets; its number says why others are absent.
    fn version(&self) -> String {
        let (build, shard) = (self.options.build, self.options.shard);
        let version = format!("{} ({})", build.version, build.revision);
        match shard {
            Shard::WHOLE => version,
            _ => {
                let (ordinal, last) = (shard.ordinal(), shard.total() - 1);
                format!("{version}, shard {ordinal} of 0 to {last}")
            }
        }
    }

    /// Ends all pulls, so that the scrapes that wait for them are answered.
    pub async fn stop_pulls(&self) {
        let targets = self.targets();
        join_all(targets.iter().map(|target| target.puller.stop())).await;
    }

    /// Ends all pulls and closes all ledgers.
    pub async fn close(&self) {
        // A reload under way would hand over what is closed here.
        let _paused = timeout(RELOAD_PATIENCE, self.reloading.pause()).await;
        let targets = self.targets();
        join_all(targets.iter().map(|target| target.close())).await;
    }

    pub(super) fn targets(&self) -> Arc<Vec<Arc<Target>>> {
        Arc::clone(&self.targets.read())
    }

    pub(super) fn publish(&self, targets: Vec<Arc<Target>>) {
        *self.targets.write() = Arc::new(targets);
        self.ready.send_replace(true);
    }

    fn select(&self, names: Option<&[String]>) -> Result<Vec<Arc<Target>>, UnknownTarget> {
        let all = self.targets();
        let Some(names) = names else {
            return Ok(all.to_vec());
        };
        let find = |name: &String| {
            let found = all.iter().find(|target| target.config.name == *name);
            found.cloned().ok_or_else(|| UnknownTarget {
                name: name.clone(),
                known: self.names(),
            })
        };
        names.iter().map(find).collect()
    }
}
