//! Reads the teams of a target again when their file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tracing::{error, info};

use crate::config::read_teams;
use crate::metrics::exporter::TargetMetrics;
use crate::model::Teams;
use crate::puller::TeamSource;

/// A file of teams, as it was when it was last read.
struct TeamsFile {
    target: String,
    path: PathBuf,
    metrics: TargetMetrics,
    /// `None` before the first reading, and while there is no file.
    read: Option<Version>,
}

/// What differs when a file has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    modified: SystemTime,
    bytes: u64,
    /// Kubernetes and editors replace the file.
    inode: u64,
}

/// Gives the teams of a file at the first call, and whenever it has changed. A bad file is refused
/// as a whole; the previous teams stay in use.
pub(super) fn watch_teams(target: &str, path: &Path, metrics: TargetMetrics) -> TeamSource {
    let mut file = TeamsFile {
        target: target.to_owned(),
        path: path.to_owned(),
        metrics,
        read: None,
    };
    Box::new(move || file.read_if_changed())
}

impl TeamsFile {
    fn read_if_changed(&mut self) -> Option<Arc<Teams>> {
        let version = version(&self.path);
        if version.is_some() && version == self.read {
            return None;
        }
        let is_first_failure = version.is_some() || self.read.is_some();
        self.read = version;
        let (target, file) = (&self.target, self.path.display());
        let teams = read_teams(&self.path);
        self.metrics.set_teams_file_ok(Some(teams.is_ok()));
        match teams {
            Ok(teams) => {
                info!(target, %file, teams = teams.names().len(), "teams read");
                Some(Arc::new(teams))
            }
            Err(reason) => {
                if is_first_failure {
                    error!(target, %file, reason, "teams not read; the previous ones stay in use");
                }
                None
            }
        }
    }
}

fn version(path: &Path) -> Option<Version> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some(Version {
        modified: metadata.modified().ok()?,
        bytes: metadata.len(),
        inode: metadata.ino(),
    })
}
