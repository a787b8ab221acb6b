//! Counts each call exactly once: remembers the calls of the lookback and turns records into events.
//! Pure: no I/O, and the time is an argument.

mod checkpoint;
mod entry;
mod listing;
mod observe;
mod table;

pub use checkpoint::Checkpoint;
pub use entry::Row;
pub use observe::Refused;

use std::collections::{BTreeMap, BTreeSet};

use entry::{Entry, Slot};
use observe::emit_manual;
use table::Table;

use crate::model::{
    CallId, CallKey, CallType, Event, ManualStates, Position, Status, UnixSeconds, Window,
};

/// The calls of the lookback and what has been counted of each.
///
/// Observing a record a second time emits nothing. So overlap, retries, duplicate pages and repeated
/// readings cost requests, never correctness.
#[derive(Default)]
pub struct Ledger {
    table: Table,
    /// Calls whose status is not final, oldest first.
    pending: BTreeMap<(CallType, Status), BTreeSet<(UnixSeconds, Slot)>>,
    marks: Checkpoint,
    /// Keys of rows replaced under another key since the last commit.
    removed: Vec<CallKey>,
    /// Slots changed since the last commit; some may be free again.
    changed: Vec<Slot>,
    /// Upper bound of remembered calls.
    max_calls: Option<usize>,
    /// Rows of calls uploaded before can be dropped from the store; 0 once they have been. Separate
    /// from the mark `forgotten_before`, which a clock that steps back may lower before that.
    drop_below: UnixSeconds,
}

impl Ledger {
    /// Bounds the number of remembered calls. Calls that are remembered already stay.
    pub fn limit(&mut self, max_calls: usize) {
        self.max_calls = Some(max_calls);
    }

    /// Number of remembered calls.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of calls uploaded in a window that are not missing: the expected length of the vendor's
    /// list.
    pub fn count_present(&self, window: Window) -> u64 {
        self.table.count_present(window)
    }

    /// Calls whose status is not final, oldest first.
    ///
    /// Without those that have no status: no filter lists them.
    pub fn pending(&self) -> Vec<(UnixSeconds, CallId)> {
        let with_status = self.pending.iter();
        let calls = with_status
            .filter(|((_, status), _)| *status != Status::UNKNOWN)
            .flat_map(|(_, calls)| calls);
        let mut found: Vec<_> = calls
            .map(|(at, slot)| (*at, self.table[*slot].id()))
            .collect();
        found.sort_unstable();
        found
    }

    /// The status of a call, if it is one of [`Ledger::pending`].
    pub fn pending_status(&self, id: CallId) -> Option<Status> {
        let entry = &self.table[self.table.find(id)?];
        (entry.is_pending() && entry.status != Status::UNKNOWN).then_some(entry.status)
    }

    /// Upload time of the oldest call by type and status that is not final.
    pub fn oldest_pending(&self) -> impl Iterator<Item = (CallType, Status, UnixSeconds)> {
        self.pending
            .iter()
            .filter_map(|((call_type, status), calls)| {
                calls
                    .first()
                    .map(|(uploaded, _)| (*call_type, *status, *uploaded))
            })
    }

    /// Number of calls uploaded in a window by type, missing ones included.
    pub fn uploaded_in(&self, window: Window) -> BTreeMap<CallType, u64> {
        let mut calls = BTreeMap::new();
        for (call_type, count) in self.table.count_by_type(window) {
            *calls.entry(call_type).or_default() += count;
        }
        calls
    }

    /// Unknown calls uploaded before are no longer counted.
    pub fn close_before(&mut self, time: UnixSeconds) {
        self.marks.closed_before = self.marks.closed_before.max(time);
    }

    /// Counts calls uploaded from `time` on. Only while nothing has been counted.
    pub fn reopen(&mut self, time: UnixSeconds) {
        self.marks.closed_before = time;
        // Requested windows begin a second earlier.
        self.keep_from(time.saturating_sub(1));
        self.drop_below = 0;
    }

