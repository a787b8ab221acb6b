//! One entry of the file: its value, with all that a message about it needs.
//!
//! Unlike in the main configuration nothing is put in for `${NAME}`: the toolkit does not, and
//! hashes are full of dollar signs.

use super::super::document;
use super::super::error::ConfigError;
use super::super::tree::{Key, Node, Value};
use super::super::value::Problem;

/// Most entries of a list.
const MAX_LIST: usize = 1000;

/// A key's value and where it stands.
pub(super) struct Entry<'a> {
    /// The whole file.
    pub(super) text: &'a str,
    /// The key, with those it is under.
    pub(super) path: String,
    /// The key alone.
    pub(super) name: &'a str,
    /// The value.
    pub(super) node: &'a Node,
}

impl<'a> Entry<'a> {
    pub(super) fn error(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::key(&self.path, message).at(self.node.position)
    }

    /// The entries under this one that have a value; none if it is empty itself. Each key is one
    /// of `keys`.
    pub(super) fn children(&self, keys: &[&str]) -> Result<Vec<Entry<'a>>, ConfigError> {
        let mut children = Vec::new();
        for (key, child) in self.named()? {
            if !keys.contains(&key.name.as_str()) {
                let keys = keys.iter().copied();
                return Err(document::unknown(&self.path, key, "here", keys));
            }
            if !matches!(child.node.value, Value::Null) {
                children.push(child);
            }
        }
        Ok(children)
    }

    /// The entries under this one, whatever their keys are.
    pub(super) fn named(&self) -> Result<Vec<(&'a Key, Entry<'a>)>, ConfigError> {
        if matches!(self.node.value, Value::Null) {
            return Ok(Vec::new());
        }
        let entries = document::mapping(&self.path, self.node)?;
        let entry = |(key, node): &'a (Key, Node)| {
            let path = document::join(&self.path, key);
            let text = self.text;
            let entry = Entry {
                text,
                path,
                name: &key.name,
                node,
            };
            (key, entry)
        };
        Ok(entries.iter().map(entry).collect())
    }

    /// Nothing, or an empty string, which stands for it.
    pub(super) fn is_empty(&self) -> bool {
        match &self.node.value {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// A single value.
    pub(super) fn read<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<T, ConfigError> {
        let Some(text) = self.node.text(self.text) else {
            let got = match self.node.value {
                Value::Literal => "a tag that changes its type",
                _ => self.node.value.kind(),
            };
            return Err(self.error(format!("expected a single value, got {got}")));
        };
        parse(&text).map_err(|problem| self.error(problem.about(&text)))
    }

    /// A list of single values.
    pub(super) fn list<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Vec<T>, ConfigError> {
        let Value::List(nodes) = &self.node.value else {
            let got = self.node.value.kind();
            return Err(self.error(format!("expected a list, got {got}")));
        };
        if nodes.len() > MAX_LIST {
            let message = format!("expected at most {MAX_LIST} entries, got {}", nodes.len());
            return Err(self.error(message));
        }
        let item = |(index, node)| {
            let path = format!("{}[{index}]", self.path);
            let (text, name) = (self.text, self.name);
            let entry = Entry {
                text,
                path,
                name,
                node,
            };
            entry.read(&parse)
        };
        nodes.iter().enumerate().map(item).collect()
    }
}
