//! Where a ledger may lie, who may read it, and what is said of a place that will not do.

use std::io;
use std::ops::Bound;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use redb::backends::InMemoryBackend;
use redb::{BackendError, Builder, StorageBackend};

use super::*;
use crate::store::explain::explain;
use crate::store::explain::file_system_in;
use crate::store::locking::MustLock;

/// Memory whose locks answer as those of a file system do.
#[derive(Debug)]
struct Mounted {
    memory: InMemoryBackend,
    fine: fn() -> Result<bool, BackendError>,
    whole: fn() -> Result<bool, BackendError>,
}

impl StorageBackend for Mounted {
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        match (start, end) {
            (Bound::Unbounded, Bound::Unbounded) => (self.whole)(),
            _ => (self.fine)(),
        }
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
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
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.memory.write(offset, data)
    }
}

#[test]
fn a_file_system_without_locks_is_refused() {
    fn no() -> Result<bool, BackendError> {
        Err(BackendError::Unsupported)
    }
    fn no_by_its_kind() -> Result<bool, BackendError> {
        Err(BackendError::Io(io::ErrorKind::Unsupported.into()))
    }
    fn yes() -> Result<bool, BackendError> {
        Ok(true)
    }
    fn held() -> Result<bool, BackendError> {
        Ok(false)
    }
    fn out_of_locks() -> Result<bool, BackendError> {
        // ENOLCK
        Err(BackendError::Io(io::Error::from_raw_os_error(37)))
    }
    let opened = |fine, whole| {
        let memory = InMemoryBackend::new();
        let backend = MustLock(Box::new(Mounted {
            memory,
            fine,
            whole,
        }));
        let opened = Builder::new().create_with_backend(backend);
        opened
            .map(drop)
            .map_err(|error| explain("/proc/self/t.redb", &error.into()).to_string())
    };
    for fine in [no, no_by_its_kind] {
        for whole in [no, no_by_its_kind] {
            let text = opened(fine, whole).unwrap_err();
            let expected = "/proc/self/t.redb is on a file system without file locks (proc at \
                            /proc), where a second process could damage it unnoticed";
            assert!(text.starts_with(expected), "{text}");
            assert!(text.contains("--storage.path"), "{text}");
        }
        // As where there are whole locks alone.
        assert_eq!(opened(fine, yes), Ok(()));
        let text = opened(fine, held).unwrap_err();
        assert!(text.contains("in use by another process"), "{text}");
        let text = opened(fine, out_of_locks).unwrap_err();
        assert!(text.contains("No locks available"), "{text}");
    }
    assert_eq!(opened(yes, no), Ok(()));
    let text = opened(out_of_locks, yes).unwrap_err();
    assert!(text.contains("No locks available"), "{text}");
}

#[test]
fn the_file_system_is_that_of_the_nearest_mount() {
    let mounts = "\
22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /srv rw - xfs /dev/sdb rw
24 23 0:22 / /srv/my\\040data rw shared:2 master:3 - nfs4 server:/ rw
25 23 0:23 / /srv/my\\040data rw - fuse.sshfs host:/ rw
broken
";
    for (path, expected) in [
        ("/var/lib", "ext4 at /"),
        ("/srvx", "ext4 at /"),
        ("/srv/other", "xfs at /srv"),
        ("/srv/my data/x", "fuse.sshfs at /srv/my data"),
    ] {
        let found = file_system_in(mounts, Path::new(path));
        assert_eq!(found.as_deref(), Some(expected), "{path}");
    }
    assert_eq!(file_system_in("", Path::new("/")), None);
}

#[test]
fn a_path_that_is_no_regular_file_is_refused_and_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let elsewhere = directory.path().join("volume").join("t.redb");

    symlink(&elsewhere, &path).unwrap();
    let text = refusal(&path);
    let link = format!("is a symbolic link to {}", elsewhere.display());
    assert!(text.contains(&link), "{text}");
    assert!(text.contains("does not exist"), "{text}");
    assert!(!text.contains("in use"), "{text}");
    // It is mounted now: a ledger behind a link is as good as any.
    fs::create_dir(elsewhere.parent().unwrap()).unwrap();
    load(Backend::File(elsewhere.clone())).unwrap();
    assert_eq!(content_of(&path).0.len(), 0);
    fs::remove_file(&path).unwrap();

    symlink(&path, &path).unwrap();
    let text = refusal(&path);
    assert!(text.contains("symbolic links"), "{text}");
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    let text = refusal(&path);
    assert!(text.contains("is a directory and not a file"), "{text}");
    fs::remove_dir(&path).unwrap();

    let socket = UnixListener::bind(&path).unwrap();
    let text = refusal(&path);
    assert!(text.contains("is a socket and not a file"), "{text}");
    drop(socket);
    fs::remove_file(&path).unwrap();

    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let text = refusal(&path);
    assert!(text.contains("is a named pipe and not a file"), "{text}");
    fs::remove_file(&path).unwrap();

    symlink("/dev/zero", &path).unwrap();
    let text = refusal(&path);
    assert!(text.contains("is a device and not a file"), "{text}");
    fs::remove_file(&path).unwrap();

    let parent = directory.path().join("file");
    fs::write(&parent, "").unwrap();
    let text = refusal(&parent.join("t.redb"));
    assert!(text.contains("Not a directory"), "{text}");
    let text = refusal(&directory.path().join("gone").join("t.redb"));
    assert!(text.contains("was removed, or is not mounted"), "{text}");
}

#[test]
fn an_error_of_the_system_names_its_likely_cause() {
    for (error, said) in [
        (io::ErrorKind::ReadOnlyFilesystem, "is read-only"),
        (io::ErrorKind::StorageFull, "the disk is full"),
        (io::ErrorKind::PermissionDenied, "permission denied"),
    ] {
        let text = explain("t.redb", &io::Error::from(error).into()).to_string();
        assert!(text.starts_with("t.redb cannot be "), "{text}");
        assert!(text.contains(said), "{text}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn only_the_owner_can_read_a_ledger() {
    let (_directory, path, store) = created();
    assert_eq!(mode(&path), 0o600);
    drop(store);
    for before in [0o644, 0o666, 0o640, 0o700, 0o600] {
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
        content_of(&path);
        assert_eq!(mode(&path), 0o600, "{before:o}");
    }
}

#[test]
fn a_file_that_is_moved_away_is_noticed_and_taken_back() {
    let (directory, path, store) = created();
    let away = directory.path().join("away");
    store.commit(&changes(0..5, 1, "first")).unwrap();
    fs::rename(&path, &away).unwrap();
    let moved = one_line(
        &path,
        &store.commit(&changes(5..9, 2, "second")).unwrap_err(),
    );
    assert!(moved.contains("was moved, deleted or replaced"), "{moved}");
    // Another process starts over beside it.
    drop(load(Backend::File(path.clone())).unwrap());
    assert!(store.commit(&changes(5..9, 2, "second")).is_err());
    fs::rename(&away, &path).unwrap();
    store.commit(&changes(5..9, 2, "second")).unwrap();
    drop(store);
    let (rows, state) = content(&path).unwrap();
    assert_eq!((rows.len(), state), (9, Some(b"second".to_vec())));
}
