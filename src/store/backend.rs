//! Storage backends.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};
use tempfile::TempPath;

use super::explain::explain;
use super::locking::MustLock;
use super::{StoreError, path};

/// A file, or a substitute in tests.
pub enum Backend {
    /// A file in an existing directory.
    File(PathBuf),
    /// A name for messages, and a function that opens the backend. It must have locks.
    Other(
        String,
        Box<dyn Fn() -> Box<dyn StorageBackend> + Send + Sync>,
    ),
}

/// Page cache. The pages in frequent use are few.
const CACHE_BYTES: usize = 256 << 10;

/// redb's header: 64 bytes, and 128 for each of two commit slots.
const HEADER_BYTES: u64 = 320;

/// Whether the file holds a newer commit than the one that redb opens.
///
/// That is normal after a crash during a commit, which was not published then. But the bit that
/// selects the newest commit has no checksum: if it is damaged, redb silently opens the previous
/// commit.
pub(super) fn has_unused_commit(header: &[u8]) -> bool {
    // Layout as in redb's `docs/design.md`, format 3.
    const SECOND_IS_NEWEST: u8 = 1;
    const TWO_PHASES: u8 = 4;
    let number = |commit: usize| {
        let bytes = header.get(64 + 128 * commit + 104..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    };
    let (Some(flags), Some(first), Some(second)) = (header.get(9), number(0), number(1)) else {
        return false;
    };
    let (opened, other) = match flags & SECOND_IS_NEWEST {
        0 => (first, second),
        _ => (second, first),
    };
    // Without two-phase commits redb searches for the newest itself.
    flags & TWO_PHASES != 0 && other > opened
}

/// File name of a target. Escapes all but ASCII letters, digits, `_` and `-` as `%` and two
/// hexadecimal digits, so that no name leads out of the directory.
pub fn file_name(target: &str) -> String {
    let mut name = String::with_capacity(target.len() + 5);
    for byte in target.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            name.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name + ".redb"
}

impl Backend {
    /// Name for messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Other(name, _) => name.clone(),
        }
    }

    pub(super) fn exists(&self) -> Result<bool, StoreError> {
        match self {
            Self::File(path) => path::exists(path),
            Self::Other(name, open) => match open().len() {
                Ok(length) => Ok(length > 0),
                Err(error) => Err(explain(name, &error.into())),
            },
        }
    }

    /// The header of the database.
    pub(super) fn header(&self) -> io::Result<Vec<u8>> {
        let mut header = Vec::new();
        match self {
            Self::File(path) => {
                File::open(path)?
                    .take(HEADER_BYTES)
                    .read_to_end(&mut header)?;
            }
            Self::Other(_, open) => {
                let backend = open();
                header.resize(backend.len()?.min(HEADER_BYTES) as usize, 0);
                backend.read(0, &mut header)?;
            }
        }
        Ok(header)
    }

    /// What tells the file from another one of the same name; `None` if there is none.
    pub(super) fn file_id(&self) -> Option<(u64, u64)> {
        let Self::File(path) = self else { return None };
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }

    /// Bytes on disk. That is less than the file length: redb doubles the length when it needs room,
    /// which leaves holes.
    pub(super) fn size(&self) -> io::Result<u64> {
        match self {
            Self::File(path) => Ok(fs::metadata(path)?.blocks() * 512),
            Self::Other(_, open) => open().len(),
        }
    }

    /// Opens the database after checking every page.
    pub(super) fn open(&self) -> Result<Database, DatabaseError> {
        let mut builder = builder();
        builder.set_check_integrity_on_open(true);
        builder.create_with_backend(match self {
            Self::File(path) => locked(path::open(path)?)?,
            Self::Other(_, open) => MustLock(open()),
        })
    }

    /// Creates a database, and opens it after `fill`. A crash leaves no incomplete file of that name,
    /// and an existing file is never replaced.
    pub(super) fn create(
        &self,
        fill: impl FnOnce(&Database) -> Result<(), redb::Error>,
    ) -> Result<Database, redb::Error> {
        match self {
            Self::File(path) => {
                let unfinished = path.with_extension("redb.new");
                match fs::remove_file(&unfinished) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
                let file = path::create(&unfinished).map_err(is_taken)?;
                let made = TempPath::try_from_path(&unfinished)?;
                let database = builder().create_with_backend(locked(file)?)?;
                fill(&database)?;
                drop(database);
                // Another process may have created the file meanwhile and count in it.
                made.persist_noclobber(path)
                    .map_err(|failed| is_taken(failed.error))?;
                path::sync_directory(path)?;
                Ok(self.open()?)
            }
            Self::Other(_, open) => {
                let database = builder().create_with_backend(MustLock(open()))?;
                fill(&database)?;
                Ok(database)
            }
        }
    }
}

fn locked(file: File) -> Result<MustLock, DatabaseError> {
    Ok(MustLock(Box::new(FileBackend::new(file)?)))
}

/// An existing file was created by another process a moment ago.
fn is_taken(error: io::Error) -> redb::Error {
    match error.kind() {
        ErrorKind::AlreadyExists => redb::Error::DatabaseAlreadyOpen,
        _ => error.into(),
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
