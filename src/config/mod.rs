//! The configuration: a YAML file, or a few environment variables.
//!
//! [`load`] gives targets in which every value has been checked, or one line that says what is
//! wrong and where. It is read anew on a reload; targets can be compared to see what changed.

pub mod duration;
pub mod shard;
pub mod web;

mod address;
mod document;
mod entry;
mod environment;
mod error;
mod files;
mod interpolate;
mod proxy;
mod secret;
mod target;
mod tree;
mod value;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, Position};
pub use interpolate::Environment;
pub use proxy::Proxy;
pub use secret::{ProxyUrl, Secret};
pub use target::Target;

use files::FileError;
use shard::Shard;

/// The file that is read where no other is given.
pub const DEFAULT_FILE: &str = "cec_exporter.yml";

/// Everything that is configured.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// In the file's order; names are unique. At least one, before some were left to other shards.
    pub targets: Vec<Target>,
    /// Where it comes from.
    pub origin: Origin,
    /// What to tell the operator, though it can be used as it is. Without secrets.
    pub warnings: Vec<String>,
}

/// Where a configuration comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The variables `CEC_ENDPOINT` and so on.
    Environment,
    /// The program itself.
    BuiltIn,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("the variables CEC_..."),
            Self::BuiltIn => f.write_str("built in"),
        }
    }
}

impl Config {
    /// Leaves the targets of other shards to them.
    pub fn keep(mut self, shard: Shard) -> Self {
        self.targets.retain(|target| shard.owns(&target.name));
        self
    }
}

/// Reads the configuration: from the file that was `given`; else from [`DEFAULT_FILE`]; else,
/// where there is no such file, from the variables `CEC_ENDPOINT` and so on.
///
/// Variables are asked of `environment`, also those that the file refers to. Files with secrets
/// are read now and not later.
pub fn load(given: Option<&Path>, environment: Environment<'_>) -> Result<Config, ConfigError> {
    load_or(given, Path::new(DEFAULT_FILE), environment)
}

/// Reads a configuration from a text that refers to no files and no variables.
pub fn from_text(text: &str) -> Result<Config, ConfigError> {
    let read = document::targets(text, Path::new(""), &|_| None)?;
    Ok(Config {
        targets: read.targets,
        origin: Origin::BuiltIn,
        warnings: Vec::new(),
    })
}

/// Reads a file with a secret, which blocks.
///
/// # Errors
///
/// One line that says what is wrong with it; it holds neither the path nor anything of the file.
pub fn read_secret(file: &Path) -> Result<Secret, String> {
    files::secret(file)
}

fn load_or(
    given: Option<&Path>,
    default: &Path,
    environment: Environment<'_>,
) -> Result<Config, ConfigError> {
    let path = given.unwrap_or(default);
    let read = match files::config(path) {
        Err(FileError::Io(error)) if given.is_none() && error.kind() == io::ErrorKind::NotFound => {
            return from_environment(environment);
        }
        Err(error) => Err(ConfigError::plain(error.to_string())),
        Ok(file) => from_file(&file, path, environment),
    };
    read.map_err(|error| error.in_file(path))
}

fn from_file(
    file: &files::ConfigFile,
    path: &Path,
    environment: Environment<'_>,
) -> Result<Config, ConfigError> {
    let text = utf8(&file.bytes)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let read = document::targets(text, directory, environment)?;
    let mut warnings = Vec::new();
    if read.has_inline_secret && file.is_open_to_others {
        warnings.push(format!(
            "{} holds a secret and every user of this machine can read it; make it readable for \
             the exporter alone, or use app_secret_file",
            path.display()
        ));
    }
    let is_ignored = |name: &&str| {
        let is_set = environment(name).is_some_and(|value| !value.is_empty());
        is_set && !text.contains(&format!("${{{name}}}"))
    };
    let ignored: Vec<&str> = environment::NAMES.into_iter().filter(is_ignored).collect();
    if !ignored.is_empty() {
        warnings.push(format!(
            "{} set and not used: the configuration comes from {}",
            match &ignored[..] {
                [one] => format!("the variable {one} is"),
                several => format!("the variables {} are", several.join(", ")),
            },
            path.display()
        ));
    }
    Ok(Config {
        targets: read.targets,
        origin: Origin::File(path.to_owned()),
        warnings,
    })
}

fn utf8(bytes: &[u8]) -> Result<&str, ConfigError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = before.matches('\n').count() as u64 + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count() as u64
            + 1;
        ConfigError::plain("expected UTF-8, got other bytes").at(Some(Position { line, column }))
    })
}

fn from_environment(environment: Environment<'_>) -> Result<Config, ConfigError> {
    match environment::target(environment)? {
        Some(target) => Ok(Config {
            targets: vec![target],
            origin: Origin::Environment,
            warnings: Vec::new(),
        }),
        None => Err(ConfigError::plain(format!(
            "no configuration: expected a file {DEFAULT_FILE} here, or another one with \
             --config.file, or the environment variables CEC_ENDPOINT, CEC_APP_KEY, \
             CEC_APP_SECRET and CEC_USER_ID; to look around without an account, run \
             `cec_exporter demo`"
        ))),
    }
}
