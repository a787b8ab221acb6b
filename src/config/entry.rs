//! One entry of the configuration file: its value, with all that a message about it needs.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ConfigError;
use super::interpolate::Environment;
use super::target::Placed;
use super::tree::{Node, Value};
use super::value::{self, Problem};

/// Most entries of a list.
const MAX_LIST: usize = 32;

/// Keys that name or hold a secret.
const SECRETS: [&str; 4] = ["app_key", "app_secret", "app_secret_file", "proxy_url"];

/// A configuration file.
pub(super) struct Document<'a> {
    /// All of it.
    pub(super) text: &'a str,
    /// Where relative paths in it start.
    pub(super) directory: &'a Path,
    /// Where its variables come from.
    pub(super) environment: Environment<'a>,
    /// Whether a secret stands in it, and not just the name of a variable or a file.
    pub(super) has_inline_secret: Cell<bool>,
}

/// A key's value and where it stands.
pub(super) struct Entry<'a> {
    /// The file.
    pub(super) document: &'a Document<'a>,
    /// The key, with those it is under.
    pub(super) path: String,
    /// The value.
    pub(super) node: &'a Node,
}

impl Entry<'_> {
    pub(super) fn error(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::key(&self.path, message).at(self.node.position)
    }

    /// Whether the value is all there, and not taken from a variable.
    pub(super) fn is_written_out(&self) -> bool {
        let written = self.node.text(self.document.text);
        written.is_some_and(|written| !written.contains("${"))
    }

    /// A single value.
    pub(super) fn read<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<T, ConfigError> {
        let Some(text) = self.node.text(self.document.text) else {
            let got = match self.node.value {
                Value::Literal => "a tag that changes its type",
                _ => self.node.value.kind(),
            };
            return Err(self.error(format!("expected a single value, got {got}")));
        };
        let name = self.path.rsplit('.').next().unwrap_or_default();
        let is_secret = SECRETS.contains(&name);
        value::read(&text, is_secret, self.document.environment, parse)
            .map_err(|message| self.error(message))
    }

    pub(super) fn placed<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<Placed<T>, ConfigError> {
        let value = self.read(parse)?;
        Ok(Placed {
            value,
            key: self.path.clone(),
            position: self.node.position,
        })
    }

    pub(super) fn duration(
        &self,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        self.read(value::duration(range))
    }

    /// A list without the repetitions in it.
    pub(super) fn list<T: PartialEq>(
        &self,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Vec<T>, ConfigError> {
        let Value::List(nodes) = &self.node.value else {
            let got = self.node.value.kind();
            return Err(self.error(format!("expected a list in [ ], got {got}")));
        };
        if nodes.len() > MAX_LIST {
            let message = format!("expected at most {MAX_LIST} entries, got {}", nodes.len());
            return Err(self.error(message));
        }
        let mut list = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            let path = format!("{}[{index}]", self.path);
            let item = Entry {
                document: self.document,
                path,
                node,
            }
            .read(&parse)?;
            if !list.contains(&item) {
                list.push(item);
            }
        }
        Ok(list)
    }

    /// Uses a file whose path may be relative to the configuration's; `None` if it is empty.
    ///
    /// `open` is given the path, and the name by which it may call it: a variable that is a secret
    /// itself, and not the path of one, must not be shown.
    pub(super) fn file<T>(
        &self,
        open: impl FnOnce(&Path, &str) -> Result<T, String>,
    ) -> Result<Option<(T, PathBuf)>, ConfigError> {
        let Some(file) = self.read(value::optional(value::path))? else {
            return Ok(None);
        };
        let path = self.document.directory.join(&file);
        let shown = match self.node.text(self.document.text) {
            Some(written) if written != file => written.into_owned(),
            _ => path.display().to_string(),
        };
        let content = open(&path, &shown).map_err(|message| self.error(message))?;
        Ok(Some((content, path)))
    }
}
