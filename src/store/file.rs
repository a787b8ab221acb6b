//! A store in a redb file.

use std::ops::Bound;

use parking_lot::Mutex;
use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition,
    WriteTransaction,
};

use super::backend::{Backend, has_unused_commit};
use super::explain::{explain, likely_cause};
use super::{Changes, Key, QueueChange, QueueEntry, Store, StoreError, Value};

const ROWS: TableDefinition<'_, Key, Value> = TableDefinition::new("calls");
/// Only in files that ever had a queue: older builds do not know it, and ignore it.
const QUEUE: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("queue");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");
/// Key in `META`: the kind of file.
const FORMAT: &str = "format";
/// Key in `META`: the state.
const STATE: &str = "state";
/// Prefix of the format number, so that no other redb database is taken for a ledger.
const MAGIC: &str = "cec_exporter ledger ";
/// The format that this version reads and writes.
const VERSION: u32 = 1;
/// Bytes of a row.
const ROW_BYTES: u64 = (size_of::<Key>() + size_of::<Value>()) as u64;
/// Bytes of an entry of the queue, roughly.
const QUEUED_BYTES: u64 = 64;
/// Bytes of free space that are normal: redb copies pages that change and frees the old ones two
/// commits later.
const SLACK_BYTES: u64 = 256 << 10;
/// Commits between compactions, four hours at a pull every 15 s. A file whose rows change everywhere
/// always has many free pages, and would be compacted in vain.
const COMMITS_BETWEEN_COMPACTIONS: u32 = 1000;

/// Rows that are rewritten in one commit, which bounds the memory.
const REPACKED_AT_ONCE: usize = 50_000;

/// A file, locked against other processes.
pub struct FileStore {
    backend: Backend,
    /// The file that was opened, if it must keep its name.
    file_id: Option<(u64, u64)>,
    state: Mutex<State>,
}

struct State {
    /// `None` after an error, when redb requires that the database is reopened.
    database: Option<Database>,
    /// Bytes of all rows, of the queue and of the state.
    content: u64,
    /// Commits until the next compaction is allowed.
    commits_left: u32,
}

impl FileStore {
    /// Opens or creates a store. Passes its rows to `row` in ascending order, and returns its state.
    /// Blocks, and reads the whole file.
    ///
    /// # Errors
    ///
    /// If the file is in use, damaged, incomplete, from a newer version or not a ledger.
    pub fn open(
        backend: Backend,
        mut row: impl FnMut(Key, Value),
    ) -> Result<(Self, Option<Vec<u8>>), StoreError> {
        let name = backend.name();
        let wrong = |error: redb::Error| explain(&name, &error);
        let is_there = backend.exists()?;
        let mut rows = 0;
        let mut row = |key, value| {
            rows += 1;
            row(key, value);
        };
        let (database, state) = if is_there {
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
            let state = read(&database, &name, &mut row)?;
            (database, state)
        } else {
            (backend.create(create_schema).map_err(wrong)?, None)
        };
        let content = rows * ROW_BYTES + state.as_ref().map_or(0, Vec::len) as u64;
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
            state,
        ))
    }

    /// The same store, whose file may lose its name while it is open.
    pub fn without_name(self) -> Self {
        Self {
            file_id: None,
            ..self
        }
    }

    /// The entries of the queue, in ascending order. Blocks.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn queue(&self) -> Result<Vec<QueueEntry>, StoreError> {
        let state = self.state.lock();
        let Some(database) = &state.database else {
            return Ok(Vec::new());
        };
        read_queue(database).map_err(|error| explain(&self.backend.name(), &error))
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
                tracing::warn!(file = %self.backend.name(), %error, "compacting the ledger failed");
            }
        }
    }
}

impl Store for FileStore {
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut state = self.state.lock();
        if self.file_id.is_some() && self.backend.file_id() != self.file_id {
            return Err(StoreError {
                message: format!(
                    "{} was moved, deleted or replaced while it was in use; nothing is counted that \
                     is not written",
                    self.backend.name()
                ),
                likely_cause: Some(
                    "somebody tidied up or restored a backup: put the file back, or restart to \
                     continue with what is there now"
                        .to_owned(),
                ),
            });
        }
        let opened = match state.database.take() {
            Some(open) => Ok(open),
            None => self.backend.open().map_err(redb::Error::from),
        };
        match opened.and_then(|open| Ok((write(&open, changes)?, open))) {
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
                    "cannot write to {}: {}; nothing is counted that is not written, and the next \
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
            let is_due = state.commits_left == 0 && is_too_large(self.size(), state.content);
            if is_due {
                state.commits_left = COMMITS_BETWEEN_COMPACTIONS;
            }
            is_due
        };
        if is_due {
            self.compact_now();
        }
    }

    fn size(&self) -> u64 {
        // The next commit reports a file that cannot be read.
        self.backend.size().unwrap_or_default()
    }

    fn close(&self) {
        drop(self.state.lock().database.take());
    }
}

/// Whether a file of so many bytes is much larger than its content.
fn is_too_large(size: u64, content: u64) -> bool {
    size > content + content / 2 + SLACK_BYTES
}

