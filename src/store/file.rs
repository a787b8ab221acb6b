//! The store on disk.

use std::sync::{Mutex, PoisonError};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::medium::{Medium, explain, likely_cause};
use super::{Changes, Key, Store, StoreError, Value};

const ROWS: TableDefinition<'_, Key, Value> = TableDefinition::new("calls");
const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");
/// Notes: what kind of file this is.
const FORMAT: &str = "format";
/// Notes: the state.
const STATE: &str = "state";
/// Before the number of the format, so that no other redb database is taken for a ledger.
const MAGIC: &str = "cec_exporter ledger ";
/// The format that this version writes, and the only one it reads.
const VERSION: u32 = 1;

/// One file, locked against every other process.
pub struct FileStore {
    medium: Medium,
    /// `None` after an error: the database behind it refuses everything from then on and has to be
    /// opened again.
    database: Mutex<Option<Database>>,
}

impl FileStore {
    /// Opens a store, or makes an empty one; hands its rows to `row` in their order, and answers
    /// with its state if there is one. Blocks, and reads all of the file.
    ///
    /// # Errors
    ///
    /// For a file that is in use, damaged, half-written, from a newer version or not a ledger.
    pub fn open(
        medium: Medium,
        mut row: impl FnMut(Key, Value),
    ) -> Result<(Self, Option<Vec<u8>>), StoreError> {
        let name = medium.name();
        let wrong = |error: redb::Error| explain(&name, &error);
        let is_there = medium.exists().map_err(|error| wrong(error.into()))?;
        let (database, state) = if is_there {
            let database = medium.open().map_err(|error| wrong(error.into()))?;
            let state = read(&database, &name, &mut row)?;
            (database, state)
        } else {
            (medium.create(lay_out).map_err(wrong)?, None)
        };
        Ok((
            Self {
                medium,
                database: Mutex::new(Some(database)),
            },
            state,
        ))
    }
}

impl Store for FileStore {
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match database.take() {
            Some(open) => write(&open, changes).map(|()| open),
            None => self
                .medium
                .open()
                .map_err(redb::Error::from)
                .and_then(|open| {
                    write(&open, changes)?;
                    Ok(open)
                }),
        };
        match done {
            Ok(open) => {
                *database = Some(open);
                Ok(())
            }
            Err(error) => Err(StoreError {
                message: format!(
                    "cannot write to {}: {}; nothing is counted that is not written, and the next \
                     pull tries again",
                    self.medium.name(),
                    error.to_string().replace('\n', " ")
                ),
                likely_cause: likely_cause(&error).map(str::to_owned),
            }),
        }
    }

    fn close(&self) {
        let database = self
            .database
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(database);
    }
}

/// Makes the tables, so that reading never has to ask whether they are there.
fn lay_out(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(ROWS)?;
    transaction
        .open_table(NOTES)?
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
        .open_table(NOTES)
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

fn write(database: &Database, changes: &Changes) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut rows = transaction.open_table(ROWS)?;
        rows.retain_in(..changes.drop_below, |_, _| false)?;
        for (key, value) in &changes.rows {
            rows.insert(key, value)?;
        }
        let mut notes = transaction.open_table(NOTES)?;
        notes.insert(STATE, changes.state.as_slice())?;
    }
    transaction.commit()?;
    Ok(())
}
