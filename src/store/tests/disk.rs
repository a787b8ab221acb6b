//! A disk that fails, and what is written to it.

use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use redb::{BackendError, StorageBackend};

use super::*;

/// A disk in memory that can be made to fail. Clones are handles of the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<Bytes>>);

#[derive(Debug, Default)]
struct Bytes {
    bytes: Vec<u8>,
    /// Writes and syncs that still work, if it fails at all.
    works_for: Option<u32>,
    /// What is written is there but for its second half, when it fails.
    tears: bool,
    /// How it fails, if it is not full.
    error: Option<io::ErrorKind>,
    /// Bytes written so far.
    written: usize,
    syncs: u32,
}

impl Disk {
    pub(super) fn backend(&self) -> Backend {
        let disk = self.clone();
        let open = move || Box::new(disk.clone()) as Box<dyn StorageBackend>;
        Backend::Other("the disk".into(), Box::new(open))
    }

    pub(super) fn fail_after(&self, works_for: Option<u32>, tears: bool) {
        let mut state = self.0.lock().unwrap();
        state.works_for = works_for;
        state.tears = tears;
    }

    /// Whether it has not failed yet.
    pub(super) fn works_still(&self) -> bool {
        self.0.lock().unwrap().works_for != Some(0)
    }

    /// Bytes written and syncs since the last call.
    fn cost(&self) -> (usize, u32) {
        let mut state = self.0.lock().unwrap();
        (
            std::mem::take(&mut state.written),
            std::mem::take(&mut state.syncs),
        )
    }

    /// What a process would find that starts now, on a copy.
    pub(super) fn found(&self) -> Content {
        let copy = Self::default();
        copy.0.lock().unwrap().bytes = self.0.lock().unwrap().bytes.clone();
        load(copy.backend()).unwrap().1
    }
}

impl Bytes {
    fn work(&mut self) -> io::Result<()> {
        match &mut self.works_for {
            None => Ok(()),
            Some(0) => Err(self.error.unwrap_or(io::ErrorKind::StorageFull).into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl StorageBackend for Disk {
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let from = offset as usize;
        let bytes = state.bytes.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        state.bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.syncs += 1;
        state.work()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let offset = offset as usize;
        let done = state.work();
        let length = match (&done, state.tears) {
            (Ok(()), _) => data.len(),
            (Err(_), true) => data.len() / 2,
            (Err(_), false) => 0,
        };
        state.written += length;
        state.bytes[offset..offset + length].copy_from_slice(&data[..length]);
        done
    }
}

#[test]
fn a_failed_write_names_its_likely_cause() {
    use io::ErrorKind;
    for (kind, cause) in [
        (ErrorKind::StorageFull, Some("the disk is full")),
        (ErrorKind::QuotaExceeded, Some("disk quota")),
        (ErrorKind::FileTooLarge, Some("limit on the size of files")),
        (ErrorKind::ReadOnlyFilesystem, Some("read-only")),
        (
            ErrorKind::PermissionDenied,
            Some("does not belong to the user"),
        ),
        (ErrorKind::NotFound, Some("--storage.path was removed")),
        (ErrorKind::Other, None),
    ] {
        let disk = Disk::default();
        let (store, _) = load(disk.backend()).unwrap();
        disk.fail_after(Some(0), false);
        disk.0.lock().unwrap().error = Some(kind);
        let error = store.commit(&changes(0..3, 1, "new")).unwrap_err();
        let told = error.likely_cause.clone();
        let is_right = |told: &str| cause.is_some_and(|cause| told.contains(cause));
        assert!(told.as_deref().map_or(cause.is_none(), is_right), "{error}");
        assert!(error.message.ends_with("pull tries again"), "{error}");
    }
}

#[test]
fn a_store_recovers_when_its_disk_does() {
    for tears in [false, true] {
        for works_for in 0..40 {
            let disk = Disk::default();
            let (store, _) = load(disk.backend()).unwrap();
            store.commit(&changes(0..300, 1, "old")).unwrap();
            let old = disk.found();
            let mut next = changes(200..600, 2, "new");
            next.drop_below = 100;

            disk.fail_after(Some(works_for), tears);
            let mut worked = false;
            for _ in 0..3 {
                match store.commit(&next) {
                    Ok(()) => worked = true,
                    Err(error) => {
                        let text = error.to_string();
                        assert!(text.starts_with("cannot write to the disk: "), "{text}");
                        assert!(text.contains("tries again"), "{text}");
                        assert!(!text.contains('\n'), "{text}");
                    }
                }
            }
            disk.fail_after(None, false);
            let found = disk.found();
            // A failed commit may have worked all the same, if only its last sync failed.
            let is_old = !worked && found == old;
            let is_new = found.1.as_deref() == Some(b"new") && found.0.len() == 500;
            assert!(is_old || is_new, "after {works_for} writes: half a commit");

            store.commit(&next).unwrap();
            store.commit(&changes(600..601, 3, "newest")).unwrap();
            drop(store);
            let (rows, state) = disk.found();
            assert_eq!(state.as_deref(), Some(&b"newest"[..]));
            assert_eq!(rows.len(), 501);
            assert_eq!(rows[&key(200, 200)], [2; 8]);
        }
    }
}

#[test]
fn a_commit_writes_only_what_has_changed() {
    let disk = Disk::default();
    let (store, _) = load(disk.backend()).unwrap();
    let state = "x".repeat(20_000);
    for from in (0..100_000).step_by(10_000) {
        store
            .commit(&changes(from..from + 10_000, 1, &state))
            .unwrap();
    }
    disk.cost();

    // One call, of 100,000: two syncs, because of the two phases.
    for round in 0..20 {
        let row = round * 5000;
        store.commit(&changes(row..row + 1, 2, &state)).unwrap();
        let (bytes, syncs) = disk.cost();
        assert!(bytes < 100_000, "{bytes}");
        assert_eq!(syncs, 2);
    }

    // The state is the larger part of that.
    store.commit(&changes(7..8, 3, "s")).unwrap();
    let (bytes, _) = disk.cost();
    assert!(bytes < 60_000, "{bytes}");
    let (rows, found) = disk.found();
    assert_eq!(found.as_deref(), Some(&b"s"[..]));
    assert_eq!((rows.len(), rows[&key(7, 7)]), (100_000, [3; 8]));
}
