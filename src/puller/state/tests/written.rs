//! What a pull writes: it follows what has changed, not what was read.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::*;

/// Memory, with a count of the bytes written to it. Clones are handles of the same.
#[derive(Clone, Debug, Default)]
struct Counting {
    memory: Arc<InMemoryBackend>,
    written: Arc<AtomicUsize>,
}

impl StorageBackend for Counting {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.written.fetch_add(data.len(), Ordering::Relaxed);
        self.memory.write(offset, data)
    }
}

#[test]
fn two_thousand_pending_calls_that_are_as_they_were_cost_nothing() {
    let disk = Counting::default();
    let written = Arc::clone(&disk.written);
    let taken = || written.swap(0, Ordering::Relaxed);
    let open = move || -> Box<dyn StorageBackend> { Box::new(disk.clone()) };
    let (mut state, store) =
        TargetState::open(Backend::Other("memory".into(), Box::new(open))).unwrap();
    expect(&mut state);
    let status = |id: u32| if id.is_multiple_of(50) { 0 } else { 2 };
    let pending = |state: &mut TargetState| {
        let read = (0..100_000).step_by(50).map(|id| record(id, 0));
        take(state, read);
        let changes = state.take_changes(NOW).unwrap();
        store.commit(&changes).unwrap();
        state.mark_committed(&changes);
        changes.rows.len()
    };
    take(&mut state, (0..100_000).map(|id| record(id, status(id))));
    assert_eq!(pending(&mut state), 100_000);
    taken();
    for _ in 0..5 {
        assert_eq!(pending(&mut state), 0);
        // The state alone.
        let bytes = taken();
        assert!(bytes < 60_000, "{bytes}");
    }
    // Ten of them have moved on.
    take(&mut state, (0..500).step_by(50).map(|id| record(id, 3)));
    let changes = state.take_changes(NOW).unwrap();
    assert_eq!(changes.rows.len(), 10);
    store.commit(&changes).unwrap();
    let bytes = taken();
    assert!(bytes < 120_000, "{bytes}");
}
