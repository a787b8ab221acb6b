//! The tables of a redb file, and the transactions that read and write them.

use std::ops::Bound;

use redb::{
    Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition,
    TableError, WriteTransaction,
};

use super::explain::explain;
use super::{Changes, Key, QueueChange, QueueEntry, StoreError, Stored, Value};
use crate::model::CallId;

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
/// Rows that are rewritten in one commit, which bounds the memory.
const REPACKED_AT_ONCE: usize = 50_000;

/// What is in the file.
#[derive(Clone, Copy, Default)]
pub(super) struct Content {
    pub(super) rows: u64,
    pub(super) queued: u64,
    pub(super) state_bytes: u64,
}

impl Content {
    /// Bytes, roughly.
    pub(super) fn bytes(self) -> u64 {
        self.rows * ROW_BYTES + self.queued * QUEUED_BYTES + self.state_bytes
    }
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
pub(super) fn repack(database: &Database) -> Result<(), redb::Error> {
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
pub(super) fn create_schema(database: &Database) -> Result<(), redb::Error> {
    let transaction = begin_write(database)?;
    transaction.open_table(ROWS)?;
    transaction
        .open_table(META)?
        .insert(FORMAT, format!("{MAGIC}{VERSION}").as_bytes())?;
    transaction.commit()?;
    Ok(())
}

/// Passes each row to `row`. Returns how much is in the file, and what it has besides the rows.
pub(super) fn read(
    database: &Database,
    name: &str,
    row: impl FnMut(Key, Value),
) -> Result<(Content, Stored), StoreError> {
    let wrong = |error| explain(name, &error);
    let (format, state) = read_meta(database).map_err(wrong)?;
    // First, as another program's file has no such rows.
    check_format(name, format.as_deref())?;
    let rows = read_rows(database, row).map_err(wrong)?;
    let queue = read_queue(database).map_err(wrong)?;
    let content = Content {
        rows,
        queued: queue.len() as u64,
        state_bytes: state.as_ref().map_or(0, Vec::len) as u64,
    };
    Ok((content, Stored { state, queue }))
}

/// The format and the state.
fn read_meta(database: &Database) -> Result<(Option<String>, Option<Vec<u8>>), redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    let format = meta.get(FORMAT)?;
    let format = format.map(|bytes| String::from_utf8_lossy(bytes.value()).into_owned());
    let state = meta.get(STATE)?.map(|bytes| bytes.value().to_vec());
    Ok((format, state))
}

fn check_format(name: &str, format: Option<&str>) -> Result<(), StoreError> {
    let version = format.and_then(|text| text.strip_prefix(MAGIC)?.parse().ok());
    match version {
        Some(VERSION) => Ok(()),
        Some(newer) => Err(StoreError::new(format!(
            "{name} was written by a newer version of cec_exporter (format {newer}, this one reads \
             {VERSION}): start that version, or move the file away (counters then start over)"
        ))),
        None => Err(StoreError::new(format!(
            "{name} is not a ledger of cec_exporter: move it away, or choose another --storage.path"
        ))),
    }
}

/// Returns the number of rows.
fn read_rows(database: &Database, mut row: impl FnMut(Key, Value)) -> Result<u64, redb::Error> {
    let rows = database.begin_read()?.open_table(ROWS)?;
    for found in rows.iter()? {
        let (key, value) = found?;
        row(key.value(), value.value());
    }
    Ok(rows.len()?)
}

fn read_queue(database: &Database) -> Result<Vec<QueueEntry>, redb::Error> {
    let queue = match database.begin_read()?.open_table(QUEUE) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        queue => queue?,
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

/// Returns what is in the file, in which `before` was.
pub(super) fn write(
    database: &Database,
    changes: &Changes,
    before: Content,
) -> Result<Content, redb::Error> {
    let transaction = begin_write(database)?;
    let content = {
        let mut rows = transaction.open_table(ROWS)?;
        if changes.drop_below > 0 {
            let first = CallId(0).key(changes.drop_below);
            rows.retain_in(..first, |_, _| false)?;
        }
        for key in &changes.removed {
            rows.remove(key)?;
        }
        insert_packed(&mut rows, &changes.rows)?;
        transaction
            .open_table(META)?
            .insert(STATE, changes.state.as_slice())?;
        Content {
            rows: rows.len()?,
            queued: write_queue(&transaction, &changes.queue)?.unwrap_or(before.queued),
            state_bytes: changes.state.len() as u64,
        }
    };
    transaction.commit()?;
    Ok(content)
}

/// Returns the number of entries; `None` if there are no changes, which must not create the table.
fn write_queue(
    transaction: &WriteTransaction,
    changes: &[QueueChange],
) -> Result<Option<u64>, redb::Error> {
    if changes.is_empty() {
        return Ok(None);
    }
    let mut queue = transaction.open_table(QUEUE)?;
    for (key, value) in changes {
        match value {
            Some(value) => drop(queue.insert(key, value.as_ref())?),
            None => drop(queue.remove(key)?),
        }
    }
    Ok(Some(queue.len()?))
}
