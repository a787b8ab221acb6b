//! The files that a configuration consists of and refers to.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::secret::Secret;
use super::value;

/// Largest configuration file in bytes; ten thousand targets fit in several times over.
const MAX_CONFIG_BYTES: u64 = 8 << 20;

/// Largest secret in bytes. More than any, less than what a device file never stops giving.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// Why a file could not be used.
pub(super) enum FileError {
    /// It could not be read.
    Io(io::Error),
    /// It is larger than this many bytes.
    TooLarge(u64),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::TooLarge(max) => write!(f, "is larger than {} KiB", max >> 10),
        }
    }
}

/// The configuration file as it was read.
pub(super) struct ConfigFile {
    pub(super) bytes: Vec<u8>,
    /// Whether every user of the machine can read it.
    pub(super) is_open_to_others: bool,
}

/// Reads the configuration file.
pub(super) fn config(path: &Path) -> Result<ConfigFile, FileError> {
    let file = File::open(path).map_err(FileError::Io)?;
    Ok(ConfigFile {
        is_open_to_others: file.metadata().is_ok_and(|data| is_open_to_others(&data)),
        bytes: read_open(file, MAX_CONFIG_BYTES)?,
    })
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

/// Reads a secret; what an editor or `echo` leaves at the end is not part of it.
///
/// The error holds nothing of the file's content, nor its path: that may be the secret itself,
/// written where its path belongs.
pub(super) fn secret(path: &Path) -> Result<Secret, String> {
    let problem = |problem: &dyn std::fmt::Display| {
        format!("expected the path of a file with a secret, but that file {problem}")
    };
    let bytes = read(path, MAX_SECRET_BYTES).map_err(|error| problem(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| problem(&"is not printable ASCII"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(problem(&"is empty"));
    }
    value::secret(text)
        .map_err(|_| problem(&"is not one line of printable ASCII without spaces around it"))
}

/// Whether a file can be read; its first byte is enough to find a directory or a lack of rights.
/// The error names the file as `shown`.
pub(super) fn readable(path: &Path, shown: &str) -> Result<(), String> {
    File::open(path)
        .and_then(|mut file| file.read(&mut [0]))
        .map(|_| ())
        .map_err(|error| format!("expected a readable file, but {shown} cannot be read: {error}"))
}

/// Reads all of a file, if it is no larger than this.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    read_open(File::open(path).map_err(FileError::Io)?, max_bytes)
}

fn read_open(file: File, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    // The length that the file system tells is no bound for pipes and devices.
    file.take(max_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::Io)?;
    match bytes.len() as u64 > max_bytes {
        true => Err(FileError::TooLarge(max_bytes)),
        false => Ok(bytes),
    }
}
