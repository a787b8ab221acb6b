//! What must survive the process: one file per target, one transaction per commit.
//!
//! It knows bytes and no calls: rows of a fixed width by key, and one state beside them. A file is
//! never replaced by a fresh one: what cannot be read is an error that says what to do.

mod backend;
mod explain;
mod file;
mod medium;
mod place;

use std::fmt;

pub use file::FileStore;
pub use medium::{Medium, file_name};

/// Orders the rows: the first four bytes are a time, big-endian.
pub type Key = [u8; 20];
/// A row.
pub type Value = [u8; 8];

/// What one commit changes, all or nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Rows to be taken out, before the others are put in.
    pub removed: Vec<Key>,
    /// Rows to be added or put in the place of older ones.
    pub rows: Vec<(Key, Value)>,
    /// Rows whose keys are smaller are dropped.
    pub drop_below: Key,
    /// Takes the place of the older state; empty: the older one stays.
    pub state: Vec<u8>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.removed.is_empty()
            && self.drop_below == Key::default()
            && self.state.is_empty()
    }
}

/// Where changes are kept.
pub trait Store: Send + Sync + 'static {
    /// Makes the changes durable before it returns. Blocks.
    ///
    /// # Errors
    ///
    /// Nothing has changed then, or everything has and the same changes may be made again. The
    /// next commit tries anew, so a disk that was full needs no restart.
    fn commit(&self, changes: &Changes) -> Result<(), StoreError>;

    /// Gives back the space that the content no longer needs, if there is much of it; to be called
    /// when nobody waits for a commit. Blocks.
    fn compact(&self) {}

    /// Bytes taken on disk. Waits for no commit.
    fn size(&self) -> u64 {
        0
    }

    /// Lets go of the file, for others to open it, however many still hold the store. Blocks.
    fn close(&self) {}
}

/// Keeps nothing: counters start over with the process.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl Store for Nowhere {
    fn commit(&self, _: &Changes) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Store for Box<dyn Store> {
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        self.as_ref().commit(changes)
    }

    fn compact(&self) {
        self.as_ref().compact();
    }

    fn size(&self) -> u64 {
        self.as_ref().size()
    }

    fn close(&self) {
        self.as_ref().close();
    }
}

/// Why a file cannot be used. `Display` tells both what happened and the likely cause, on one
/// line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreError {
    /// One line that names the file and says what happened, and, at the start, what to do.
    pub message: String,
    /// One line: why that is most likely; `None` where it cannot be told or was told already.
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

    /// A file whose content cannot be what was written.
    pub fn damaged(name: &str, how: &str) -> Self {
        Self::new(format!(
            "{name} is damaged or not a ledger of cec_exporter ({how}): put a backup in its \
             place (see \"Backups\" in docs/operations.md), or move it away (counters then start over)"
        ))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.likely_cause {
            Some(cause) => write!(f, "; likely cause: {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StoreError {}

#[cfg(test)]
mod tests;
