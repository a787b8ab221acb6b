//! Each call exactly once: what is remembered of the calls in the lookback, and what a record
//! tells that was not known. Pure: no I/O, and the time is an argument.

mod entry;
mod kept;
mod table;

pub use entry::Row;
pub use kept::Marks;

use std::collections::{BTreeMap, BTreeSet};

use entry::{Entry, Slot};
use table::Table;

use crate::model::{
    CallId, CallSet, CallType, Event, Manual, ManualKind, Place, Processing, Record, Status,
    UnixSeconds, Window,
};

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Observed {
    /// The call was not known, and is now.
    New,
    /// The call is remembered; what had changed was told.
    Known,
    /// The call is not known, but was uploaded at a time that is closed: it is shown from now on,
    /// and counted no second time.
    Returned,
    /// The call is older than the lookback.
    Old,
    /// The call claims a time that has not come yet. It will be read when it has.
    Future,
    /// There is no room left.
    Full,
}

/// Undocumented codes of statuses and types that become labels of their own. The vendor has
/// fifteen and two; one that sent a new number with each call would make a series of each.
const MOST_STRANGE_CODES: usize = 32;

/// The calls of the lookback, by what has been counted of them.
///
/// Seeing a record twice tells nothing the second time. So overlap, retries, duplicate pages and
/// readings repeated cost requests, never correctness.
#[derive(Default)]
pub struct Ledger {
    table: Table,
    /// Calls that will not rest where they are, oldest first.
    pending: BTreeMap<(CallType, Status), BTreeSet<(UnixSeconds, Slot)>>,
    /// Whatever was uploaded before is closed: its calls may have been counted and forgotten.
    closed_before: UnixSeconds,
    strange_types: BTreeSet<CallType>,
    strange_statuses: BTreeSet<Status>,
    /// Slots of entries that have changed since the last commit, and of some that are gone.
    changed: Vec<Slot>,
    /// Calls uploaded before are forgotten.
    forgotten_before: UnixSeconds,
    /// Rows of calls uploaded before are of no more use; 0 when they have been dropped. Apart from
    /// `forgotten_before`, which a clock that steps back lowers before they have been.
    drop_below: UnixSeconds,
}

impl Ledger {
    /// How many calls are remembered.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no call is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many remembered calls that are not missing were uploaded in a window: what the vendor's
    /// list of it holds, if nothing has happened there.
    pub fn count_present(&self, window: Window) -> u64 {
        self.table.count_present(window)
    }

    /// Calls that will not rest where they are, oldest first.
    pub fn pending(&self) -> Vec<(UnixSeconds, CallId)> {
        let calls = self.pending.values().flatten();
        let mut found: Vec<_> = calls
            .map(|(at, slot)| (*at, self.table[*slot].id()))
            .collect();
        found.sort_unstable();
        found
    }

    /// Upload time of the oldest call in each status that is not final.
    pub fn oldest_pending(&self) -> impl Iterator<Item = (CallType, Status, UnixSeconds)> {
        self.pending
            .iter()
            .filter_map(|((call_type, status), calls)| {
                calls
                    .first()
                    .map(|(uploaded, _)| (*call_type, *status, *uploaded))
            })
    }

    /// How many remembered calls were uploaded in a window, by type; missing ones were uploaded too.
    pub fn uploaded_in(&self, window: Window) -> BTreeMap<CallType, u64> {
        let mut calls = BTreeMap::new();
        for slot in self.table.slots(window) {
            *calls.entry(self.table[slot].call_type).or_default() += 1;
        }
        calls
    }

    /// Whatever was uploaded before and is not known yet will not be counted.
    pub fn close_before(&mut self, time: UnixSeconds) {
        self.closed_before = self.closed_before.max(time);
    }

    /// Takes up what a record tells, seen at `now`, and emits what was not known.
    ///
    /// A call that is not remembered is taken up only if it was uploaded in `lookback`.
    pub fn observe(
        &mut self,
        record: &Record,
        now: UnixSeconds,
        lookback: Window,
        emit: &mut impl FnMut(Event),
    ) -> Observed {
        let status = admit(&mut self.strange_statuses, record.status, Status::is_plain)
            .unwrap_or(Status::UNKNOWN);
        match self.table.find(record.id) {
            Some(slot) => {
                self.update(slot, status, record, now, emit);
                Observed::Known
            }
            None if record.uploaded < lookback.from => Observed::Old,
            None if record.uploaded > lookback.to => Observed::Future,
            None => self.insert(status, record, emit),
        }
    }

    fn insert(
        &mut self,
        status: Status,
        record: &Record,
        emit: &mut impl FnMut(Event),
    ) -> Observed {
        let call_type = admit(
            &mut self.strange_types,
            record.call_type,
            CallType::is_plain,
        )
        .unwrap_or(CallType::UNKNOWN);
        let mut entry = Entry::new(record);
        entry.call_type = call_type;
        entry.status = status;
        let Some(slot) = self.table.insert(entry) else {
            return Observed::Full;
        };
        let closed = record.uploaded < self.closed_before;
        if closed {
            self.table[slot].count_final();
            self.table[slot].count_success();
            emit(Event::Returned { call_type, status });
        } else {
            emit(Event::Appeared { call_type, status });
            let processing = Processing::BeforeFirstSeen;
            count_once(&mut self.table[slot], record, processing, emit);
        }
        emit_manual(call_type, Manual::default(), record.manual, emit);
        self.note_pending(slot);
        self.note_change(slot);
        if closed {
            Observed::Returned
        } else {
            Observed::New
        }
    }

