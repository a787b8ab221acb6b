//! From the tree of a configuration file to its targets.

use std::collections::HashMap;
use std::path::Path;

use super::address;
use super::entry::{Document, Entry};
use super::error::{ConfigError, Position};
use super::files;
use super::interpolate::Environment;
use super::target::{Settings, Target, range};
use super::tree::{self, Key, Node, Value};
use super::value;

/// Most targets of one exporter.
const MAX_TARGETS: usize = 10_000;

/// The keys of a target, as the message about an unknown one gives them.
const KEYS: &str = "name, endpoint, token_endpoint, app_key, app_secret, app_secret_file, user_id, \
    tenant_space_id, call_types, extra_status_codes, lookback, overlap, reconcile_interval, \
    page_size, min_pull_interval, request_timeout, max_concurrent_requests, \
    max_requests_per_second, ca_file, proxy_url, max_calls, stale_after";

/// Reads the text of a configuration file. Relative paths in it start at `directory`.
pub(super) fn targets(
    text: &str,
    directory: &Path,
    environment: Environment<'_>,
) -> Result<Vec<Target>, ConfigError> {
    let document = Document {
        text,
        directory,
        environment,
    };
    let root = tree::parse(text)?;
    let mut defaults = Settings::default();
    let mut list = None;
    for (key, node) in mapping("", &root)? {
        match key.name.as_str() {
            "defaults" => defaults = document.settings("defaults", node)?,
            "targets" => list = Some(node),
            _ => return Err(unknown("", key, "the keys here are defaults and targets")),
        }
    }
    let expected = "expected a list of at least one target";
    let Some(list) = list else {
        return Err(ConfigError::key(
            "targets",
            format!("{expected}, but the key is missing"),
        ));
    };
    let nodes = match &list.value {
        Value::List(nodes) if !nodes.is_empty() => nodes,
        other => {
            let got = if matches!(other, Value::List(_)) {
                "an empty one"
            } else {
                other.kind()
            };
            let message = format!("{expected}, got {got}");
            return Err(ConfigError::key("targets", message).at(list.position));
        }
    };
    if nodes.len() > MAX_TARGETS {
        let message = format!(
            "expected at most {MAX_TARGETS} targets, got {}",
            nodes.len()
        );
        return Err(ConfigError::key("targets", message).at(list.position));
    }
    let mut names = HashMap::new();
    let mut targets = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let path = format!("targets[{index}]");
        let settings = document.settings(&path, node)?;
        if let Some(name) = &settings.name
            && let Some(first) = names.insert(name.value.clone(), index)
        {
            let message = format!("expected a name of its own, but targets[{first}] has it too");
            return Err(name.error(message));
        }
        targets.push(settings.target(&defaults, |key| missing(&path, key, node))?);
    }
    Ok(targets)
}

impl Document<'_> {
    /// Reads `defaults` or a target. Each value is checked where it stands, so a mistake in
    /// `defaults` is found even if every target overrides it.
    fn settings(&self, path: &str, node: &Node) -> Result<Settings, ConfigError> {
        let is_target = path != "defaults";
        let mut settings = Settings::default();
        if matches!(node.value, Value::Null) && !is_target {
            return Ok(settings);
        }
        let mut secret_key = None;
        for (key, node) in mapping(path, node)? {
            let name = key.name.as_str();
            let entry = Entry {
                document: self,
                path: format!("{path}.{name}"),
                node,
            };
            let known = match name {
                "app_secret" | "app_secret_file" => {
                    if matches!(node.value, Value::Null) {
                        continue;
                    }
                    if secret_key.replace(name).is_some() {
                        let message = "expected either app_secret or app_secret_file, got both";
                        return Err(ConfigError::key(entry.path, message).at(key.position));
                    }
                    settings.app_secret = Some(match name {
                        "app_secret" => entry.read(value::secret)?,
                        _ => match entry.file(files::secret)? {
                            Some((secret, _)) => secret,
                            None => return Err(entry.error("expected the path of a file")),
                        },
                    });
                    true
                }
                "name" if !is_target => {
                    let message = "expected only in a target: names are unique";
                    return Err(ConfigError::key(entry.path, message).at(key.position));
                }
                // A key without a value is as good as no key.
                _ if matches!(node.value, Value::Null) => KEYS.split(", ").any(|key| key == name),
                _ => settings.set(name, entry)?,
            };
            if !known {
                return Err(unknown(
                    path,
                    key,
                    &format!("the keys of a target are {KEYS}"),
                ));
            }
        }
        Ok(settings)
    }
}

