//! Compares the known calls of a window with what a reading listed.

use super::Ledger;
use super::entry::Slot;
use super::observe::emit_manual;
use crate::model::{CallId, Event, ManualStates, Position, UnixSeconds, Window};

impl Ledger {
    /// Whether any known call of one second is listed; `None` if none is known.
    pub fn is_any_listed(
        &self,
        second: UnixSeconds,
        is_listed: impl Fn(CallId) -> bool,
    ) -> Option<bool> {
        let window = Window::new(second, second);
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
            window.from < entry.uploaded() && !entry.is_missing() && suits(entry.uploaded())
        });
        found.map(|entry| (entry.uploaded(), entry.id()))
    }

    /// Upload times of known calls of a window that are not listed.
    pub fn absent(&self, window: Window, is_listed: impl Fn(CallId) -> bool) -> Vec<UnixSeconds> {
        let slots = self.absent_slots(window, &is_listed);
        let mut times: Vec<_> = slots.map(|slot| self.table[slot].uploaded()).collect();
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

    /// Marks the calls of a window that are no longer listed.
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
            emit_manual(call_type, entry.manual(), ManualStates::default(), emit);
            self.table.set_missing(slot, true);
            self.note_change(slot);
        }
    }
}
