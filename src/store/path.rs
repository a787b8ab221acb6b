//! The path of a ledger: what is there, its permissions, its file system.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::StoreError;
use super::explain::explain;

/// A ledger holds who called when, so only its owner may read it.
const OWNER_ONLY: u32 = 0o600;

/// The ledger of a backfill that has not finished: under another name, so that no exporter continues
/// half of it.
pub fn unfinished(ledger: &Path) -> PathBuf {
    ledger.with_extension("redb.backfill")
}

/// Gives the ledger of a backfill its name. Blocks.
///
/// # Errors
///
/// `AlreadyExists` if an exporter has created the ledger meanwhile: it stays, and so does that of the
/// backfill.
pub fn finish(ledger: &Path) -> io::Result<()> {
    TempPath::try_from_path(unfinished(ledger))?
        .persist_noclobber(ledger)
        .map_err(|failed| {
            // Otherwise it would be deleted.
            let _ = failed.path.keep();
            failed.error
        })?;
    sync_directory(ledger)
}

/// Whether there is a regular file. Anything else is an error, and is not touched.
pub(super) fn exists(path: &Path) -> Result<bool, StoreError> {
    let name = path.display();
    let failed = |error: io::Error| explain(&name.to_string(), &error.into());
    let link = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        found => found.map_err(failed)?,
    };
    let kind = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && link.is_symlink() => {
            let to = fs::read_link(path).map_err(failed)?;
            // The volume may not be mounted yet.
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

/// Opens an existing file, and revokes access for others, which earlier versions left to the umask.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() == 0 {
        // redb would create a new database in it.
        return Err(io::Error::new(ErrorKind::InvalidData, "the file is empty"));
    }
    let mode = metadata.mode() & 0o777;
    if mode & !OWNER_ONLY != 0 {
        // Only the owner can; access through a group was granted on purpose.
        let tightened = file.set_permissions(Permissions::from_mode(OWNER_ONLY));
        let before = format_args!("{mode:o}");
        match tightened {
            Ok(()) => {
                tracing::info!(file = %path.display(), before,
                    "removed the access of other users to the ledger");
            }
            Err(error) => {
                tracing::debug!(file = %path.display(), before, %error, "ledger stays as it is");
            }
        }
    }
    Ok(file)
}

/// Creates a file that only its owner may read, whatever the umask.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(path)?;
    // A strict umask may remove too much.
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    Ok(file)
}

/// Syncs the directory of a file, which makes a rename durable.
///
/// # Errors
///
/// Those of the file system.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
