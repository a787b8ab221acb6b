//! Saves and restores a ledger: the rows that have changed, and the checkpoint beside them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Ledger;
use super::entry::{Entry, Row};
use crate::model::{CallId, CallKey, CallType, Status, UnixSeconds};

/// What a ledger stores besides its rows. Field names are the format on disk.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Unknown calls uploaded before may have been counted and forgotten.
    pub(super) closed_before: UnixSeconds,
    /// Calls uploaded before have been forgotten.
    pub(super) forgotten_before: UnixSeconds,
    /// Number of rows, as of when it was stored.
    calls: u64,
    #[serde(rename = "strange_types")]
    pub(super) undocumented_types: BTreeSet<CallType>,
    #[serde(rename = "strange_statuses")]
    pub(super) undocumented_statuses: BTreeSet<Status>,
}

impl Ledger {
    /// Rows of calls uploaded before are dropped by the next commit.
    pub fn drop_below(&self) -> UnixSeconds {
        self.drop_below
    }

    /// Whether there is anything to commit.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty() || !self.removed.is_empty() || self.drop_below > 0
    }

    /// Number of calls that the next commit writes; some may have been forgotten since.
    pub fn change_count(&self) -> usize {
        self.changed.len()
    }

    /// Records that rows of calls uploaded before `dropped` are gone.
    pub fn mark_committed(&mut self, dropped: UnixSeconds) {
        // More calls may have been forgotten since.
        if self.drop_below <= dropped {
            self.drop_below = 0;
        }
    }

    /// Takes the rows changed since the last commit, ascending, which is fastest to write. If the
    /// commit fails, [`Ledger::requeue`] returns them.
    pub fn take_changes(&mut self) -> Vec<Row> {
        let mut rows: Vec<Row> = (self.changed)
            .drain(..)
            .filter_map(|slot| self.table[slot].take_row())
            .collect();
        rows.sort_unstable();
        rows
    }

    /// Takes the keys of rows replaced under another key.
    pub fn take_removed(&mut self) -> Vec<CallKey> {
        std::mem::take(&mut self.removed)
    }

    /// Returns rows whose commit failed.
    pub fn requeue(&mut self, rows: &[Row], removed: &[CallKey]) {
        for (key, _) in rows {
            if let Some(slot) = self.table.find(CallId::from_key(*key).1) {
                self.note_change(slot);
            }
        }
        self.removed.extend(removed);
    }

    /// What to store besides the rows.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            calls: self.len() as u64,
            ..self.marks.clone()
        }
    }

    /// Restores a row; `None` if it is invalid.
    pub fn restore(&mut self, row: Row) -> Option<()> {
        let entry = Entry::from_row(row)?;
        if self.table.find(entry.id()).is_some() {
            return None;
        }
        let slot = self.table.insert(entry)?;
        self.note_pending(slot);
        Some(())
    }

    /// Restores the checkpoint after the rows. Returns whether the two match.
    pub fn resume(&mut self, checkpoint: Checkpoint) -> bool {
        self.marks = checkpoint;
        self.len() as u64 == self.marks.calls
    }
}
