//! What is remembered of one call: 32 bytes.

use crate::model::{CallId, CallType, Manual, Place, Record, Status, UnixSeconds};

/// A place in the ledger's table of entries.
pub(super) type Slot = u32;
/// The end of a list of slots.
pub(super) const NO_SLOT: Slot = Slot::MAX;

/// What is remembered of one call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// Halves of the identity: a `u128` would align the entry to 16 bytes and grow it to 48.
    id: [u64; 2],
    /// Upload time.
    pub(super) uploaded: UnixSeconds,
    /// The next entry of the same minute, or of the free ones.
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

impl Entry {
    /// An entry of a call of which nothing has been counted.
    pub(super) fn new(record: &Record) -> Self {
        let mut entry = Self {
            id: halves(record.id),
            uploaded: record.uploaded,
            next: NO_SLOT,
            call_type: record.call_type,
            status: record.status,
            manual: [u8::MAX; 3],
            flags: 0,
        };
        entry.set_manual(record.manual);
        entry
    }

    pub(super) fn has_id(&self, id: CallId) -> bool {
        self.id == halves(id)
    }

    pub(super) fn id(&self) -> CallId {
        CallId(u128::from(self.id[0]) << 64 | u128::from(self.id[1]))
    }

    pub(super) fn manual(&self) -> Manual {
        Manual(self.manual.map(|state| (state != u8::MAX).then_some(state)))
    }

    pub(super) fn set_manual(&mut self, manual: Manual) {
        self.manual = manual.0.map(|state| state.unwrap_or(u8::MAX));
    }

    pub(super) fn place(&self) -> Place {
        if self.is_missing() {
            Place::Missing
        } else {
            Place::In(self.status)
        }
    }

    /// Whether the call is in the list, in a status where it will not rest.
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

    /// Whether this is the first time that the call is counted as final.
    pub(super) fn count_final(&mut self) -> bool {
        let first = !self.was_final();
        self.flags |= FINAL;
        first
    }

    /// Whether this is the first time that the call is counted as succeeded.
    pub(super) fn count_success(&mut self) -> bool {
        let first = self.flags & SUCCESS == 0;
        self.flags |= SUCCESS;
        first
    }
}

fn halves(id: CallId) -> [u64; 2] {
    [(id.0 >> 64) as u64, id.0 as u64]
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<super::Entry>(), 32);
    }
}
