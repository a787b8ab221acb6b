//! What the registry is created with.

use std::sync::Arc;

use super::storage::Storage;
use crate::config::shard::Shard;
use crate::config::{Config, ConfigError};
use crate::metrics::exporter::Build;
use crate::puller::Clock;

/// Reads the configuration. It may block.
pub type Loader = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What does not change while the program runs.
pub struct Options {
    pub load: Loader,
    /// The shard of the configured targets that this instance pulls.
    pub shard: Shard,
    pub storage: Storage,
    pub clock: Clock,
    /// For `cec_exporter_build_info` and the status page.
    pub build: Build,
    /// Whether each bucket of the histograms has a call id as its exemplar.
    pub exemplars: bool,
    /// Whether OpenMetrics text has `_created` lines.
    pub created_lines: bool,
}
