//! A simulated disk that loses unsynced data, can be full, and can fail during a sync.

use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use cec_exporter::store::Backend;
use redb::{BackendError, StorageBackend};

/// Outlives the programs that use it. Clones refer to the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What programs see.
    bytes: Vec<u8>,
    /// What survives a power loss: the bytes at the last sync.
    durable: Vec<u8>,
    /// Writes since then; any of them may survive a crash.
    unsynced: Vec<(usize, Vec<u8>)>,
    syncs: u64,
    /// Power fails at this sync, before or after it takes effect.
    crash_at: Option<(u64, bool)>,
    /// Power has failed: all writes fail.
    dead: bool,
    full: bool,
    /// Counts crashes, so that handles from before a crash cannot write after it.
    life: u64,
}

#[derive(Debug)]
struct Handle {
    disk: Disk,
    life: u64,
}

impl Disk {
    /// A store on this disk, as often as it is opened.
    pub(crate) fn backend(&self) -> Backend {
        let disk = self.clone();
        Backend::Other("disk".into(), Box::new(move || disk.open()))
    }

    fn open(&self) -> Box<dyn StorageBackend> {
        let life = self.0.lock().unwrap().life;
        Box::new(Handle {
            disk: self.clone(),
            life,
        })
    }

    /// Makes power fail at the `n`th sync from now.
    pub(crate) fn crash_at_sync(&self, n: u64, after: bool) {
        let mut state = self.0.lock().unwrap();
        state.crash_at = Some((state.syncs + n, after));
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.0.lock().unwrap().dead
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.0.lock().unwrap().full = full;
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.lock().unwrap().full
    }

    /// Power fails and returns: synced data survives, and some of the rest.
    pub(crate) fn crash(&self, rng: &mut fastrand::Rng) {
        let mut state = self.0.lock().unwrap();
        let mut bytes = std::mem::take(&mut state.durable);
        for (offset, data) in std::mem::take(&mut state.unsynced) {
            if rng.bool() && offset + data.len() <= bytes.len() {
                bytes[offset..offset + data.len()].copy_from_slice(&data);
            }
        }
        state.durable = bytes.clone();
        state.bytes = bytes;
        state.dead = false;
        state.full = false;
        state.crash_at = None;
        state.life += 1;
    }
}

impl Handle {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.0.lock().unwrap();
        if state.life != self.life || state.dead {
            return Err(io::Error::other("the power is gone"));
        }
        work(&mut state)
    }
}

impl StorageBackend for Handle {
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|state| Ok(state.bytes.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|state| {
            let from = offset as usize;
            let bytes = state.bytes.get(from..from + out.len());
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|state| {
            if state.full && len > state.bytes.len() as u64 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.bytes.resize(len as usize, 0);
            // A length is durable at once; losing content is the harder case.
            state.durable.resize(len as usize, 0);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state| {
            state.syncs += 1;
            let crash = state.crash_at.filter(|(at, _)| *at == state.syncs);
            if crash != Some((state.syncs, false)) {
                for (offset, data) in std::mem::take(&mut state.unsynced) {
                    state.durable[offset..offset + data.len()].copy_from_slice(&data);
                }
            }
            if crash.is_some() {
                state.dead = true;
                return Err(io::Error::other("the power goes"));
            }
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|state| {
            if state.full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let offset = offset as usize;
            state.bytes[offset..offset + data.len()].copy_from_slice(data);
            state.unsynced.push((offset, data.to_vec()));
            Ok(())
        })
    }
}
