//! What of a ledger is to be kept on disk: rows that have changed, and marks beside them.

use serde::{Deserialize, Serialize};

use super::Ledger;
use super::entry::{self, Entry, Row, RowKey};
use crate::model::{CallType, Status, UnixSeconds};

/// What a ledger needs besides its rows to go on where it was.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    closed_before: UnixSeconds,
    forgotten_before: UnixSeconds,
    calls: u64,
    #[serde(rename = "strange_types")]
    undocumented_types: Vec<i16>,
    #[serde(rename = "strange_statuses")]
    undocumented_statuses: Vec<i16>,
}

impl Ledger {
    /// Rows of calls uploaded before are to be dropped, before the changed ones are put in.
    pub fn drop_below(&self) -> UnixSeconds {
        self.drop_below
    }

    /// Whether something is to be written.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty() || !self.removed.is_empty() || self.drop_below > 0
    }

    /// Rows of calls uploaded before `dropped` are dropped.
    pub fn mark_committed(&mut self, dropped: UnixSeconds) {
        // More may have been forgotten since.
        if self.drop_below <= dropped {
            self.drop_below = 0;
        }
    }

    /// Rows of what has changed since the last time, in their order, which is the one that a store
    /// takes them up fastest in. If they cannot be kept,
    /// [`Ledger::requeue`] has them come again.
    pub fn take_changes(&mut self) -> Vec<Row> {
        let Self { table, changed, .. } = self;
        let mut rows: Vec<Row> = changed
            .drain(..)
            .filter_map(|slot| table[slot].take_row())
            .collect();
        rows.sort_unstable();
        rows
    }

    /// Keys of rows whose calls have another key now.
    pub fn take_removed(&mut self) -> Vec<RowKey> {
        std::mem::take(&mut self.removed)
    }

    /// Rows that were taken, but not kept.
    pub fn requeue(&mut self, rows: &[Row], removed: &[RowKey]) {
        for (key, _) in rows {
            if let Some(slot) = self.table.find(entry::row_id(*key)) {
                self.note_change(slot);
            }
        }
        self.removed.extend(removed);
    }

    /// What is to be kept besides the rows.
    pub fn marks(&self) -> Checkpoint {
        Checkpoint {
            closed_before: self.closed_before,
            forgotten_before: self.forgotten_before,
            calls: self.len() as u64,
            undocumented_types: self
                .undocumented_types
                .iter()
                .map(|code| code.number())
                .collect(),
            undocumented_statuses: self
                .undocumented_statuses
                .iter()
                .map(|code| code.number())
                .collect(),
        }
    }

    /// Takes up a row that was kept; answers whether it is one.
    pub fn restore(&mut self, row: Row) -> bool {
        let Some(entry) = Entry::from_row(row) else {
            return false;
        };
        if self.table.find(entry.id()).is_some() {
            return false;
        }
        let Some(slot) = self.table.insert(entry) else {
            return false;
        };
        self.note_pending(slot);
        true
    }

    /// Goes on from the marks that were kept with the rows; answers whether they belong together.
    pub fn resume(&mut self, marks: &Checkpoint) -> bool {
        let code = i64::from;
        self.closed_before = marks.closed_before;
        self.forgotten_before = marks.forgotten_before;
        self.undocumented_types = marks
            .undocumented_types
            .iter()
            .map(|n| CallType::from_number(code(*n)))
            .collect();
        self.undocumented_statuses = marks
            .undocumented_statuses
            .iter()
            .map(|n| Status::from_number(code(*n)))
            .collect();
        self.len() as u64 == marks.calls
    }
}
