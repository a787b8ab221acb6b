//! The configuration file: `defaults` and the list of targets.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::error::{ConfigError, Position};
use super::interpolate::Environment;
use super::section::Section;
use super::target::{Keys, Layer, Target};
use super::yaml;

/// Most targets of one exporter.
const MAX_TARGETS: usize = 10_000;

/// Most entries of a list, such as `call_types`.
const MAX_LIST: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    defaults: Option<Keys>,
    #[serde(default = "no_targets")]
    targets: Targets,
}

type Targets = Spanned<Option<Vec<Spanned<Option<Keys>>>>>;

fn no_targets() -> Targets {
    Spanned::new(None, Location::UNKNOWN, Location::UNKNOWN)
}

/// What a configuration file says.
pub(super) struct Contents {
    pub(super) targets: Vec<Target>,
    /// Whether a secret is written in the file itself, not in a variable or another file.
    pub(super) has_inline_secret: bool,
}

/// Reads the text of a configuration file. Relative paths in it start at `directory`.
pub(super) fn parse(
    text: &str,
    directory: &Path,
    environment: Environment<'_>,
) -> Result<Contents, ConfigError> {
    let Some(file) = yaml::parse::<Option<File>>(text, "targets")? else {
        return Err(ConfigError::plain(
            "expected a mapping with keys such as targets, got nothing",
        ));
    };
    let layer = |keys, path: &str, position: Option<Position>| Layer {
        keys,
        section: Section {
            path: Some(path.to_owned()),
            position,
            variables: Some(environment),
            directory,
            max_list: MAX_LIST,
        },
    };
    let defaults = file.defaults.unwrap_or_default();
    let defaults = layer(&defaults, "defaults", None);
    if let Some(name) = &defaults.keys.name {
        let message = "expected only in a target: names are unique";
        return Err(defaults.section.error("name", name, message));
    }
    let targets = file.targets.value.as_deref().unwrap_or_default();
    let message = match targets.len() {
        0 => Some("expected a list of at least one target".to_owned()),
        1..=MAX_TARGETS => None,
        count => Some(format!(
            "expected at most {MAX_TARGETS} targets, got {count}"
        )),
    };
    if let Some(message) = message {
        return Err(ConfigError::key("targets", message).at(yaml::position(&file.targets)));
    }
    let mut contents = Contents {
        targets: Vec::with_capacity(targets.len()),
        has_inline_secret: defaults.keys.has_inline_secret(),
    };
    let mut names = HashMap::new();
    for (index, keys) in targets.iter().enumerate() {
        let (path, position) = (format!("targets[{index}]"), yaml::position(keys));
        let Some(keys) = &keys.value else {
            let message = "expected a mapping, got nothing";
            return Err(ConfigError::key(path, message).at(position));
        };
        let own = layer(keys, &path, position);
        let target = Target::read(&own, &defaults, environment)?;
        if let (Some(first), Some(name)) = (names.insert(target.name.clone(), index), &keys.name) {
            let message = format!("expected a unique name, but targets[{first}] has the same");
            return Err(own.section.error("name", name, message));
        }
        contents.has_inline_secret |= keys.has_inline_secret();
        contents.targets.push(target);
    }
    Ok(contents)
}
