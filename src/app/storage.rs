//! Where the ledgers of the targets are kept.

use std::path::PathBuf;

use crate::puller::book::Book;
use crate::store::{Medium, Nowhere, Store, file_name};

/// Where one target's ledger is kept.
pub(super) type Kept = Box<dyn Store>;

/// Where ledgers are kept.
#[derive(Clone, Debug)]
pub(super) enum Storage {
    /// Nowhere: counters start over with the process.
    InMemory,
    /// A file per target in this directory.
    Directory(PathBuf),
}

impl Storage {
    /// Makes the directory if it is not there.
    pub(super) fn prepare(&self) -> Result<(), String> {
        match self {
            Self::InMemory => Ok(()),
            Self::Directory(path) => std::fs::create_dir_all(path).map_err(|error| {
                format!(
                    "--storage.path: cannot make the directory {}: {error}; choose another one, \
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
    pub(super) async fn open(&self, target: &str) -> Result<(Book, Kept), String> {
        let Self::Directory(directory) = self else {
            return Ok((Book::default(), Box::new(Nowhere)));
        };
        let medium = Medium::File(directory.join(file_name(target)));
        let opened = tokio::task::spawn_blocking(|| Book::open(medium)).await;
        let (book, store) = opened
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("target {target:?}: {error}"))?;
        Ok((book, Box::new(store)))
    }
}
