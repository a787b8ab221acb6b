//! Reads the teams of a target again when their file changes.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tracing::info;

use crate::config::read_teams;
use crate::metrics::catalog;
use crate::metrics::exporter::TargetMetrics;
use crate::puller::TeamSource;

/// Gives the teams of a file at the first call, and whenever it has changed. A bad file is refused
/// as a whole; the previous teams stay in use.
pub(super) fn watch_teams(target: &str, path: &Path, metrics: TargetMetrics) -> TeamSource {
    let (target, path) = (target.to_owned(), path.to_owned());
    // `None` before the first reading, and while there is no file.
    let mut read = None;
    Box::new(move || {
        let version = version(&path);
        if version.is_some() && version == read {
            return None;
        }
        let is_first_failure = version.is_some() || read.is_some();
        read = version;
        let file = path.display();
        let teams = read_teams(&path);
        metrics.set(catalog::TEAMS_FILE_OK, teams.is_ok().into());
        match teams {
            Ok(teams) => {
                info!(target, %file, teams = teams.names().len(), "teams read");
                Some(Ok(Arc::new(teams)))
            }
            Err(reason) => is_first_failure.then(|| Err(format!("{file}: {reason}"))),
        }
    })
}

/// What differs when a file has changed: its time, its size, and its inode, because Kubernetes and
/// editors replace the file.
fn version(path: &Path) -> Option<(SystemTime, u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}
