//! Where the ledgers of the targets are stored.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};

use super::error::LoadError;
use crate::config::Target;
use crate::puller::Handover;
use crate::puller::state::TargetState;
use crate::store::{self, Backend, NullStore, file_name};

pub(super) struct Opened {
    pub(super) known: Handover,
    /// The file did not exist.
    pub(super) is_new: bool,
}

/// Names of unused ledgers in a log line.
const MAX_NAMES: usize = 10;

#[derive(Clone, Debug)]
pub enum Storage {
    /// Only in memory: counters start over with the process.
    InMemory,
    /// A file for each target in this directory.
    Directory(PathBuf),
}

impl Storage {
    pub fn create_directory(&self) -> Result<(), LoadError> {
        let Some(path) = self.directory() else {
            return Ok(());
        };
        create(path).map_err(|reason| LoadError::Storage {
            directory: path.display().to_string(),
            reason,
        })
    }

    fn directory(&self) -> Option<&Path> {
        match self {
            Self::InMemory => None,
            Self::Directory(path) => Some(path),
        }
    }

    /// Size of a target's file in bytes. Blocks for a moment.
    pub(super) fn bytes(&self, target: &str) -> u64 {
        // A scrape does not fail because of a file that cannot be examined.
        self.directory()
            .and_then(|path| fs::metadata(path.join(file_name(target))).ok())
            .map_or(0, |metadata| metadata.len())
    }

    /// Opens the ledger of a target, and reads all of it away from the async threads.
    pub(super) async fn open(&self, target: &str) -> Result<Opened, LoadError> {
        let Some(directory) = self.directory() else {
            return Ok(Opened {
                known: Handover::opened(TargetState::default(), Arc::new(NullStore)),
                is_new: false,
            });
        };
        let path = directory.join(file_name(target));
        let opened = tokio::task::spawn_blocking(move || {
            let is_new = !path.exists();
            TargetState::open(Backend::File(path)).map(|(state, store)| Opened {
                known: Handover::opened(state, Arc::new(store)),
                is_new,
            })
        });
        opened
            .await
            .map_err(|panic| LoadError::Panic(panic.to_string()))?
            .map_err(|error| LoadError::target(target, error))
    }

    /// Logs which targets start with an empty ledger. A renamed target looks like a new one, and
    /// so do all targets if a volume is not mounted.
    pub(super) fn log_new(&self, new: &[&str], targets: &[Target]) {
        let Some(directory) = self.directory() else {
            return;
        };
        let unused = unused(directory, targets);
        for target in new {
            if store::unfinished(&directory.join(file_name(target))).exists() {
                warn!(
                    target, directory = %directory.display(),
                    "a backfill of the target has not finished, and cannot finish once the target has \
                     another ledger: to finish it, stop the exporter, move the new ledger away, and \
                     run the backfill again"
                );
            }
        }
        let directory = directory.display();
        if !unused.is_empty() {
            let named = unused[..unused.len().min(MAX_NAMES)].join(" ");
            let count = unused.len();
            for target in new {
                warn!(
                    target, %directory, unused = named, count,
                    "no ledger found, counters of the target start at 0; the directory has ledgers \
                     that no target uses: if the target was renamed, stop the exporter, rename its \
                     ledger too, and start it again"
                );
            }
        } else if new.len() == targets.len() && !new.is_empty() {
            info!(
                %directory, targets = new.len(),
                "no ledgers in the directory, all counters start at 0"
            );
        } else {
            for target in new {
                info!(target, %directory, "no ledger found, counters of the target start at 0");
            }
        }
    }
}

/// Ledgers in a directory that belong to none of the targets.
fn unused(directory: &Path, targets: &[Target]) -> Vec<String> {
    let used: Vec<String> = targets.iter().map(|t| file_name(&t.name)).collect();
    // If the directory cannot be listed, its ledgers can still be opened by name.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut unused: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".redb") && !used.contains(name))
        .collect();
    unused.sort_unstable();
    unused
}

/// Creates a directory with mode 700, whatever the umask is. An existing one keeps its mode: it may
/// be a volume, or contain other things.
fn create(path: &Path) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    match (fs::symlink_metadata(path), fs::metadata(path)) {
        (Ok(_), Ok(found)) if found.is_dir() => return Ok(()),
        (Ok(_), Ok(_)) => return Err("it is a file".to_owned()),
        (Ok(link), Err(error)) if link.is_symlink() => {
            let to = fs::read_link(path).map_err(text)?;
            return Err(format!(
                "it is a symbolic link to {}: {error}",
                to.display()
            ));
        }
        _ => {}
    }
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(text)?;
    // A strict umask can take rights from the owner too.
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(text)
}
