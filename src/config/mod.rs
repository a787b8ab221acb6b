//! The configuration: a YAML file, or a few environment variables.
//!
//! [`load`] returns targets whose values are all checked, or one line that says what is wrong and
//! where. A reload calls it again and compares targets to see which ones changed.

pub mod duration;
pub mod shard;
pub mod web;

mod address;
mod error;
mod files;
mod interpolate;
mod proxy;
mod secret;
mod section;
mod target;
mod targets;
mod teams;
mod value;
mod yaml;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use serde_saphyr::{Location, Spanned};

pub use error::ConfigError;
pub use files::{FileError, read as read_file, secret as read_secret};
pub use interpolate::Environment;
pub use proxy::Proxy;
pub use secret::Secret;
pub use target::{Results, Target};
pub use teams::read_teams;

use error::Position;
use section::Section;
use target::{Keys, Layer};

/// The file that is read without `--config.file`.
pub const DEFAULT_FILE: &str = "cec_exporter.yml";

/// The variables that describe a target.
const VARIABLES: [&str; 7] = [
    "CEC_ENDPOINT",
    "CEC_TOKEN_ENDPOINT",
    "CEC_APP_KEY",
    "CEC_APP_SECRET",
    "CEC_APP_SECRET_FILE",
    "CEC_USER_ID",
    "CEC_TENANT_SPACE_ID",
];

#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// In the file's order, with unique names; at least one.
    pub targets: Vec<Target>,
    /// Where it comes from, as the operator reads it: a path, the variables, or the program.
    pub origin: String,
    /// For the operator. Without secrets.
    pub warnings: Vec<String>,
}

/// Reads a configuration that refers to no files and no variables.
pub fn from_text(text: &str) -> Result<Config, ConfigError> {
    let contents = targets::parse(text, Path::new(""), &|_| None)?;
    Ok(Config {
        targets: contents.targets,
        origin: "built in".to_owned(),
        warnings: Vec::new(),
    })
}

/// Reads the configuration: from the `given` file; else from the `default` file; else, if there is
/// no such file, from the variables `CEC_*`. Blocks.
///
/// `environment` looks up all variables, those that the file refers to included. Files with
/// secrets are read now, so that a missing one is an error at the start.
pub fn load(
    given: Option<&Path>,
    default: &Path,
    environment: Environment<'_>,
) -> Result<Config, ConfigError> {
    let path = given.unwrap_or(default);
    let read = match files::read(path, files::MAX_CONFIG_BYTES) {
        Err(FileError::Io(error)) if given.is_none() && error.kind() == io::ErrorKind::NotFound => {
            return from_environment(environment);
        }
        Err(error) => Err(ConfigError::plain(error.to_string())),
        Ok(bytes) => from_file(&bytes, path, environment),
    };
    read.map_err(|error| error.in_file(path))
}

fn from_file(
    bytes: &[u8],
    path: &Path,
    environment: Environment<'_>,
) -> Result<Config, ConfigError> {
    let text = utf8(bytes)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let contents = targets::parse(text, directory, environment)?;
    let mut warnings = Vec::new();
    if contents.has_inline_secret && files::is_world_readable(path) {
        warnings.push(format!(
            "{} holds a secret and every user of this machine can read it; make it readable for \
             the exporter only, or use app_secret_file",
            path.display()
        ));
    }
    warnings.extend(unused_variables(text, path, environment));
    Ok(Config {
        targets: contents.targets,
        origin: path.display().to_string(),
        warnings,
    })
}

/// A warning about variables `CEC_*` that are set but neither read nor referred to.
fn unused_variables(text: &str, path: &Path, environment: Environment<'_>) -> Option<String> {
    let is_unused = |name: &&str| {
        let is_set = environment(name).is_some_and(|value| !value.is_empty());
        is_set && !text.contains(&format!("${{{name}}}"))
    };
    let unused: Vec<&str> = VARIABLES.into_iter().filter(is_unused).collect();
    let subject = match &unused[..] {
        [] => return None,
        [one] => format!("the variable {one} is"),
        several => format!("the variables {} are", several.join(", ")),
    };
    let path = path.display();
    Some(format!(
        "{subject} set but not used: the configuration comes from {path}"
    ))
}

fn utf8(bytes: &[u8]) -> Result<&str, ConfigError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = before.matches('\n').count() as u64 + 1;
        let last = before.rsplit('\n').next().unwrap_or_default();
        let column = last.chars().count() as u64 + 1;
        ConfigError::plain("not valid UTF-8").at(Some(Position { line, column }))
    })
}

/// One target from the variables `CEC_*`, for containers and first steps. An empty variable counts
/// as unset.
fn from_environment(environment: Environment<'_>) -> Result<Config, ConfigError> {
    let scalar = |text| Spanned::new(text, Location::UNKNOWN, Location::UNKNOWN);
    let [
        endpoint,
        token_endpoint,
        app_key,
        app_secret,
        app_secret_file,
        user_id,
        tenant_space_id,
    ] = VARIABLES.map(|name| {
        let value = environment(name).filter(|text| !text.is_empty());
        value.map(scalar)
    });
    if endpoint.is_none() {
        return Err(ConfigError::plain(format!(
            "no configuration: expected the file {DEFAULT_FILE} in this directory, another file \
             given by --config.file, or the environment variables CEC_ENDPOINT, CEC_APP_KEY, \
             CEC_APP_SECRET and CEC_USER_ID; to try it without an account, run \
             `cec_exporter demo`"
        )));
    }
    let keys = Keys {
        name: Some(scalar("default".to_owned())),
        endpoint,
        token_endpoint,
        app_key,
        app_secret,
        app_secret_file,
        user_id,
        tenant_space_id,
        ..Keys::default()
    };
    let layer = |keys| Layer {
        keys,
        section: Section {
            path: None,
            position: None,
            variables: None,
            directory: Path::new(""),
            max_list: 0,
        },
    };
    let target = Target::read(&layer(&keys), &layer(&Keys::default()), environment)?;
    Ok(Config {
        targets: vec![target],
        origin: "the variables CEC_...".to_owned(),
        warnings: Vec::new(),
    })
}
