//! Remedies for a database that cannot be opened or written.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::StoreError;
use super::locking::NoLocks;

/// Error with remedy for a database that cannot be opened.
pub(super) fn explain(name: &str, error: &redb::Error) -> StoreError {
    use redb::Error;
    StoreError::new(match error {
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => format!(
            "{name} is in use by another process, most likely another cec_exporter: stop it, or \
             give each its own --storage.path"
        ),
        Error::UpgradeRequired(version) => format!(
            "{name} is in an old file format ({version}): start the version of cec_exporter that \
             wrote it, or move the file away (counters then start over)"
        ),
        Error::Io(cause) if cause.get_ref().is_some_and(|cause| cause.is::<NoLocks>()) => {
            let on = file_system(Path::new(name)).map_or_else(String::new, |on| format!(" ({on})"));
            format!(
                "{name} is on a file system without file locks{on}, where a second process could \
                 damage it unnoticed: choose a --storage.path on another one, or mount this one \
                 with locks"
            )
        }
        Error::Io(cause) if cause.kind() == ErrorKind::PermissionDenied => format!(
            "{name} cannot be opened: permission denied; give it and its directory to the user \
             that runs cec_exporter"
        ),
        Error::Io(cause)
            if !matches!(
                cause.kind(),
                ErrorKind::InvalidData | ErrorKind::UnexpectedEof
            ) =>
        {
            return StoreError {
                message: format!("{name} cannot be used: {cause}"),
                likely_cause: likely_cause(error).map(str::to_owned),
            };
        }
        _ => return StoreError::damaged(name, &error.to_string().replace('\n', " ")),
    })
}

/// Likely cause of an error in an open database.
pub(super) fn likely_cause(error: &redb::Error) -> Option<&'static str> {
    use redb::Error;
    let Error::Io(error) = error else {
        return match error {
            Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch => {
                Some("another cec_exporter has opened the file meanwhile: stop it")
            }
            _ => None,
        };
    };
    Some(match error.kind() {
        ErrorKind::StorageFull => "the disk is full: make room on it",
        ErrorKind::QuotaExceeded => "the user's disk quota is used up: make room",
        ErrorKind::FileTooLarge => "the file may not grow: a limit on the size of files is reached",
        ErrorKind::ReadOnlyFilesystem => {
            "the file system is read-only: it was mounted like this, or remounted after an error \
             of the disk"
        }
        ErrorKind::PermissionDenied => {
            "the file or its directory does not belong to the user that runs cec_exporter"
        }
        ErrorKind::NotFound => "the directory of --storage.path was removed, or is not mounted",
        _ => return None,
    })
}

/// Type and mount point of the file system of a path; Linux only.
fn file_system(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    file_system_in(&mounts, &fs::canonicalize(path.parent()?).ok()?)
}

/// Looks a path up in the format of `/proc/self/mountinfo`, see proc(5).
pub(super) fn file_system_in(mounts: &str, path: &Path) -> Option<String> {
    let mounted = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let place = place.split(' ').nth(4)?.replace("\\040", " ");
        let kind = kind.split(' ').next()?;
        path.starts_with(&place).then_some((place, kind))
    });
    // A later mount covers an earlier one.
    mounted
        .max_by_key(|(place, _)| place.len())
        .map(|(place, kind)| format!("{kind} at {place}"))
}
