//! Reads the values of one group of keys and names them in errors.

use std::path::{Path, PathBuf};

use serde_saphyr::Spanned;

use super::error::{ConfigError, Position};
use super::interpolate::Environment;
use super::value::{self, Problem};
use super::yaml::{self, List, Scalar};

/// Keys that name or hold a secret.
const SECRETS: [&str; 4] = ["app_key", "app_secret", "app_secret_file", "proxy_url"];

/// A group of keys: a target, `defaults`, the variables `CEC_*`, a section of the web configuration.
pub(super) struct Section<'a> {
    /// The keys above, in a file. `None` for the variables `CEC_*`.
    pub(super) path: Option<String>,
    pub(super) position: Option<Position>,
    /// What replaces `${NAME}`. `None`: values are taken as they are.
    pub(super) variables: Option<Environment<'a>>,
    /// Where relative paths start.
    pub(super) directory: &'a Path,
    /// Most entries of a list.
    pub(super) max_list: usize,
}

impl Section<'_> {
    /// A key as the operator writes it.
    pub(super) fn spelling(&self, key: &str) -> String {
        match self.path {
            Some(_) => key.to_owned(),
            None => format!("CEC_{}", key.to_ascii_uppercase()),
        }
    }

    /// A key with those that it is under.
    pub(super) fn path(&self, key: &str) -> String {
        match &self.path {
            Some(path) => format!("{path}.{key}"),
            None => self.spelling(key),
        }
    }

    pub(super) fn error<T>(
        &self,
        key: &str,
        value: &Spanned<T>,
        message: impl Into<String>,
    ) -> ConfigError {
        ConfigError::key(self.path(key), message).at(yaml::position(value))
    }

    /// About a required key that is not there.
    pub(super) fn missing(&self, key: &str, expected: &str) -> ConfigError {
        let reason = match self.path {
            Some(_) => "but the key is missing or has no value",
            None => "as CEC_ENDPOINT is set",
        };
        let message = format!("expected {expected}, {reason}");
        ConfigError::key(self.path(key), message).at(self.position)
    }

    /// A single value; `None` if the key is not given.
    pub(super) fn read<T>(
        &self,
        key: &str,
        value: &Scalar,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, ConfigError> {
        value
            .as_ref()
            .map(|value| self.read_given(key, key, value, parse))
            .transpose()
    }

    /// A value under the name of `item`, which is `key` or one of its entries.
    fn read_given<T>(
        &self,
        key: &str,
        item: &str,
        written: &Spanned<String>,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<T, ConfigError> {
        let text = &written.value;
        match self.variables {
            Some(environment) => value::read(text, SECRETS.contains(&key), environment, parse),
            None => parse(text).map_err(|problem| problem.about(text)),
        }
        .map_err(|message| self.error(item, written, message))
    }

    /// A list, without repetitions.
    pub(super) fn list<T: PartialEq>(
        &self,
        key: &str,
        value: &List,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<Vec<T>>, ConfigError> {
        let Some(written) = value else {
            return Ok(None);
        };
        let items = &written.value;
        let (count, max) = (items.len(), self.max_list);
        if count > max {
            let message = format!("expected at most {max} entries, got {count}");
            return Err(self.error(key, written, message));
        }
        let mut list = Vec::with_capacity(count);
        for (index, item) in items.iter().enumerate() {
            let item = self.read_given(key, &format!("{key}[{index}]"), item, &parse)?;
            if !list.contains(&item) {
                list.push(item);
            }
        }
        Ok(Some(list))
    }

    /// A list in which an empty one would ask for nothing.
    pub(super) fn non_empty_list<T: PartialEq>(
        &self,
        key: &str,
        value: &List,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Option<Vec<T>>, ConfigError> {
        match value {
            Some(written) if written.value.is_empty() => {
                Err(self.error(key, written, "expected at least one entry"))
            }
            _ => self.list(key, value, parse),
        }
    }

    /// A file that must be usable. `Some(None)` if the path is empty, which means no file.
    ///
    /// `open` gets the path and its name for messages: a path from a variable is named by the
    /// variable, which may hold a secret by mistake.
    pub(super) fn file<T>(
        &self,
        key: &str,
        value: &Scalar,
        open: impl Fn(&Path, &str) -> Result<T, String>,
    ) -> Result<Option<Option<(T, PathBuf)>>, ConfigError> {
        let Some(written) = value else {
            return Ok(None);
        };
        let Some(file) = self.read_given(key, key, written, value::optional(value::path))? else {
            return Ok(Some(None));
        };
        let path = self.directory.join(&file);
        let shown = match file == written.value {
            true => path.display().to_string(),
            false => written.value.clone(),
        };
        let content = open(&path, &shown).map_err(|message| self.error(key, written, message))?;
        Ok(Some(Some((content, path))))
    }
}
