//! Turns a record into events: what is new about its call.

use std::collections::BTreeSet;

use super::Ledger;
use super::entry::{Entry, Slot};
use crate::model::{
    CallType, Event, ManualKind, ManualStates, Position, ProcessingTime, Record, Status,
    UnixSeconds, Window,
};

/// Why the ledger does not take a record of an unknown call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// A call older than the lookback.
    Old,
    /// An upload time in the future. The call is read again when that time has come.
    Future,
    /// The ledger is full.
    Full,
}

/// Undocumented statuses, and types, that get a label of their own. The bound protects from a vendor
/// that sends a new number with each call.
pub(super) const MAX_UNDOCUMENTED_CODES: usize = 32;

impl Ledger {
    /// Applies a record seen at `now`, and emits what is new about its call.
    ///
    /// # Errors
    ///
    /// The call is unknown, and was not uploaded in `lookback` or does not fit.
    pub fn observe(
        &mut self,
        record: &Record,
        now: UnixSeconds,
        lookback: Window,
        emit: &mut impl FnMut(Event),
    ) -> Result<(), Refused> {
        let status = admit(
            &mut self.marks.undocumented_statuses,
            record.status,
            Status::has_own_label,
        )
        .unwrap_or(Status::UNKNOWN);
        match self.table.find(record.id) {
            Some(slot) => {
                // Documented never to change. If it does, the call is expected at its new time.
                if record.uploaded != self.table[slot].uploaded()
                    && lookback.contains(record.uploaded)
                {
                    self.relocate(slot, record.uploaded);
                }
                self.update(slot, status, record, now, emit);
                Ok(())
            }
            None if record.uploaded < lookback.from => Err(Refused::Old),
            None if record.uploaded > lookback.to => Err(Refused::Future),
            None => self.insert(status, record, emit),
        }
    }

    fn insert(
        &mut self,
        status: Status,
        record: &Record,
        emit: &mut impl FnMut(Event),
    ) -> Result<(), Refused> {
        let call_type = admit(
            &mut self.marks.undocumented_types,
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
            return Err(Refused::Full);
        };
        if record.uploaded < self.marks.closed_before {
            // It may have been counted and forgotten: shown from now on, but not counted.
            self.table[slot].count_final();
            self.table[slot].count_success();
            emit(Event::Returned { call_type, status });
        } else {
            emit(Event::Appeared { call_type, status });
            let processing_time = ProcessingTime::FinalWhenFirstSeen;
            count_once(&mut self.table[slot], record, processing_time, emit);
        }
        emit_manual(call_type, ManualStates::default(), record.manual, emit);
        self.note_pending(slot);
        self.note_change(slot);
        Ok(())
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
        let known = entry.manual();
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
        let processing_time = match from {
            // Only the slow comparison of the lookback finds these calls again.
            Position::In(Status::UNKNOWN) | Position::Missing => ProcessingTime::NotObserved,
            Position::In(_) => ProcessingTime::Observed(now.saturating_sub(entry.uploaded())),
        };
        count_once(entry, record, processing_time, emit);
        self.table.set_missing(slot, false);
        // Most rows are read again unchanged, and then not written again.
        if self.table[slot] != before {
            self.note_change(slot);
        }
        if from != to {
            self.note_pending(slot);
        }
    }
}

/// Emits the first final status and the first success of a call.
fn count_once(
    entry: &mut Entry,
    record: &Record,
    processing_time: ProcessingTime,
    emit: &mut impl FnMut(Event),
) {
    let (call_type, status) = (entry.call_type, entry.status);
    if status.is_final() && entry.count_final() {
        emit(Event::Processed {
            call_type,
            status,
            processing_time,
        });
    }
    if status == Status::SUCCEEDED && entry.count_success() {
        emit(Event::Succeeded {
            call_type,
            measures: record.measures,
        });
    }
}

pub(super) fn emit_manual(
    call_type: CallType,
    from: ManualStates,
    to: ManualStates,
    emit: &mut impl FnMut(Event),
) {
    for (kind, (from, to)) in ManualKind::ALL
        .into_iter()
        .zip(from.0.into_iter().zip(to.0))
    {
        if from != to {
            emit(Event::ManualStateChanged {
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
