//! Certificates and keys: in the file, or in files that it names.

use std::path::PathBuf;

use serde_saphyr::Spanned;

use super::super::error::{ConfigError, Position};
use super::super::secret::Secret;
use super::super::section::Section;
use super::super::yaml::{self, Scalar};
use super::super::{files, value};

/// Where PEM text comes from, and its key for messages.
#[derive(Clone, Debug)]
pub(super) struct Source {
    key: String,
    position: Option<Position>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// In the file itself. Secret even for a certificate: a key may have been pasted there.
    Inline(Secret),
    File(PathBuf),
}

impl Source {
    /// What `name_file` or `name` gives. An empty value counts as none.
    pub(super) fn read(
        section: &Section<'_>,
        name: &str,
        file: &Scalar,
        inline: &Scalar,
    ) -> Result<Option<Self>, ConfigError> {
        let given = |value| {
            Option::as_ref(value).filter(|value: &&Spanned<String>| !value.value.is_empty())
        };
        let file_key = format!("{name}_file");
        let (key, written, place) = match (given(file), given(inline)) {
            (None, None) => return Ok(None),
            (Some(_), Some(inline)) => {
                let message = format!("expected either {file_key} or {name}, got both");
                return Err(section.error(name, inline, message));
            }
            (Some(written), None) => {
                let path = section.read(&file_key, file, value::path)?;
                let path = section.directory.join(path.unwrap_or_default());
                (&*file_key, written, Place::File(path))
            }
            (None, Some(written)) => (name, written, Place::Inline(Secret::new(&*written.value))),
        };
        Ok(Some(Self {
            key: section.path(key),
            position: yaml::position(written),
            place,
        }))
    }

    /// The current text. Blocks.
    pub(super) fn pem(&self) -> Result<Vec<u8>, ConfigError> {
        match &self.place {
            Place::Inline(text) => Ok(text.expose().as_bytes().to_vec()),
            Place::File(path) => files::read(path, super::MAX_BYTES).map_err(|error| {
                // The path of a key may be the pasted key itself.
                let shown = match self.key.ends_with(".key_file") {
                    true => "that file".to_owned(),
                    false => path.display().to_string(),
                };
                self.problem(&format!("expected a readable file, but {shown} {error}"))
            }),
        }
    }

    /// About the content.
    pub(super) fn error(&self, expected: &str, reason: impl std::fmt::Display) -> ConfigError {
        match &self.place {
            Place::Inline(_) => self.problem(&format!("expected {expected}, but {reason}")),
            Place::File(path) => {
                let path = path.display();
                self.problem(&format!("expected {expected}, but in {path} {reason}"))
            }
        }
    }

    /// About the key that names it.
    pub(super) fn problem(&self, message: &str) -> ConfigError {
        ConfigError::key(&self.key, message).at(self.position)
    }
}
