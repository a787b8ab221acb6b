//! A store in a redb file.

use parking_lot::Mutex;
use redb::Database;

use super::backend::{Backend, has_unused_commit};
use super::explain::{explain, likely_cause};
use super::tables::{Content, create_schema, read, repack, write};
use super::{Changes, Key, Store, StoreError, Stored, Value};

/// Bytes of free space that are normal: redb copies pages that change and frees the old ones two
/// commits later.
const SLACK_BYTES: u64 = 256 << 10;
/// Commits between compactions, four hours at a pull every 15 s. A file whose rows change everywhere
/// always has many free pages, and would be compacted in vain.
const COMMITS_BETWEEN_COMPACTIONS: u32 = 1000;

/// A file, locked against other processes.
pub struct FileStore {
    backend: Backend,
    /// The file that was opened, which must keep its name.
    file_id: Option<(u64, u64)>,
    state: Mutex<State>,
}

struct State {
    /// `None` after an error, when redb requires that the database is reopened.
    database: Option<Database>,
    content: Content,
    /// Commits until the next compaction is allowed.
    commits_left: u32,
}

impl FileStore {
    /// Opens or creates a store. Passes its rows to `row` in ascending order, and returns the rest.
    /// Blocks, and reads the whole file.
    ///
    /// # Errors
    ///
    /// If the file is in use, damaged, incomplete, from a newer version or not a ledger.
    pub fn open(
        backend: Backend,
        row: impl FnMut(Key, Value),
    ) -> Result<(Self, Stored), StoreError> {
        let name = backend.name();
        let wrong = |error: redb::Error| explain(&name, &error);
        let (database, (content, stored)) = if backend.exists()? {
            if backend
                .header()
                .is_ok_and(|header| has_unused_commit(&header))
            {
                tracing::warn!(
                    file = %name,
                    "the last commit of the ledger was not finished, or the file is damaged: the \
                     commit before it is used"
                );
            }
            let database = backend.open().map_err(|error| wrong(error.into()))?;
            let found = read(&database, &name, row)?;
            (database, found)
        } else {
            let database = backend.create(create_schema).map_err(wrong)?;
            (database, Default::default())
        };
        Ok((
            Self {
                file_id: backend.file_id(),
                backend,
                state: Mutex::new(State {
                    database: Some(database),
                    content,
                    commits_left: 0,
                }),
            },
            stored,
        ))
    }

    /// Bytes on disk. Does not wait for a commit.
    pub fn size(&self) -> u64 {
        // The next commit reports a file that cannot be read.
        self.backend.size().unwrap_or_default()
    }

    /// Compacts the file. Blocks.
    ///
    /// redb does this in several commits, and a crash between any two leaves the content intact.
    pub fn compact_now(&self) {
        let mut state = self.state.lock();
        let Some(mut database) = state.database.take() else {
            return;
        };
        let before = self.size();
        let compacted = repack(&database).and_then(|()| Ok(database.compact()?));
        match compacted {
            Ok(_) => {
                state.database = Some(database);
                let (file, after) = (self.backend.name(), self.size());
                tracing::debug!(file, before, after, "ledger compacted");
            }
            // The next commit reopens it, and reports an error that persists.
            Err(error) => {
                tracing::warn!(file = %self.backend.name(), %error,
                    "compacting the ledger failed; the file stays larger, and it is tried again later");
            }
        }
    }
}

impl Store for FileStore {
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if self.backend.file_id() != self.file_id {
            return Err(StoreError {
                message: format!(
                    "{} was moved, deleted or replaced while it was in use; nothing is counted that \
                     is not written",
                    self.backend.name()
                ),
                likely_cause: Some(
                    "the file was deleted, or a backup was restored: put the file back, or restart to \
                     continue with what is there now"
                        .to_owned(),
                ),
            });
        }
        let opened = match state.database.take() {
            Some(open) => Ok(open),
            None => self.backend.open().map_err(redb::Error::from),
        };
        match opened.and_then(|open| Ok((write(&open, changes, state.content)?, open))) {
            Ok((content, open)) => {
                *state = State {
                    database: Some(open),
                    content,
                    commits_left: state.commits_left.saturating_sub(1),
                };
                Ok(())
            }
            Err(error) => Err(StoreError {
                message: format!(
                    "cannot write to {}: {}; what could not be written is not counted, and the next \
                     pull tries again",
                    self.backend.name(),
                    error.to_string().replace('\n', " ")
                ),
                likely_cause: likely_cause(&error).map(str::to_owned),
            }),
        }
    }

    fn compact(&self) {
        let is_due = {
            let mut state = self.state.lock();
            let is_due =
                state.commits_left == 0 && is_too_large(self.size(), state.content.bytes());
            if is_due {
                state.commits_left = COMMITS_BETWEEN_COMPACTIONS;
            }
            is_due
        };
        if is_due {
            self.compact_now();
        }
    }

    fn close(&self) {
        drop(self.state.lock().database.take());
    }
}

/// Whether a file of `size` bytes is much larger than its content.
fn is_too_large(size: u64, content: u64) -> bool {
    size > content + content / 2 + SLACK_BYTES
}
