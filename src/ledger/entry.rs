//! One call in memory (32 bytes) and as a row of the store.

use crate::model::{
    CallId, CallKey, CallType, ManualStates, Position, Record, Status, UnixSeconds,
};

/// Index into the table of entries.
pub(super) type Slot = u32;
/// End of a linked list of slots.
pub(super) const NO_SLOT: Slot = Slot::MAX;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// Upload time and identity. As a number, the identity would align the entry to 16 bytes and grow
    /// it to 48.
    pub(super) key: CallKey,
    /// Next entry of the same minute, or of the free list.
    pub(super) next: Slot,
    pub(super) call_type: CallType,
    pub(super) status: Status,
    /// By `ManualKind::ALL`; `u8::MAX` is none.
    manual: [u8; 3],
    flags: u8,
}

/// The first final status has been counted.
const FINAL: u8 = 1;
/// The first success has been counted.
const SUCCESS: u8 = 2;
/// Not in the list any more.
const MISSING: u8 = 4;
/// The identity is the call's `call_uuid`.
const HAS_UUID: u8 = 16;
/// Changed since the last commit. Not part of a row.
const CHANGED: u8 = 8;
const KEPT: u8 = FINAL | SUCCESS | MISSING | HAS_UUID;

impl Entry {
    /// An entry of which nothing has been counted yet.
    pub(super) fn new(record: &Record) -> Self {
        let mut entry = Self {
            key: record.id.key(record.uploaded),
            next: NO_SLOT,
            call_type: record.call_type,
            status: record.status,
            manual: [u8::MAX; 3],
            flags: if record.has_uuid { HAS_UUID } else { 0 },
        };
        entry.set_manual(record.manual);
        entry
    }

    pub(super) fn id(&self) -> CallId {
        CallId::from_key(self.key).1
    }

    pub(super) fn uploaded(&self) -> UnixSeconds {
        CallId::from_key(self.key).0
    }

    pub(super) fn set_uploaded(&mut self, uploaded: UnixSeconds) {
        self.key = self.id().key(uploaded);
    }

    /// The states that the call counts in: none if it is missing.
    pub(super) fn manual(&self) -> ManualStates {
        if self.is_missing() {
            return ManualStates::default();
        }
        ManualStates(self.manual.map(|state| (state != u8::MAX).then_some(state)))
    }

    pub(super) fn set_manual(&mut self, manual: ManualStates) {
        self.manual = manual.0.map(|state| state.unwrap_or(u8::MAX));
    }

    pub(super) fn position(&self) -> Position {
        if self.is_missing() {
            Position::Missing
        } else {
            Position::In(self.status)
        }
    }

    /// Whether the call is listed and its status is not final.
    pub(super) fn is_pending(&self) -> bool {
        !self.is_missing() && !self.status.is_final()
    }

    pub(super) fn is_missing(&self) -> bool {
        self.flags & MISSING != 0
    }

    pub(super) fn set_missing(&mut self, missing: bool) {
        self.flags = if missing {
            self.flags | MISSING
        } else {
            self.flags & !MISSING
        };
    }

    pub(super) fn was_final(&self) -> bool {
        self.flags & FINAL != 0
    }

    /// Marks the call as counted final. Returns whether this is the first time.
    pub(super) fn count_final(&mut self) -> bool {
        let first = !self.was_final();
        self.flags |= FINAL;
        first
    }

    /// Marks the call as counted succeeded. Returns whether this is the first time.
    pub(super) fn count_success(&mut self) -> bool {
        let first = self.flags & SUCCESS == 0;
        self.flags |= SUCCESS;
        first
    }

    /// Marks the entry as different from its stored row. Returns whether it was not before.
    pub(super) fn set_changed(&mut self) -> bool {
        let first = self.flags & CHANGED == 0;
        self.flags |= CHANGED;
        first
    }

    /// Whether the identity is the `call_uuid`, as far as is known.
    pub(super) fn has_uuid(&self) -> bool {
        self.flags & HAS_UUID != 0
    }

    pub(super) fn set_uuid(&mut self, uuid: CallId) {
        self.key = uuid.key(self.uploaded());
        self.flags |= HAS_UUID;
    }

    /// Takes the row of a changed entry; `None` if it has not changed.
    pub(super) fn take_row(&mut self) -> Option<Row> {
        if self.flags & CHANGED == 0 {
            return None;
        }
        self.flags &= !CHANGED;
        let mut value = [0; 8];
        value[..2].copy_from_slice(&self.call_type.number().to_le_bytes());
        value[2..4].copy_from_slice(&self.status.number().to_le_bytes());
        value[4..7].copy_from_slice(&self.manual);
        value[7] = self.flags;
        Some((self.key, value))
    }

    /// Reads a row; `None` if it is invalid.
    pub(super) fn from_row((key, value): Row) -> Option<Self> {
        let [t0, t1, s0, s1, sampled, reviewed, appealed, flags] = value;
        let entry = Self {
            key,
            next: NO_SLOT,
            call_type: CallType::from_number(i16::from_le_bytes([t0, t1]).into()),
            status: Status::from_number(i16::from_le_bytes([s0, s1]).into()),
            manual: [sampled, reviewed, appealed],
            flags,
        };
        let final_without_count = entry.status.is_final() && flags & FINAL == 0;
        (flags & !KEPT == 0 && !final_without_count).then_some(entry)
    }
}

/// A row of the store: type, status, manual states and flags of a call.
pub type Row = (CallKey, [u8; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 32);
    }

    #[test]
    fn an_entry_is_restored_from_its_row() {
        let mut entry = Entry::new(&Record {
            call_type: CallType::UNKNOWN,
            manual: ManualStates([Some(0), None, Some(254)]),
            ..Record::succeeded(
                CallId(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
                0x1122_3344,
            )
        });
        assert_eq!(entry.take_row(), None, "nothing has changed");
        entry.count_final();
        entry.set_missing(true);
        assert!(entry.set_changed() && !entry.set_changed());
        let (key, value) = entry.take_row().unwrap();
        assert_eq!(key[..6], [0x11, 0x22, 0x33, 0x44, 1, 2]);
        assert_eq!(
            value,
            [0xff, 0xff, 2, 0, 0, 255, 254, FINAL | MISSING | HAS_UUID]
        );
        assert_eq!(Entry::from_row((key, value)), Some(entry));
        for (place, bad) in [(7, 32), (7, CHANGED), (7, SUCCESS)] {
            let mut value = value;
            value[place] = bad;
            assert_eq!(Entry::from_row((key, value)), None, "{bad}");
        }
    }
}
