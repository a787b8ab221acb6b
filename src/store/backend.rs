//! Where a store keeps its bytes.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};
use tempfile::TempPath;

use super::explain::explain;
use super::locking::{Boxed, MustLock};
use super::{StoreError, path};

/// A file, or what a test puts in its place.
pub enum Backend {
    /// A file in a directory that exists.
    File(PathBuf),
    /// Opens another backend each time that a database is opened; the name is for messages.
    Other(
        String,
        Box<dyn Fn() -> Box<dyn StorageBackend> + Send + Sync>,
    ),
}

/// Memory for pages of a file that is read and written; what is hot is small.
const CACHE_BYTES: usize = 2 << 20;

/// redb's header: 64 bytes, and 128 for each of two commits.
const HEADER_BYTES: u64 = 320;

/// Whether a file holds a commit that is newer than the one that will be opened.
///
/// That is so when the process was killed in the midst of a commit, which nobody has counted on
/// then. But the bit that says which commit is the newest has no checksum: if it is damaged, the
/// commit before is opened, and no error says so.
pub(super) fn has_unused_commit(header: &[u8]) -> bool {
    // As redb's `docs/design.md` describes its format 3.
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
    // Without two phases redb looks for the newest itself.
    flags & TWO_PHASES != 0 && other > opened
}

/// The name of the file of a target: whatever is not a plain letter, digit, `_` or `-` is written
/// as `%` and two hexadecimal digits, so that no name leads out of the directory.
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
    /// What to call it in a message.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Other(name, _) => name.clone(),
        }
    }

    pub(super) fn exists(&self) -> Result<bool, StoreError> {
        match self {
            Self::File(path) => path::is_there(path),
            Self::Other(name, open) => match open().len() {
                Ok(length) => Ok(length > 0),
                Err(error) => Err(explain(name, &error.into())),
            },
        }
    }

    /// The beginning of what is there, as far as it says which commit is the newest.
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

    /// Bytes taken on disk. The length says less: redb doubles it when it needs room, and what has
    /// never been written to takes none.
    pub(super) fn size(&self) -> io::Result<u64> {
        match self {
            Self::File(path) => Ok(fs::metadata(path)?.blocks() * 512),
            Self::Other(_, open) => open().len(),
        }
    }

    /// Opens what is there; every page is checked, so that nothing damaged is trusted.
    pub(super) fn open(&self) -> Result<Database, DatabaseError> {
        let mut builder = builder();
        builder.set_check_integrity_on_open(true);
        match self {
            Self::File(path) => builder.create_with_backend(locked(path::open(path)?)?),
            Self::Other(_, open) => builder.create_with_backend(Boxed(open())),
        }
    }

    /// Makes a database where there is none, and opens it once `fill` has made it whole. A crash
    /// in between leaves no file of that name, and a file that is there is never replaced.
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
                // Another process may have been faster, and count in its file already.
                made.persist_noclobber(path)
                    .map_err(|failed| is_taken(failed.error))?;
                path::sync_directory(path)?;
                Ok(self.open()?)
            }
            Self::Other(_, open) => {
                let database = builder().create_with_backend(Boxed(open()))?;
                fill(&database)?;
                Ok(database)
            }
        }
    }
}

fn locked(file: File) -> Result<MustLock<FileBackend>, DatabaseError> {
    Ok(MustLock(FileBackend::new(file)?))
}

/// What is there after all was made by another process a moment ago.
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
