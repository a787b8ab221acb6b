//! Reads the configuration file and the files that it names, each up to a limit.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::secret::Secret;
use super::value;

/// Largest configuration file in bytes: several times ten thousand targets.
pub(super) const MAX_CONFIG_BYTES: u64 = 8 << 20;

/// Largest secret in bytes. A device such as /dev/zero never ends.
const MAX_SECRET_BYTES: u64 = 64 << 10;

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is larger than {} KiB", .max_bytes >> 10)]
    TooLarge { max_bytes: u64 },
}

/// Whether every user of this machine can read a file, as far as known.
pub(super) fn is_world_readable(path: &Path) -> bool {
    let metadata = std::fs::metadata(path);
    metadata.is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o004 != 0)
}

/// Reads a file with a secret, without the line break that an editor or `echo` adds at its end.
/// Blocks.
///
/// The error shows neither the content nor the path, which may be the secret itself by mistake.
pub fn secret(path: &Path) -> Result<Secret, String> {
    let problem = |problem: &dyn std::fmt::Display| {
        format!("expected the path of a file with a secret, but that file {problem}")
    };
    let bytes = read(path, MAX_SECRET_BYTES).map_err(|error| problem(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| problem(&"is not printable ASCII"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(problem(&"is empty")),
        text => value::secret(text)
            .map_err(|_| problem(&"is not one line of printable ASCII without spaces around it")),
    }
}

/// Checks that a file can be read. Its first byte reveals a directory or missing permissions.
/// `shown` names the file in the error.
pub(super) fn readable(path: &Path, shown: &str) -> Result<(), String> {
    open(path)
        .and_then(|mut file| file.read(&mut [0]))
        .map(|_| ())
        .map_err(|error| format!("expected a readable file, but {shown} cannot be read: {error}"))
}

/// Opens a file without waiting for somebody to write to it: a named pipe without a writer is empty.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

/// Reads a whole file of at most `max_bytes`, without the byte order mark that editors on Windows
/// add.
pub fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    // The size in the metadata is no limit for pipes and devices.
    open(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(FileError::TooLarge { max_bytes });
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_pipe_is_read_if_somebody_writes_to_it_and_empty_if_nobody_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        assert!(secret(&path).unwrap_err().contains("is empty"));
        assert!(readable(&path, "it").is_ok());
        // As by the shell's `<(command)`, which may be slow.
        let (reader, mut writer) = io::pipe().unwrap();
        let slow = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            io::Write::write_all(&mut writer, b"hunter2\n").unwrap();
        });
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(secret(Path::new(&path)).unwrap().expose(), "hunter2");
        slow.join().unwrap();
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_a_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}hunter2\r\n").unwrap();
        assert_eq!(secret(file.path()).unwrap().expose(), "hunter2");
    }
}
