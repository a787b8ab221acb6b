//! A state on disk, and what of it is still to be written.

use serde::{Deserialize, Serialize};

use super::{Requested, TargetState};
use crate::ledger::Checkpoint;
use crate::metrics::tallies::StoredTallies;
use crate::model::UnixSeconds;
use crate::puller::plan::Progress;
use crate::puller::skipped::SkippedWindows;
use crate::store::{Backend, Changes, FileStore, StoreError};

/// Seconds between commits that write nothing but a newer frontier.
const FRONTIER_INTERVAL: UnixSeconds = 60;

/// What is stored beside the rows of the calls. Field names are the format on disk.
#[derive(Serialize, Deserialize)]
struct StoredState<T> {
    marks: Checkpoint,
    progress: Progress,
    tallies: T,
    /// Missing in files of builds before 0.1.0; see [`TargetState::open`].
    #[serde(default)]
    looked_at: Option<UnixSeconds>,
    /// Missing in older files, and unknown then.
    #[serde(default)]
    counted_from: Option<UnixSeconds>,
    #[serde(default)]
    skipped: SkippedWindows,
    #[serde(default)]
    requested: Option<Requested>,
}

fn damaged(name: &str) -> StoreError {
    StoreError::damaged(name, "its calls and its counters do not match")
}

impl TargetState {
    /// Whether there is anything to commit at `now`. A frontier that moved alone is written only now
    /// and then; a restart then reads a little more.
    pub(in crate::puller) fn is_commit_due(&self, now: UnixSeconds) -> bool {
        let Some((written, at)) = self.written else {
            return true;
        };
        let elapsed = now.abs_diff(at);
        self.changed
            || self.ledger.has_changes()
            || self.results.has_changes()
            || (written.gap, written.complete) != (self.progress.gap, self.progress.complete)
            || elapsed >= FRONTIER_INTERVAL
    }

    /// Takes the changes since the last commit, with the state that belongs to them.
    ///
    /// # Errors
    ///
    /// If the state cannot be serialised. Nothing is taken then.
    pub(in crate::puller) fn take_changes(
        &mut self,
        now: UnixSeconds,
    ) -> Result<Changes, StoreError> {
        let drop_below = self.ledger.drop_below();
        let stored = StoredState {
            marks: self.ledger.checkpoint(),
            progress: self.progress,
            tallies: &self.tallies,
            looked_at: self.looked_at,
            counted_from: self.counted_from,
            skipped: self.skipped.clone(),
            requested: self.requested.clone(),
        };
        // Committing an empty state in its place would lose all counters.
        let state = serde_json::to_vec(&stored)
            .map_err(|error| StoreError::new(format!("cannot serialise the counters: {error}")))?;
        self.changed = false;
        self.written = Some((self.progress, now));
        Ok(Changes {
            rows: self.ledger.take_changes(),
            removed: self.ledger.take_removed(),
            drop_below,
            queue: self.results.take_changes(),
            state,
        })
    }

    /// Records that the changes are on disk.
    pub(in crate::puller) fn mark_committed(&mut self, changes: &Changes) {
        self.ledger.mark_committed(changes.drop_below);
    }

    /// Returns changes whose commit failed to the next one.
    pub(in crate::puller) fn requeue(&mut self, changes: &Changes) {
        self.changed = true;
        self.ledger.requeue(&changes.rows, &changes.removed);
        self.results.requeue(&changes.queue);
    }

    /// Opens the stored state of a target. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store, and a file whose calls and counters do not match.
    pub fn open(backend: Backend) -> Result<(Self, FileStore), StoreError> {
        let name = backend.name();
        let mut state = Self::default();
        let mut sound = true;
        let (store, stored) = FileStore::open(backend, |key, value| {
            sound &= state.ledger.restore((key, value)).is_some()
        })?;
        for (key, written) in stored.queue {
            sound &= state.results.restore(key, &written).is_some();
        }
        let Some(stored) = stored.state else {
            return if state.ledger.is_empty() {
                Ok((state, store))
            } else {
                Err(damaged(&name))
            };
        };
        let stored: StoredState<StoredTallies> =
            serde_json::from_slice(&stored).map_err(|_| damaged(&name))?;
        state.progress = stored.progress;
        state.counted_from = stored.counted_from;
        state.skipped = stored.skipped;
        state.requested = stored.requested;
        state.looked_at = match stored.tallies.is_legacy() {
            false => stored.looked_at,
            // Older builds did not store it, but had read up to here.
            true => (stored.progress.known)
                .filter(|_| stored.progress.gap.is_none())
                .map(|known| known.to),
        };
        let is_whole = sound && state.ledger.resume(stored.marks);
        match stored.tallies.restore(state.ledger.positions()) {
            Some(tallies) if is_whole => state.tallies = tallies,
            _ => return Err(damaged(&name)),
        }
        Ok((state, store))
    }
}
