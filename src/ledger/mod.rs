//! Counts each call exactly once: remembers the calls of the lookback and turns records into events.
//! Pure: no I/O, and the time is an argument.

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

/// How the ledger took a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Observed {
    /// A new call.
    New,
    /// A known call. Events report what has changed.
    Known,
    /// An unknown call from a closed time: shown from now on, but not counted, because it may have
    /// been counted and forgotten.
    Returned,
    /// A call older than the lookback.
    Old,
    /// An upload time in the future. The call is read again when that time has come.
    Future,
    /// The ledger is full.
    Full,
}

/// Undocumented statuses, and types, that get a label of their own. The bound protects from a vendor
/// that sends a new number with each call.
const MAX_UNDOCUMENTED_CODES: usize = 32;

/// The calls of the lookback and what has been counted of each.
///
/// Observing a record a second time emits nothing. So overlap, retries, duplicate pages and repeated
/// readings cost requests, never correctness.
#[derive(Default)]
pub struct Ledger {
    table: Table,
    /// Calls whose status is not final, oldest first.
    pending: BTreeMap<(CallType, Status), BTreeSet<(UnixSeconds, Slot)>>,
    /// Unknown calls uploaded before may have been counted and forgotten.
    closed_before: UnixSeconds,
    undocumented_types: BTreeSet<CallType>,
    undocumented_statuses: BTreeSet<Status>,
    /// Keys of rows replaced under another key since the last commit.
    removed: Vec<RowKey>,
    /// Slots changed since the last commit; some may be free again.
    changed: Vec<Slot>,
    /// Upper bound of remembered calls.
    max_calls: Option<usize>,
    /// Calls uploaded before have been forgotten.
    forgotten_before: UnixSeconds,
    /// Rows of calls uploaded before can be dropped from the store; 0 once they have been. Separate
    /// from `forgotten_before`, which a clock that steps back may lower before that.
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
        for slot in self.table.slots(window) {
            *calls.entry(self.table[slot].call_type).or_default() += 1;
        }
        calls
    }

    /// Unknown calls uploaded before are no longer counted.
    pub fn close_before(&mut self, time: UnixSeconds) {
        self.closed_before = self.closed_before.max(time);
    }

    /// Counts calls uploaded from `time` on. Only while nothing has been counted.
    pub fn reopen(&mut self, time: UnixSeconds) {
        self.closed_before = time;
        self.forgotten_before = self.forgotten_before.min(time);
        self.drop_below = 0;
    }

    /// Applies a record seen at `now`, and emits what is new about its call.
    ///
    /// An unknown call is added only if it was uploaded in `lookback`.
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
                // Documented never to change. If it does, the call is expected at its new time.
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
        let has_room = self.max_calls.is_none_or(|max| self.table.len() < max);
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
            // Only the slow comparison of the lookback finds a missing call again.
            Position::Missing => Processing::NotObserved,
        };
        count_once(entry, record, processing, emit);
        self.table.set_missing(slot, false);
        // Most rows are read again unchanged, and then not written again.
        if self.table[slot] != before {
            self.note_change(slot);
        }
        if from != to {
            self.note_pending(slot);
        }
    }

    /// Whether any known call of one second is listed; `None` if none is known.
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

    /// A call of a window that is not missing and whose upload time `suits`.
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

    /// Upload times of known calls of a window that are not listed.
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

    /// Forgets the calls uploaded before `cutoff`, and closes their times.
    ///
    /// `closed_before` follows the forgotten calls, not the cutoff: a clock that is a year ahead for a
    /// moment must not close the year to come.
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
        if self.table.len() < before {
            self.drop_below = self.drop_below.max(cutoff);
        }
    }

    /// Keeps the rows of calls uploaded from `time` on.
    pub fn keep_from(&mut self, time: UnixSeconds) {
        self.forgotten_before = self.forgotten_before.min(time);
    }

    /// All calls uploaded before have been forgotten.
    pub fn forgotten_before(&self) -> UnixSeconds {
        self.forgotten_before
    }

    /// All calls by type, position and manual states. The gauges are the sums of these.
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

    /// Changes the identity of a known call, without counting anything.
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

/// Emits the first final status and the first success of a call.
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

/// The code, if it is documented or one of the few others that get a label.
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
