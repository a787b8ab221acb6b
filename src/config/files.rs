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

/// Reads the configuration file.
pub(super) fn config(path: &Path) -> Result<Vec<u8>, FileError> {
    read(path, MAX_CONFIG_BYTES)
}

/// Reads a secret; what an editor or `echo` leaves at the end is not part of it.
///
/// The error says what is expected and names the file as `shown`; it never holds anything of its
/// content.
pub(super) fn secret(path: &Path, shown: &str) -> Result<Secret, String> {
    let problem = |problem: &dyn std::fmt::Display| {
        format!("expected a file with a secret, but {shown} {problem}")
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
pub(super) fn readable(path: &Path, shown: &str) -> Result<(), String> {
    File::open(path)
        .and_then(|mut file| file.read(&mut [0]))
        .map(|_| ())
        .map_err(|error| format!("expected a readable file, but {shown} cannot be read: {error}"))
}

/// Reads all of a file, if it is no larger than this.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(FileError::Io)?;
    // The length that the file system tells is no bound for pipes and devices.
    file.take(max_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::Io)?;
    match bytes.len() as u64 > max_bytes {
        true => Err(FileError::TooLarge(max_bytes)),
        false => Ok(bytes),
    }
}
