//! Durable storage: one file per target, one transaction per commit.
//!
//! Stores rows of fixed width by key, a queue of a few entries, and one state beside them, without
//! knowing what they mean. A file that cannot be read is an error that says what to do, and is never replaced.

mod backend;
mod explain;
mod file;
mod locking;
mod path;
mod tables;

pub use backend::{Backend, file_name};
pub use file::FileStore;
pub use path::{finish, sync_directory, unfinished};

use crate::model::{CallKey, UnixSeconds, cause_suffix};

/// Key of a row. The first four bytes are a time, big-endian.
pub type Key = CallKey;
/// Value of a row.
pub type Value = [u8; 8];

/// An entry of the queue.
pub type QueueEntry = (Key, Box<[u8]>);
/// An entry to add or replace, or (`None`) to remove.
pub type QueueChange = (Key, Option<Box<[u8]>>);

/// What a file has besides its rows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stored {
    /// `None` before the first commit.
    pub state: Option<Vec<u8>>,
    /// In ascending order.
    pub queue: Vec<QueueEntry>,
}

/// Changes of one commit, applied atomically.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Rows to remove, before `rows` are written.
    pub removed: Vec<Key>,
    /// Rows to add or replace.
    pub rows: Vec<(Key, Value)>,
    /// Rows of earlier times are removed.
    pub drop_below: UnixSeconds,
    pub queue: Vec<QueueChange>,
    /// The new state.
    pub state: Vec<u8>,
}

/// Storage of one target.
pub trait Store: Send + Sync + 'static {
    /// Returns once the changes are durable. Blocks.
    ///
    /// # Errors
    ///
    /// Either nothing or everything was written, and the same changes may be committed again. The
    /// next commit reopens the file, so that a full disk needs no restart.
    fn commit(&self, changes: &Changes) -> Result<(), StoreError>;

    /// Compacts the file if it is much larger than its content. Call it while no commit is waiting.
    /// Blocks.
    fn compact(&self) {}

    /// Closes the file, so that another store can open it. Blocks.
    fn close(&self) {}
}

/// Stores nothing: counters start over with the process.
#[derive(Clone, Copy, Debug)]
pub struct NullStore;

impl Store for NullStore {
    fn commit(&self, _: &Changes) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Why a file cannot be used. `Display` gives message and likely cause on one line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}{}", cause_suffix(.likely_cause))]
pub struct StoreError {
    /// Names the file and what happened and, at startup, what to do.
    pub message: String,
    /// `None` if unknown, or part of the message.
    pub likely_cause: Option<String>,
}

impl StoreError {
    /// An error with nothing to add to it.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            likely_cause: None,
        }
    }

    /// A file with invalid content.
    pub fn damaged(name: &str, how: &str) -> Self {
        Self::new(format!(
            "{name} is damaged or not a ledger of cec_exporter ({how}): put a backup in its \
             place (see \"Backups\" in docs/operations.md), or move it away (counters then start over)"
        ))
    }
}

#[cfg(test)]
mod tests;
