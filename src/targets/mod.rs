//! The configured targets: the registry that scrapes, reloads and shows them, each target with its
//! client and puller, and the directory of their ledgers.

mod coalesce;
mod error;
mod files;
mod options;
mod registry;
mod reload;
mod status;
mod storage;
mod target;

pub use crate::metrics::exposition::Scope;
pub use coalesce::Coalesce;
pub use error::{LoadError, ScrapeError, UnknownTarget, listed};
pub use options::{Loader, Options};
pub use registry::{Registry, ScrapeRequest};
pub use reload::log_origin;
pub use status::{CallCount, Health, LoadProgress, NOTABLE_CLOCK_SKEW, Status, TargetStatus};
pub use storage::Storage;
pub use target::{puller_settings, start_counting};
