//! Configuration errors, each one line.

use std::fmt::{self, Write as _};

/// A position in the configuration file, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    pub(super) line: u64,
    /// In characters.
    pub(super) column: u64,
}

/// Why a configuration is refused. `Display` is exactly one line and never holds a secret.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct ConfigError {
    file: Option<String>,
    position: Option<Position>,
    key: String,
    message: String,
}

impl ConfigError {
    /// About a key: a path in the file, a flag or a variable.
    pub(super) fn key(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: None,
            position: None,
            key: key.into(),
            message: message.into(),
        }
    }

    /// About the file as a whole.
    pub(super) fn plain(message: impl Into<String>) -> Self {
        Self::key("", message)
    }

    pub(super) fn at(self, position: Option<Position>) -> Self {
        Self { position, ..self }
    }

    pub(super) fn in_file(self, file: &std::path::Path) -> Self {
        Self {
            file: Some(file.display().to_string()),
            ..self
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = match (&self.file, self.position) {
            (Some(file), Some(Position { line, column })) => format!("{file}:{line}:{column}: "),
            (Some(file), None) => format!("{file}: "),
            (None, _) => String::new(),
        };
        if !self.key.is_empty() {
            text += &format!("{}: ", self.key);
        }
        text += &self.message;
        for character in text.chars() {
            // File names, keys and messages of libraries may hold line breaks. The last two are
            // Unicode's, and no control characters.
            match character.is_control() || ['\u{2028}', '\u{2029}'].contains(&character) {
                true => write!(f, "{}", character.escape_default())?,
                false => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn is_one_line_whatever_it_is_about() {
        let position = Position { line: 7, column: 5 };
        let error = ConfigError::key("a\r\nb", "c\u{2028}\td").at(Some(position));
        assert_eq!(error.to_string(), r"a\r\nb: c\u{2028}\td");
        assert_eq!(
            error.in_file(Path::new("x\n.yml")).to_string(),
            r"x\n.yml:7:5: a\r\nb: c\u{2028}\td"
        );
        let error = ConfigError::plain("it is gone").in_file(Path::new("配置.yml"));
        assert_eq!(error.to_string(), "配置.yml: it is gone");
    }
}