/// Inserts sorted rows so that they fill their leaves.
///
/// Where redb splits a full leaf in the middle, rows that come in ascending order leave every leaf half
/// full: those of a cold start took 54 bytes for 28. Here the rows of a first pass make such leaves, and
/// those of a second fill them to nine tenths, which splits hardly any.
fn insert_packed(
    table: &mut Table<'_, Key, Value>,
    rows: &[(Key, Value)],
) -> Result<(), redb::Error> {
    let pass = |first: bool| {
        let rows = rows.iter().enumerate();
        rows.filter(move |(index, _)| (index % 13 < 7) == first)
    };
    for (_, (key, value)) in pass(true).chain(pass(false)) {
        table.insert(key, value)?;
    }
    Ok(())
}

/// Rewrites all rows, some at a time, so that they fill their leaves: rows that came in small commits do
/// not, and redb's compaction only moves pages. Each commit leaves the content as it was.
fn repack(database: &Database) -> Result<(), redb::Error> {
    let mut from = Bound::Unbounded;
    loop {
        let transaction = begin_write(database)?;
        {
            let mut table = transaction.open_table(ROWS)?;
            let mut rows = Vec::new();
            for row in table
                .range((from, Bound::Unbounded))?
                .take(REPACKED_AT_ONCE)
            {
                let (key, value) = row?;
                rows.push((key.value(), value.value()));
            }
            let Some((last, _)) = rows.last().copied() else {
                return Ok(());
            };
            table.retain_in((from, Bound::Included(last)), |_, _| false)?;
            insert_packed(&mut table, &rows)?;
            from = Bound::Excluded(last);
        }
        transaction.commit()?;
    }
}

/// Creates the tables, so that reading can rely on them.
fn create_schema(database: &Database) -> Result<(), redb::Error> {
    let transaction = begin_write(database)?;
    transaction.open_table(ROWS)?;
    transaction
        .open_table(META)?
        .insert(FORMAT, format!("{MAGIC}{VERSION}").as_bytes())?;
    transaction.commit()?;
    Ok(())
}

fn read(
    database: &Database,
    name: &str,
    row: &mut impl FnMut(Key, Value),
) -> Result<Option<Vec<u8>>, StoreError> {
    let wrong = |error: redb::Error| explain(name, &error);
    let transaction = database.begin_read().map_err(|error| wrong(error.into()))?;
    let notes = transaction
        .open_table(META)
        .map_err(|error| wrong(error.into()))?;
    let format = notes.get(FORMAT).map_err(|error| wrong(error.into()))?;
    let format = format.map(|bytes| String::from_utf8_lossy(bytes.value()).into_owned());
    let version: Option<u32> = format
        .as_deref()
        .and_then(|text| text.strip_prefix(MAGIC))
        .and_then(|n| n.parse().ok());
    match version {
        Some(VERSION) => {}
        Some(newer) => {
            return Err(StoreError::new(format!(
                "{name} was written by a newer version of cec_exporter (format {newer}, this one \
                 reads {VERSION}): start that version, or move the file away (counters then start \
                 over)"
            )));
        }
        None => {
            return Err(StoreError::new(format!(
                "{name} is not a ledger of cec_exporter: move it away, or choose another \
                 --storage.path"
            )));
        }
    }
    let state = notes.get(STATE).map_err(|error| wrong(error.into()))?;
    let state = state.map(|bytes| bytes.value().to_vec());
    let rows = transaction
        .open_table(ROWS)
        .map_err(|error| wrong(error.into()))?;
    for found in rows.iter().map_err(|error| wrong(error.into()))? {
        let (key, value) = found.map_err(|error| wrong(error.into()))?;
        row(key.value(), value.value());
    }
    Ok(state)
}

fn read_queue(database: &Database) -> Result<Vec<QueueEntry>, redb::Error> {
    let queue = match database.begin_read()?.open_table(QUEUE) {
        Ok(queue) => queue,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut entries = Vec::new();
    for entry in queue.iter()? {
        let (key, value) = entry?;
        entries.push((key.value(), value.value().into()));
    }
    Ok(entries)
}

/// Begins a two-phase commit: pages are durable before the header refers to them. With one phase,
/// redb cannot tell a damaged page from an interrupted commit, and silently opens the previous
/// commit. Costs a second sync per commit.
fn begin_write(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Returns the bytes of the content.
fn write(database: &Database, changes: &Changes) -> Result<u64, redb::Error> {
    let transaction = begin_write(database)?;
    let content = {
        let mut rows = transaction.open_table(ROWS)?;
        if changes.drop_below != Key::default() {
            rows.retain_in(..changes.drop_below, |_, _| false)?;
        }
        for key in &changes.removed {
            rows.remove(key)?;
        }
        insert_packed(&mut rows, &changes.rows)?;
        let mut notes = transaction.open_table(META)?;
        if !changes.state.is_empty() {
            notes.insert(STATE, changes.state.as_slice())?;
        }
        let state = notes.get(STATE)?.map_or(0, |state| state.value().len());
        let queued = write_queue(&transaction, &changes.queue)?;
        rows.len()? * ROW_BYTES + queued * QUEUED_BYTES + state as u64
    };
    transaction.commit()?;
    Ok(content)
}

/// Returns the number of entries, as far as there are changes.
fn write_queue(
    transaction: &WriteTransaction,
    changes: &[QueueChange],
) -> Result<u64, redb::Error> {
    if changes.is_empty() {
        return Ok(0);
    }
    let mut queue = transaction.open_table(QUEUE)?;
    for (key, value) in changes {
        match value {
            Some(value) => drop(queue.insert(key, value.as_ref())?),
            None => drop(queue.remove(key)?),
        }
    }
    Ok(queue.len()?)
}
