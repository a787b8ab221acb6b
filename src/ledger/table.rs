//! The calls in memory, indexed by identity and by minute of upload and type.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;

use super::entry::{Entry, NO_SLOT, Slot};
use crate::model::{CallHasher, CallId, CallType, UnixSeconds, Window};

const MINUTE: UnixSeconds = 60;

/// Entries in one array, indexed by a hash table of slots (five bytes each) and by a linked list of
/// slots per minute and type. A map from identity to entry would be simpler, but is half empty after it
/// has grown.
pub(super) struct Table {
    entries: Vec<Entry>,
    by_id: HashTable<Slot>,
    hasher: CallHasher,
    minutes: BTreeMap<MinuteKey, Minute>,
    /// Head of the list of free slots.
    free: Slot,
}

/// Minutes since 1970, and the type of all calls in the list.
type MinuteKey = (UnixSeconds, CallType);

struct Minute {
    head: Slot,
    calls: u32,
    /// Calls that are not missing.
    present: u32,
}

impl Minute {
    const EMPTY: Self = Self {
        head: NO_SLOT,
        calls: 0,
        present: 0,
    };

    /// Adds an entry in front. Returns what is to be its `next`.
    fn push(&mut self, slot: Slot, is_missing: bool) -> Slot {
        self.calls += 1;
        self.present += u32::from(!is_missing);
        std::mem::replace(&mut self.head, slot)
    }
}

fn minute_of(entry: &Entry) -> MinuteKey {
    (entry.uploaded() / MINUTE, entry.call_type)
}

/// Whether a window contains the whole minute.
fn is_whole(window: Window, minute: UnixSeconds) -> bool {
    let start = minute * MINUTE;
    start >= window.from && start.saturating_add(MINUTE - 1) <= window.to
}

impl Default for Table {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            by_id: HashTable::new(),
            hasher: CallHasher::default(),
            minutes: BTreeMap::new(),
            free: NO_SLOT,
        }
    }
}

impl Index<Slot> for Table {
    type Output = Entry;

    fn index(&self, slot: Slot) -> &Entry {
        &self.entries[slot as usize]
    }
}

