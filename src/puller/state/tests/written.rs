//! The size of a commit depends on what has changed, not on what was read.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redb::backends::InMemoryBackend;
use redb::{BackendError, StorageBackend};

use super::*;

/// A backend in memory that counts written bytes. Clones share both.
#[derive(Clone, Debug, Default)]
struct CountingBackend {
    memory: Arc<InMemoryBackend>,
    written: Arc<AtomicUsize>,
}

impl StorageBackend for CountingBackend {
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

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
fn two_thousand_unchanged_pending_calls_are_not_written_again() {
    let disk = CountingBackend::default();
    let written = Arc::clone(&disk.written);
    let written = || written.swap(0, Ordering::Relaxed);
    let open = move || -> Box<dyn StorageBackend> { Box::new(disk.clone()) };
    let (mut state, store) =
        TargetState::open(Backend::Other("memory".into(), Box::new(open))).unwrap();
    create_series(&mut state);
    let status = |id: u32| if id.is_multiple_of(50) { 0 } else { 2 };
    let pending = |state: &mut TargetState| {
        let read = (0..100_000).step_by(50).map(|id| record(id, 0));
        apply(state, read);
        let changes = state.take_changes(NOW).unwrap();
        store.commit(&changes).unwrap();
        state.mark_committed(&changes);
        changes.rows.len()
    };
    apply(&mut state, (0..100_000).map(|id| record(id, status(id))));
    assert_eq!(pending(&mut state), 100_000);
    written();
    for _ in 0..5 {
        assert_eq!(pending(&mut state), 0);
        // Only the counters.
        let bytes = written();
        assert!(bytes < 60_000, "{bytes}");
    }
    // Ten of them have changed.
    apply(&mut state, (0..500).step_by(50).map(|id| record(id, 3)));
    let changes = state.take_changes(NOW).unwrap();
    assert_eq!(changes.rows.len(), 10);
    store.commit(&changes).unwrap();
    let bytes = written();
    assert!(bytes < 120_000, "{bytes}");
}
