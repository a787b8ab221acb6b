//! Certificates and keys: in the file, or in files that it names.

use std::path::{Path, PathBuf};

use super::super::error::{ConfigError, Position};
use super::super::files;
use super::super::secret::Secret;
use super::super::value::{self, Problem};
use super::reader::Entry;

/// Where PEM text comes from, and what to call it in a message.
#[derive(Clone, Debug)]
pub(super) struct Source {
    key: String,
    position: Option<Position>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// Here. A key is a secret, and nobody needs the certificates printed either.
    Inline(Secret),
    File(PathBuf),
}

/// Reads PEM text, without the mark that editors on Windows put in front.
fn read(path: &Path) -> Result<Vec<u8>, files::FileError> {
    let mut bytes = files::read(path, super::MAX_BYTES)?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

impl Source {
    /// PEM text in the file itself.
    pub(super) fn inline(entry: &Entry<'_>) -> Result<Self, ConfigError> {
        // Even of a certificate nothing is shown: the key may have been pasted in its place.
        let text = entry.read(|text| Ok::<_, Problem>(Secret::new(text)))?;
        Ok(Self::new(entry, Place::Inline(text)))
    }

    /// A file, whose path may be relative to `directory`.
    pub(super) fn file(entry: &Entry<'_>, directory: &Path) -> Result<Self, ConfigError> {
        let path = directory.join(entry.read(value::path)?);
        Ok(Self::new(entry, Place::File(path)))
    }

    fn new(entry: &Entry<'_>, place: Place) -> Self {
        Self {
            key: entry.path.clone(),
            position: entry.node.position,
            place,
        }
    }

    /// The text as it is now.
    pub(super) fn read(&self) -> Result<Vec<u8>, ConfigError> {
        match &self.place {
            Place::Inline(text) => Ok(text.expose().as_bytes().to_vec()),
            Place::File(path) => read(path).map_err(|error| {
                // A key in the place of its path must not be shown.
                let shown = match self.key.ends_with(".key_file") {
                    true => "that file".to_owned(),
                    false => path.display().to_string(),
                };
                self.problem(&format!("expected a readable file, but {shown} {error}"))
            }),
        }
    }

    /// An error about what is in it. `reason` goes behind a name for the text.
    pub(super) fn error(&self, expected: &str, reason: impl std::fmt::Display) -> ConfigError {
        match &self.place {
            Place::Inline(_) => self.problem(&format!("expected {expected}, but {reason}")),
            Place::File(path) => {
                let path = path.display();
                self.problem(&format!("expected {expected}, but in {path} {reason}"))
            }
        }
    }

    /// An error about the key that it comes from.
    pub(super) fn problem(&self, message: &str) -> ConfigError {
        ConfigError::key(&self.key, message).at(self.position)
    }
}