impl IndexMut<Slot> for Table {
    fn index_mut(&mut self, slot: Slot) -> &mut Entry {
        &mut self.entries[slot as usize]
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn find(&self, id: CallId) -> Option<Slot> {
        let hash = self.hasher.hash_one(id);
        self.by_id
            .find(hash, |slot| self[*slot].id() == id)
            .copied()
    }

    /// Inserts an entry with a new identity; `None` if no slot is left.
    pub(super) fn insert(&mut self, mut entry: Entry) -> Option<Slot> {
        let slot = match self.free {
            NO_SLOT => Slot::try_from(self.entries.len())
                .ok()
                .filter(|slot| *slot != NO_SLOT)?,
            slot => slot,
        };
        let minute = self.minutes.entry(minute_of(&entry));
        entry.next = minute
            .or_insert(Minute::EMPTY)
            .push(slot, entry.is_missing());
        match self.entries.get_mut(slot as usize) {
            Some(place) => self.free = std::mem::replace(place, entry).next,
            None => self.entries.push(entry),
        }
        self.index(slot);
        Some(slot)
    }

    /// Adds an entry to the index by identity.
    fn index(&mut self, slot: Slot) {
        let hash = self.hasher.hash_one(self[slot].id());
        self.by_id.insert_unique(hash, slot, |slot| {
            self.hasher.hash_one(self.entries[*slot as usize].id())
        });
    }

    /// Removes an entry from the index by identity.
    fn unindex(&mut self, slot: Slot) {
        let hash = self.hasher.hash_one(self[slot].id());
        if let Ok(found) = self.by_id.find_entry(hash, |other| *other == slot) {
            found.remove();
        }
    }

    /// Changes the identity of an entry to an unused `call_uuid`.
    pub(super) fn rename(&mut self, slot: Slot, uuid: CallId) {
        self.unindex(slot);
        self[slot].set_uuid(uuid);
        self.index(slot);
    }

    /// Changes the upload time of an entry.
    pub(super) fn relocate(&mut self, slot: Slot, uploaded: UnixSeconds) {
        let before = minute_of(&self[slot]);
        let (is_missing, next) = (self[slot].is_missing(), self[slot].next);
        let Some(minute) = self.minutes.get_mut(&before) else {
            return;
        };
        minute.calls -= 1;
        minute.present -= u32::from(!is_missing);
        if minute.calls == 0 {
            self.minutes.remove(&before);
        } else if minute.head == slot {
            minute.head = next;
        } else {
            let head = minute.head;
            let previous = self.list(head).find(|other| self[*other].next == slot);
            if let Some(previous) = previous {
                self[previous].next = next;
            }
        }
        self[slot].set_uploaded(uploaded);
        let minute = self.minutes.entry(minute_of(&self[slot]));
        self[slot].next = minute.or_insert(Minute::EMPTY).push(slot, is_missing);
    }

    /// Slots of the calls uploaded in a window: by minute, unordered within one.
    pub(super) fn slots(&self, window: Window) -> impl Iterator<Item = Slot> {
        self.minutes(window)
            .flat_map(|(_, minute)| self.list(minute.head))
            .filter(move |slot| window.contains(self[*slot].uploaded()))
    }

    /// Number of calls uploaded in a window that are not missing.
    pub(super) fn count_present(&self, window: Window) -> u64 {
        let present = |minute: &Minute| minute.present;
        let counts = self.count(window, present, |entry| !entry.is_missing());
        counts.map(|(_, count)| count).sum()
    }

    /// Number of calls uploaded in a window by type, missing ones included. A type may come more than
    /// once.
    pub(super) fn count_by_type(&self, window: Window) -> impl Iterator<Item = (CallType, u64)> {
        self.count(window, |minute| minute.calls, |_| true)
    }

    /// Iterates over the calls of the first and last minute only.
    fn count(
        &self,
        window: Window,
        whole: impl Fn(&Minute) -> u32,
        counts: impl Fn(&Entry) -> bool,
    ) -> impl Iterator<Item = (CallType, u64)> {
        self.minutes(window)
            .map(move |((minute, call_type), content)| {
                if is_whole(window, *minute) {
                    return (*call_type, u64::from(whole(content)));
                }
                let calls = self.list(content.head).map(|slot| &self[slot]);
                let inside =
                    calls.filter(|entry| window.contains(entry.uploaded()) && counts(entry));
                (*call_type, inside.count() as u64)
            })
    }

    /// The minutes that a window touches.
    fn minutes(&self, window: Window) -> impl Iterator<Item = (&MinuteKey, &Minute)> {
        // `UNKNOWN` is the smallest type.
        let start = |minute| (minute, CallType::UNKNOWN);
        self.minutes
            .range(start(window.from / MINUTE)..start(window.to / MINUTE + 1))
    }

    fn list(&self, head: Slot) -> impl Iterator<Item = Slot> {
        let some = |slot: Slot| (slot != NO_SLOT).then_some(slot);
        std::iter::successors(some(head), move |slot| some(self[*slot].next))
    }

    /// Removes all calls uploaded before `cutoff`, and passes each to `taken`.
    pub(super) fn take_before(&mut self, cutoff: UnixSeconds, mut taken: impl FnMut(Slot, &Entry)) {
        let mut cut = Vec::new();
        while let Some(minute) = self.minutes.first_entry() {
            let key = *minute.key();
            if key.0 * MINUTE >= cutoff {
                break;
            }
            let mut head = minute.remove().head;
            let mut kept = Minute::EMPTY;
            while head != NO_SLOT {
                let slot = head;
                head = self[slot].next;
                if self[slot].uploaded() >= cutoff {
                    self[slot].next = kept.push(slot, self[slot].is_missing());
                } else {
                    taken(slot, &self[slot]);
                    self.remove(slot);
                }
            }
            if kept.calls > 0 {
                cut.push((key, kept));
            }
        }
        self.minutes.extend(cut);
    }

    /// Marks a call as missing or listed.
    pub(super) fn set_missing(&mut self, slot: Slot, missing: bool) {
        let entry = &mut self.entries[slot as usize];
        if entry.is_missing() == missing {
            return;
        }
        entry.set_missing(missing);
        if let Some(minute) = self.minutes.get_mut(&minute_of(entry)) {
            minute.present = if missing {
                minute.present - 1
            } else {
                minute.present + 1
            };
        }
    }

    fn remove(&mut self, slot: Slot) {
        self.unindex(slot);
        // A free slot has nothing to commit.
        let _ = self[slot].take_row();
        self[slot].next = std::mem::replace(&mut self.free, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Record;

    fn entry(id: u32, uploaded: UnixSeconds) -> Entry {
        let mut entry = Entry::new(&Record::succeeded(CallId(id.into()), uploaded));
        entry.call_type = CallType::from_number((id % 3).into());
        entry
    }

    #[test]
    fn windows_are_counted_to_the_second_and_slots_are_reused() {
        let mut table = Table::default();
        for id in 0..1000 {
            table.insert(entry(id, 100 + id)).unwrap();
        }
        for (from, to, count) in [
            (0, 99, 0),
            (0, 100, 1),
            (100, 1099, 1000),
            (160, 399, 240),
            (171, 171, 1),
            (1099, 5000, 1),
        ] {
            let window = Window::new(from, to);
            assert_eq!(table.count_present(window), count, "{window:?}");
            assert_eq!(table.slots(window).count() as u64, count, "{window:?}");
            let mut of_type = [0; 3];
            for (call_type, count) in table.count_by_type(window) {
                of_type[call_type.number() as usize] += count;
            }
            let expected = [0, 1, 2].map(|number| {
                let slots = table.slots(window);
                let of_type = slots.filter(|slot| table[*slot].call_type.number() == number);
                of_type.count() as u64
            });
            assert_eq!(of_type, expected, "{window:?}");
        }
        let missing = table.find(CallId(75)).unwrap();
        for (missing_now, count) in [(true, 239), (true, 239), (false, 240)] {
            table.set_missing(missing, missing_now);
            let window = Window::new(160, 399);
            assert_eq!(table.count_present(window), count);
            let uploaded: u64 = table.count_by_type(window).map(|(_, count)| count).sum();
            assert_eq!(uploaded, 240, "missing ones included");
            assert_eq!(
                table.count_present(Window::new(175, 175)),
                u64::from(!missing_now)
            );
        }
        // To another minute and back, from the middle of a list and from its head.
        for id in [75, 119, 120] {
            let slot = table.find(CallId(id)).unwrap();
            let at = table[slot].uploaded();
            table.relocate(slot, 5000);
            assert_eq!(table.count_present(Window::new(at, at)), 0);
            assert_eq!(table.count_present(Window::new(5000, 5000)), 1);
            table.relocate(slot, at);
            assert_eq!(table.count_present(Window::new(100, 1099)), 1000);
            table.rename(slot, CallId(70_000 + id));
            assert_eq!(table.find(CallId(id)), None);
            table.rename(slot, CallId(id));
            assert_eq!(table.find(CallId(id)), Some(slot));
        }
        let mut taken = Vec::new();
        table.take_before(471, |_, entry| taken.push(entry.uploaded()));
        taken.sort_unstable();
        assert_eq!(taken, (100..471).collect::<Vec<_>>());
        assert_eq!(table.len(), 629);
        assert_eq!(table.count_present(Window::new(0, u32::MAX)), 629);
        assert_eq!(table.find(CallId(370)), None);
        assert!(table.find(CallId(371)).is_some());
        for id in 2000..2371 {
            table.insert(entry(id, 3000)).unwrap();
        }
        assert_eq!((table.len(), table.entries.len()), (1000, 1000));
        assert!((2000u32..2371).all(|id| table.find(CallId(id.into())).is_some()));
    }
}