    fn update(
        &mut self,
        slot: Slot,
        status: Status,
        record: &Record,
        now: UnixSeconds,
        emit: &mut impl FnMut(Event),
    ) {
        let entry = &self.table[slot];
        let (call_type, from, to) = (entry.call_type, entry.place(), Place::In(status));
        let known = if entry.is_missing() {
            Manual::default()
        } else {
            entry.manual()
        };
        if from != to {
            emit(Event::Moved {
                call_type,
                from,
                to,
            });
            self.drop_pending(slot);
        }
        emit_manual(call_type, known, record.manual, emit);
        let entry = &mut self.table[slot];
        entry.status = status;
        entry.set_manual(record.manual);
        let processing = match from {
            Place::In(_) => Processing::Took(now.saturating_sub(entry.uploaded)),
            // Nothing looks for a missing call but the comparison of the whole lookback.
            Place::Missing => Processing::NotObserved,
        };
        count_once(entry, record, processing, emit);
        self.table.set_missing(slot, false);
        self.note_change(slot);
        if from != to {
            self.note_pending(slot);
        }
    }

    /// Marks the calls of a window that a complete reading of it did not show.
    pub fn mark_missing(&mut self, window: Window, seen: &CallSet, emit: &mut impl FnMut(Event)) {
        let gone: Vec<Slot> = self
            .table
            .slots(window)
            .filter(|slot| {
                let entry = &self.table[*slot];
                !entry.is_missing() && !seen.contains(&entry.id())
            })
            .collect();
        for slot in gone {
            self.drop_pending(slot);
            let entry = &self.table[slot];
            let (call_type, from) = (entry.call_type, entry.place());
            emit(Event::Moved {
                call_type,
                from,
                to: Place::Missing,
            });
            emit_manual(call_type, entry.manual(), Manual::default(), emit);
            self.table.set_missing(slot, true);
            self.note_change(slot);
        }
    }

    /// Forgets the calls uploaded before `cutoff`, for good: what was forgotten is closed.
    ///
    /// The mark follows the calls, not the cutoff: a clock that was a year ahead for a moment must
    /// not close the year to come.
    pub fn expire(&mut self, cutoff: UnixSeconds, emit: &mut impl FnMut(Event)) {
        self.forgotten_before = cutoff;
        self.drop_below = self.drop_below.max(cutoff);
        let Self {
            table,
            pending,
            closed_before,
            ..
        } = self;
        table.take_before(cutoff, |slot, entry| {
            remove_pending(pending, slot, entry);
            if !entry.is_missing() {
                emit_manual(entry.call_type, entry.manual(), Manual::default(), emit);
            }
            emit(Event::Left {
                call_type: entry.call_type,
                place: entry.place(),
                never_final: (!entry.was_final()).then_some(entry.status),
            });
            *closed_before = (*closed_before).max(entry.uploaded.saturating_add(1));
        });
    }

    /// Calls uploaded from `time` on may be taken up again: their rows must stay.
    pub fn keep_from(&mut self, time: UnixSeconds) {
        self.forgotten_before = self.forgotten_before.min(time);
    }

    /// All calls uploaded before are forgotten.
    pub fn forgotten_before(&self) -> UnixSeconds {
        self.forgotten_before
    }

    /// All calls as they stand, by type, place and manual states: what the gauges must show.
    pub fn standing(&self) -> impl Iterator<Item = (CallType, Place, Manual)> {
        let everything = Window {
            from: 0,
            to: UnixSeconds::MAX,
        };
        self.table.slots(everything).map(|slot| {
            let entry = &self.table[slot];
            let manual = if entry.is_missing() {
                Manual::default()
            } else {
                entry.manual()
            };
            (entry.call_type, entry.place(), manual)
        })
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
                .insert((entry.uploaded, slot));
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
        calls.remove(&(entry.uploaded, slot));
    }
}

/// Counts the first final status and the first success, if this is either.
fn count_once(
    entry: &mut Entry,
    record: &Record,
    processing: Processing,
    emit: &mut impl FnMut(Event),
) {
    let (call_type, status) = (entry.call_type, entry.status);
    if status.is_final() && entry.count_final() {
        emit(Event::Processed {
            call_type,
            status,
            processing,
        });
    }
    if status == Status::SUCCEEDED && entry.count_success() {
        emit(Event::Succeeded {
            call_type,
            measures: record.measures,
        });
    }
}

fn emit_manual(call_type: CallType, from: Manual, to: Manual, emit: &mut impl FnMut(Event)) {
    for (kind, (from, to)) in ManualKind::ALL
        .into_iter()
        .zip(from.0.into_iter().zip(to.0))
    {
        if from != to {
            emit(Event::Manual {
                call_type,
                kind,
                from,
                to,
            });
        }
    }
}

/// The code itself where it is documented or among the strange ones there is room for.
fn admit<C: Copy + Ord>(strange: &mut BTreeSet<C>, code: C, plain: fn(C) -> bool) -> Option<C> {
    if plain(code) || strange.contains(&code) {
        return Some(code);
    }
    (strange.len() < MOST_STRANGE_CODES && strange.insert(code)).then_some(code)
}

#[cfg(test)]
mod tests;
