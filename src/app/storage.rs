//! Where the ledgers of the targets are kept.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use crate::config::Target;
use crate::puller::state::TargetState;
use crate::store::{Backend, NullStore, Store, file_name};

/// Where one target's ledger is kept.
pub(super) type Kept = Box<dyn Store>;

/// A ledger as it was found.
pub(super) struct Opened {
    pub(super) state: TargetState,
    pub(super) store: Kept,
    /// There was no file.
    pub(super) is_new: bool,
}

/// Names of unused ledgers that a message lists.
const MOST_NAMES: usize = 10;

/// Where ledgers are kept.
#[derive(Clone, Debug)]
pub(super) enum Storage {
    /// NullStore: counters start over with the process.
    InMemory,
    /// A file per target in this directory.
    Directory(PathBuf),
}

impl Storage {
    /// Makes the directory if it is not there.
    pub(super) fn prepare(&self) -> Result<(), String> {
        match self {
            Self::InMemory => Ok(()),
            Self::Directory(path) => make_directory(path).map_err(|reason| {
                format!(
                    "--storage.path: cannot make the directory {}: {reason}; choose another one, \
                     or start with --storage.in-memory (counters then start over at each restart)",
                    path.display()
                )
            }),
        }
    }

    /// Bytes of a target's file. Blocks for a moment.
    pub(super) fn bytes(&self, target: &str) -> u64 {
        match self {
            Self::InMemory => 0,
            // A file that cannot be looked at is no reason for a scrape to fail.
            Self::Directory(path) => {
                std::fs::metadata(path.join(file_name(target))).map_or(0, |metadata| metadata.len())
            }
        }
    }

    /// What was kept of a target. Reads all of it off the async threads.
    pub(super) async fn open(&self, target: &str) -> Result<Opened, String> {
        let Self::Directory(directory) = self else {
            return Ok(Opened {
                state: TargetState::default(),
                store: Box::new(NullStore),
                is_new: false,
            });
        };
        let path = directory.join(file_name(target));
        let opened = tokio::task::spawn_blocking(|| {
            let is_new = !path.exists();
            TargetState::open(Backend::File(path)).map(|(state, store)| Opened {
                state,
                store: Box::new(store),
                is_new,
            })
        });
        opened
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("target {target:?}: {error}"))
    }

    /// Says which targets count from 0 on. A target that was renamed looks like a new one, and so
    /// do all where a volume is not mounted.
    pub(super) fn report_new(&self, new: &[String], targets: &[Target]) {
        let Self::Directory(directory) = self else {
            return;
        };
        let unused = unused(directory, targets);
        let directory = directory.display();
        if !unused.is_empty() {
            let named = unused[..unused.len().min(MOST_NAMES)].join(" ");
            let count = unused.len();
            for target in new {
                warn!(
                    target, %directory, unused = named, count,
                    "a new ledger begins: counters of the target start at 0; there are ledgers \
                     that no target uses: if the target was renamed, stop, rename its file, start"
                );
            }
        } else if new.len() == targets.len() && !new.is_empty() {
            info!(
                %directory, targets = new.len(),
                "new ledgers begin, all counters start at 0: the directory holds none"
            );
        } else {
            for target in new {
                info!(target, %directory, "a new ledger begins: counters of the target start at 0");
            }
        }
    }
}

/// Ledgers in a directory that belong to none of the targets.
fn unused(directory: &Path, targets: &[Target]) -> Vec<String> {
    let used: Vec<String> = targets.iter().map(|t| file_name(&t.name)).collect();
    // A directory that cannot be listed has no bearing on the ledgers in it.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut unused: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".redb") && !used.contains(name))
        .collect();
    unused.sort_unstable();
    unused
}

/// Makes a directory that its owner alone can use, whatever the umask is. One that is there stays
/// as it is: it may be a volume, or hold other things.
fn make_directory(path: &Path) -> Result<(), String> {
    let told = |error: io::Error| error.to_string();
    match (fs::symlink_metadata(path), fs::metadata(path)) {
        (Ok(_), Ok(found)) if found.is_dir() => return Ok(()),
        (Ok(_), Ok(_)) => return Err("it is a file".to_owned()),
        (Ok(link), Err(error)) if link.is_symlink() => {
            let to = fs::read_link(path).map_err(told)?;
            return Err(format!(
                "it is a symbolic link to {}: {error}",
                to.display()
            ));
        }
        _ => {}
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(told)?;
    // A umask can only take away; one that takes too much would lock the owner out.
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(told)
}