    /// Forgets the calls uploaded before `cutoff`, and closes their times.
    ///
    /// `closed_before` follows the forgotten calls, not the cutoff: a clock that is a year ahead for a
    /// moment must not close the year to come.
    pub fn expire(&mut self, cutoff: UnixSeconds, emit: &mut impl FnMut(Event)) {
        self.marks.forgotten_before = cutoff;
        let before = self.table.len();
        self.table.take_before(cutoff, |slot, entry| {
            remove_pending(&mut self.pending, slot, entry);
            emit_manual(
                entry.call_type,
                entry.manual(),
                ManualStates::default(),
                emit,
            );
            emit(Event::Forgotten {
                call_type: entry.call_type,
                position: entry.position(),
                never_final: (!entry.was_final()).then_some(entry.status),
            });
            let closed_before = &mut self.marks.closed_before;
            *closed_before = (*closed_before).max(entry.uploaded().saturating_add(1));
        });
        if self.table.len() < before {
            self.drop_below = self.drop_below.max(cutoff);
        }
    }

    /// Keeps the rows of calls uploaded from `time` on.
    pub fn keep_from(&mut self, time: UnixSeconds) {
        self.marks.forgotten_before = self.marks.forgotten_before.min(time);
    }

    /// All calls uploaded before have been forgotten.
    pub fn forgotten_before(&self) -> UnixSeconds {
        self.marks.forgotten_before
    }

    /// All calls by type, position and manual states. The gauges are the sums of these.
    pub fn positions(&self) -> impl Iterator<Item = (CallType, Position, ManualStates)> {
        let everything = Window::new(0, UnixSeconds::MAX);
        self.table.slots(everything).map(|slot| {
            let entry = &self.table[slot];
            (entry.call_type, entry.position(), entry.manual())
        })
    }

    /// A call that was identified by its `call_id` is identified by its `call_uuid` from now on. Counts
    /// nothing. Returns when the call was uploaded, if there is one.
    ///
    /// Other calls of the same group may have the same `call_id`, and one of them may have it as its
    /// `call_uuid` too: that one stays what it is.
    pub fn rename(&mut self, call_id: CallId, uuid: CallId) -> Option<UnixSeconds> {
        if self.table.find(uuid).is_some() {
            return None;
        }
        let slot = self.table.find(call_id)?;
        if self.table[slot].has_uuid() {
            return None;
        }
        self.removed.push(self.table[slot].key);
        self.table.rename(slot, uuid);
        self.note_change(slot);
        Some(self.table[slot].uploaded())
    }

    fn relocate(&mut self, slot: Slot, uploaded: UnixSeconds) {
        self.removed.push(self.table[slot].key);
        self.drop_pending(slot);
        self.table.relocate(slot, uploaded);
        self.note_pending(slot);
        self.note_change(slot);
    }

    fn note_change(&mut self, slot: Slot) {
        if self.table[slot].set_changed() {
            self.changed.push(slot);
        }
    }

    fn note_pending(&mut self, slot: Slot) {
        let entry = &self.table[slot];
        if entry.is_pending() {
            let class = (entry.call_type, entry.status);
            self.pending
                .entry(class)
                .or_default()
                .insert((entry.uploaded(), slot));
        }
    }

    fn drop_pending(&mut self, slot: Slot) {
        remove_pending(&mut self.pending, slot, &self.table[slot]);
    }
}

fn remove_pending(
    pending: &mut BTreeMap<(CallType, Status), BTreeSet<(UnixSeconds, Slot)>>,
    slot: Slot,
    entry: &Entry,
) {
    if entry.is_pending()
        && let Some(calls) = pending.get_mut(&(entry.call_type, entry.status))
    {
        calls.remove(&(entry.uploaded(), slot));
    }
}

#[cfg(test)]
mod tests;
