//! Refuses file systems without locks.

use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Bound;

use redb::{BackendError, StorageBackend};

/// A backend that fails where it cannot be locked.
///
/// redb opens a file on a file system without locks, and relies on its user that no other process
/// does. Two processes would overwrite each other's pages.
#[derive(Debug)]
pub(super) struct MustLock(pub(super) Box<dyn StorageBackend>);

/// The file system has no locks.
#[derive(Debug)]
pub(super) struct NoLocks;

impl fmt::Display for NoLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file system has no file locks")
    }
}

impl std::error::Error for NoLocks {}

/// Whether this is the lock on the whole file, which redb tries last.
fn is_whole(start: Bound<u64>, end: Bound<u64>) -> bool {
    matches!(start, Bound::Unbounded | Bound::Included(0)) && end == Bound::Unbounded
}

fn is_unsupported(error: &BackendError) -> bool {
    match error {
        BackendError::Unsupported => true,
        BackendError::Io(error) => error.kind() == ErrorKind::Unsupported,
        _ => false,
    }
}

impl StorageBackend for MustLock {
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        match self.0.try_lock_range(start, end) {
            Err(error) if is_whole(start, end) && is_unsupported(&error) => {
                Err(BackendError::Io(io::Error::other(NoLocks)))
            }
            locked => locked,
        }
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}