impl Settings {
    /// Takes one key in; `false` if it is unknown.
    fn set(&mut self, key: &str, entry: Entry<'_>) -> Result<bool, ConfigError> {
        match key {
            "name" => self.name = Some(entry.placed(value::name)?),
            "endpoint" => self.endpoint = Some(entry.read(address::endpoint)?),
            "token_endpoint" => {
                self.token_endpoint = Some(entry.read(value::optional(address::plain_url))?);
            }
            "app_key" => self.app_key = Some(entry.read(value::secret)?),
            "user_id" => self.user_id = Some(entry.read(value::header)?),
            "tenant_space_id" => {
                self.tenant_space_id = Some(entry.read(value::optional(value::header))?);
            }
            "call_types" => {
                let types = entry.list(value::call_type)?;
                if types.is_empty() {
                    return Err(entry.error("expected at least one of voice and text"));
                }
                self.call_types = Some(types);
            }
            "extra_status_codes" => {
                let mut codes = entry.list(value::status)?;
                codes.retain(|code| !code.is_documented());
                self.extra_status_codes = Some(codes);
            }
            "lookback" => self.lookback = Some(entry.placed(value::duration(range::LOOKBACK))?),
            "overlap" => self.overlap = Some(entry.placed(value::duration(range::OVERLAP))?),
            "reconcile_interval" => {
                self.reconcile_interval = Some(entry.duration(range::RECONCILE_INTERVAL)?);
            }
            "page_size" => self.page_size = Some(entry.read(value::whole(1..=10_000))?),
            "min_pull_interval" => {
                self.min_pull_interval = Some(entry.duration(range::MIN_PULL_INTERVAL)?);
            }
            "request_timeout" => {
                self.request_timeout = Some(entry.duration(range::REQUEST_TIMEOUT)?);
            }
            "max_concurrent_requests" => {
                self.max_concurrent_requests = Some(entry.read(value::whole(1..=64))?);
            }
            "max_requests_per_second" => {
                self.max_requests_per_second = Some(entry.read(value::rate)?);
            }
            "ca_file" => {
                self.ca_file = Some(entry.file(files::readable)?.map(|((), path)| path));
            }
            "proxy_url" => {
                self.proxy_url = Some(entry.read(value::optional(address::proxy_url))?);
            }
            "max_calls" => {
                self.max_calls = Some(entry.read(value::whole(1..=4_000_000_000))?);
            }
            "stale_after" => self.stale_after = Some(entry.duration(range::STALE_AFTER)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The entries of a mapping, each key once.
pub(super) fn mapping<'a>(path: &str, node: &'a Node) -> Result<&'a [(Key, Node)], ConfigError> {
    let Value::Map(entries) = &node.value else {
        let got = node.value.kind();
        let message = match path {
            "" => format!("expected a mapping with the key targets, got {got}"),
            _ => format!("expected a mapping, got {got}"),
        };
        return Err(ConfigError::key(path, message).at(node.position));
    };
    let mut seen: HashMap<&str, Option<Position>> = HashMap::new();
    for (key, _) in entries {
        if let Some(first) = seen.insert(&key.name, key.position) {
            let line = first.map_or(0, |first| first.line);
            let message = format!("expected only once, but it is already on line {line}");
            return Err(ConfigError::key(join(path, key), message).at(key.position));
        }
    }
    Ok(entries)
}

pub(super) fn unknown(path: &str, key: &Key, keys: &str) -> ConfigError {
    ConfigError::key(join(path, key), format!("unknown key; {keys}")).at(key.position)
}

fn missing(path: &str, key: &str, node: &Node) -> ConfigError {
    let expected = match key {
        "app_secret" => "expected app_secret or app_secret_file",
        _ => "expected a value",
    };
    ConfigError::key(
        format!("{path}.{key}"),
        format!("{expected}, but the key is missing"),
    )
    .at(node.position)
}

/// The path of a key. What does not look like one is not shown: without a space after the colon,
/// `app_secret:...` is a key, secret and all.
pub(super) fn join(path: &str, key: &Key) -> String {
    let like_a_key = key.name.len() <= 64
        && key
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    match (like_a_key, path) {
        (false, _) => path.to_owned(),
        (true, "") => key.name.clone(),
        (true, _) => format!("{path}.{}", key.name),
    }
}
