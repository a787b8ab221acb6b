//! Each call exactly once: what is remembered of the calls in the lookback, and what a record
//! tells that was not known. Pure: no I/O, and the time is an argument.

mod checkpoint;
mod entry;
mod table;

pub use checkpoint::Checkpoint;
pub use entry::{Row, RowKey};

use std::collections::{BTreeMap, BTreeSet};

use entry::{Entry, Slot};
use table::Table;

use crate::model::{
    CallId, CallType, Event, Manual, ManualKind, Position, Processing, Record, Status, UnixSeconds,
    Window,
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
const MAX_UNDOCUMENTED_CODES: usize = 32;

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
    undocumented_types: BTreeSet<CallType>,
    undocumented_statuses: BTreeSet<Status>,
    /// Rows whose calls have another key since the last commit.
    removed: Vec<RowKey>,
    /// Slots of entries that have changed since the last commit, and of some that are gone.
    changed: Vec<Slot>,
    /// How many calls may be remembered, if that is bounded.
    most_calls: Option<usize>,
    /// Calls uploaded before are forgotten.
    forgotten_before: UnixSeconds,
    /// Rows of calls uploaded before are of no more use; 0 when they have been dropped. Apart from
    /// `forgotten_before`, which a clock that steps back lowers before they have been.
    drop_below: UnixSeconds,
}

impl Ledger {
    /// Bounds how many calls are remembered. Those that are remembered already stay.
    pub fn limit(&mut self, most_calls: usize) {
        self.most_calls = Some(most_calls);
    }

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
    ///
    /// Not those without a status: no status can be asked for that lists them.
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

    /// While nothing was ever counted: calls uploaded from `time` on are.
    pub fn reopen(&mut self, time: UnixSeconds) {
        self.closed_before = time;
        self.forgotten_before = self.forgotten_before.min(time);
        self.drop_below = 0;
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
        let status = admit(
            &mut self.undocumented_statuses,
            record.status,
            Status::has_own_label,
        )
        .unwrap_or(Status::UNKNOWN);
        match self.table.find(record.id) {
            Some(slot) => {
                // Documented never to change; if it does, the call is looked for at its new time.
                if record.uploaded != self.table[slot].uploaded
                    && lookback.contains(record.uploaded)
                {
                    self.relocate(slot, record.uploaded);
                }
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
            &mut self.undocumented_types,
            record.call_type,
            CallType::has_own_label,
        )
        .unwrap_or(CallType::UNKNOWN);
        let mut entry = Entry::new(record);
        entry.call_type = call_type;
        entry.status = status;
        let has_room = self.most_calls.is_none_or(|most| self.table.len() < most);
        let slot = has_room.then(|| self.table.insert(entry)).flatten();
        let Some(slot) = slot else {
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
        let before = entry.clone();
        let (call_type, from, to) = (entry.call_type, entry.position(), Position::In(status));
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
            Position::In(_) => Processing::Took(now.saturating_sub(entry.uploaded)),
            // Nothing looks for a missing call but the comparison of the whole lookback.
            Position::Missing => Processing::NotObserved,
        };
        count_once(entry, record, processing, emit);
        self.table.set_missing(slot, false);
        // Most rows are read again as they were; those are not written again.
        if self.table[slot] != before {
            self.note_change(slot);
        }
        if from != to {
            self.note_pending(slot);
        }
    }

    /// Whether a reading listed any of the calls uploaded in one second; `None` if none is known.
    pub fn is_any_listed(
        &self,
        second: UnixSeconds,
        is_listed: impl Fn(CallId) -> bool,
    ) -> Option<bool> {
        let window = Window {
            from: second,
            to: second,
        };
        let present = |slot: &Slot| !self.table[*slot].is_missing();
        let mut known = self.table.slots(window).filter(present).peekable();
        known.peek()?;
        Some(known.any(|slot| is_listed(self.table[slot].id())))
    }

    /// A call of a window that is listed, as far as is known, and uploaded at a time that suits.
    pub fn find_listed(
        &self,
        window: Window,
        suits: impl Fn(UnixSeconds) -> bool,
    ) -> Option<(UnixSeconds, CallId)> {
        let mut calls = self.table.slots(window).map(|slot| &self.table[slot]);
        let found = calls.find(|entry| {
            window.from < entry.uploaded && !entry.is_missing() && suits(entry.uploaded)
        });
        found.map(|entry| (entry.uploaded, entry.id()))
    }

    /// Upload times of the calls of a window that a reading did not list.
    pub fn absent(&self, window: Window, is_listed: impl Fn(CallId) -> bool) -> Vec<UnixSeconds> {
        let slots = self.absent_slots(window, &is_listed);
        let mut times: Vec<_> = slots.map(|slot| self.table[slot].uploaded).collect();
        times.sort_unstable();
        times
    }

    fn absent_slots(
        &self,
        window: Window,
        is_listed: &impl Fn(CallId) -> bool,
    ) -> impl Iterator<Item = Slot> {
        self.table.slots(window).filter(|slot| {
            let entry = &self.table[*slot];
            !entry.is_missing() && !is_listed(entry.id())
        })
    }

    /// Checkpoint the calls of a window that are no longer listed.
    pub fn mark_missing(
        &mut self,
        window: Window,
        is_listed: impl Fn(CallId) -> bool,
        emit: &mut impl FnMut(Event),
    ) {
        let gone: Vec<Slot> = self.absent_slots(window, &is_listed).collect();
        for slot in gone {
            self.drop_pending(slot);
            let entry = &self.table[slot];
            let (call_type, from) = (entry.call_type, entry.position());
            emit(Event::Moved {
                call_type,
                from,
                to: Position::Missing,
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
        let before = self.table.len();
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
                position: entry.position(),
                never_final: (!entry.was_final()).then_some(entry.status),
            });
            *closed_before = (*closed_before).max(entry.uploaded.saturating_add(1));
        });
        // Nothing to drop is nothing to write.
        if self.table.len() < before {
            self.drop_below = self.drop_below.max(cutoff);
        }
    }

    /// Calls uploaded from `time` on may be taken up again: their rows must stay.
    pub fn keep_from(&mut self, time: UnixSeconds) {
        self.forgotten_before = self.forgotten_before.min(time);
    }

    /// All calls uploaded before are forgotten.
    pub fn forgotten_before(&self) -> UnixSeconds {
        self.forgotten_before
    }

    /// All calls by type, position and manual states: what the gauges must show.
    pub fn positions(&self) -> impl Iterator<Item = (CallType, Position, Manual)> {
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
            (entry.call_type, entry.position(), manual)
        })
    }

    /// Gives a call that is known by one identity another. Nothing is counted again.
    pub fn rename(&mut self, before: CallId, id: CallId) {
        if self.table.find(id).is_some() {
            return;
        }
        if let Some(slot) = self.table.find(before) {
            self.removed.push(self.table[slot].key());
            self.table.rename(slot, id);
            self.note_change(slot);
        }
    }

    fn relocate(&mut self, slot: Slot, uploaded: UnixSeconds) {
        self.removed.push(self.table[slot].key());
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

/// The code itself where it is documented or one of the few undocumented codes that get a label.
fn admit<C: Copy + Ord>(
    undocumented: &mut BTreeSet<C>,
    code: C,
    has_own_label: fn(C) -> bool,
) -> Option<C> {
    if has_own_label(code) || undocumented.contains(&code) {
        return Some(code);
    }
    (undocumented.len() < MAX_UNDOCUMENTED_CODES && undocumented.insert(code)).then_some(code)
}

#[cfg(test)]
mod tests;
