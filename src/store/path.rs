//! The file of a ledger among others: what lies there, who may read it, on which file system.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::StoreError;
use super::explain::explain;

/// A ledger tells who called when: nobody else needs to read it.
const OWNER_ONLY: u32 = 0o600;

/// Whether a regular file lies there. Whatever else does is an error, and is not touched.
pub(super) fn is_there(path: &Path) -> Result<bool, StoreError> {
    let name = path.display();
    let failed = |error: io::Error| explain(&name.to_string(), &error.into());
    let link = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        found => found.map_err(failed)?,
    };
    let kind = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && link.is_symlink() => {
            let to = fs::read_link(path).map_err(failed)?;
            // The ledger may be on a volume that is not mounted yet.
            return Err(StoreError::new(format!(
                "{name} is a symbolic link to {}, which does not exist: mount what it leads to, \
                 or remove the link (counters then start over)",
                to.display()
            )));
        }
        found => found.map_err(failed)?.file_type(),
    };
    if kind.is_file() {
        return Ok(true);
    }
    let what = if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(StoreError::new(format!(
        "{name} is {what} and not a file: move it away, or choose another --storage.path"
    )))
}

/// Opens a file that is there, and takes from others the right to read it. Earlier versions left
/// that to the umask.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() == 0 {
        // redb would make a fresh one of it.
        return Err(io::Error::new(ErrorKind::InvalidData, "the file is empty"));
    }
    let mode = metadata.mode() & 0o777;
    if mode & !OWNER_ONLY != 0 {
        // Only its owner can; one who has it through a group has been given it on purpose.
        let tightened = file.set_permissions(Permissions::from_mode(OWNER_ONLY));
        let before = format_args!("{mode:o}");
        match tightened {
            Ok(()) => tracing::info!(file = %path.display(), before, "ledger made private"),
            Err(error) => {
                tracing::debug!(file = %path.display(), before, %error, "ledger stays as it is");
            }
        }
    }
    Ok(file)
}

/// Makes a file, which others may not read whatever the umask is.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(path)?;
    // A umask can only take away; one that takes too much would lock its owner out.
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    Ok(file)
}

/// A rename is durable when its directory is.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// The type of the file system that a file lies on, and where that is mounted, if Linux tells.
pub(super) fn file_system(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    file_system_in(&mounts, &fs::canonicalize(path.parent()?).ok()?)
}

/// The same of a table of mounts; proc(5) describes its format.
pub(super) fn file_system_in(mounts: &str, path: &Path) -> Option<String> {
    let mounted = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let place = place.split(' ').nth(4)?.replace("\\040", " ");
        let kind = kind.split(' ').next()?;
        path.starts_with(&place).then_some((place, kind))
    });
    // Of two at the same place the later one covers the other.
    mounted
        .max_by_key(|(place, _)| place.len())
        .map(|(place, kind)| format!("{kind} at {place}"))
}
