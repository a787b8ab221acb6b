//! From the text of the file to its settings.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hyper::header::{self, HeaderName, HeaderValue};

use super::super::error::ConfigError;
use super::super::secret::Secret;
use super::super::tree::{self, Value};
use super::super::value::Problem;
use super::reader::Entry;
use super::tls;
use super::{RateLimit, WebConfig, go};

/// The most that a hash may cost, as a power of two of rounds. 18 takes many seconds a time; with
/// 31 one request would keep a core busy for days.
const MAX_COST: u32 = 18;
/// The least that bcrypt allows.
const MIN_COST: u32 = 4;

/// The headers that can be set, with the values that they may have if those are known.
const HEADERS: [(&str, HeaderName, &[&str]); 5] = [
    (
        "Content-Security-Policy",
        header::CONTENT_SECURITY_POLICY,
        &[],
    ),
    (
        "X-Frame-Options",
        header::X_FRAME_OPTIONS,
        &["deny", "sameorigin"],
    ),
    (
        "X-Content-Type-Options",
        header::X_CONTENT_TYPE_OPTIONS,
        &["nosniff"],
    ),
    ("X-XSS-Protection", header::X_XSS_PROTECTION, &[]),
    (
        "Strict-Transport-Security",
        header::STRICT_TRANSPORT_SECURITY,
        &[],
    ),
];

const SECTIONS: [&str; 4] = [
    "tls_server_config",
    "http_server_config",
    "basic_auth_users",
    "rate_limit",
];

/// Reads the text of the file. Relative paths in it start at `directory`; what they lead to is
/// not read yet.
pub(super) fn parse(text: &str, directory: &Path) -> Result<WebConfig, ConfigError> {
    let root = tree::parse(text)?;
    let root = Entry {
        text,
        path: String::new(),
        name: "",
        node: &root,
    };
    if !matches!(root.node.value, Value::Null | Value::Map(_)) {
        let got = root.node.value.kind();
        return Err(root.error(format!(
            "expected a mapping with keys such as tls_server_config, got {got}"
        )));
    }
    let mut config = WebConfig::default();
    for entry in root.children(&SECTIONS)? {
        match entry.name {
            "tls_server_config" => {
                config.tls = tls::parse(&entry, directory, &mut config.warnings)?;
            }
            "http_server_config" => http(&entry, &mut config)?,
            "basic_auth_users" => config.users = users(&entry)?,
            _ => config.rate_limit = rate_limit(&entry)?,
        }
    }
    Ok(config)
}

fn http(section: &Entry<'_>, config: &mut WebConfig) -> Result<(), ConfigError> {
    for entry in section.children(&["http2", "headers"])? {
        if entry.name == "http2" {
            config.http1_only = !entry.read(boolean)?;
            continue;
        }
        for (key, entry) in entry.named()? {
            let known = HEADERS.iter().find(|(name, ..)| *name == key.name);
            let Some((_, name, allowed)) = known else {
                let names = HEADERS.map(|(name, ..)| name).join(", ");
                let message = format!("expected a header that can be set, one of {names}");
                return Err(ConfigError::key(entry.path, message).at(key.position));
            };
            if !entry.is_empty() {
                let value = entry.read(header_value(allowed))?;
                config.headers.insert(name.clone(), value);
            }
        }
    }
    Ok(())
}

fn header_value(allowed: &[&str]) -> impl Fn(&str) -> Result<HeaderValue, Problem> {
    move |text| {
        if !allowed.is_empty() && !allowed.contains(&text) {
            let message = format!("expected {}", allowed.join(" or "));
            return Err(Problem::new(message));
        }
        let printable = text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic());
        HeaderValue::from_str(text)
            .ok()
            .filter(|_| printable)
            .ok_or_else(|| Problem::new("expected printable ASCII characters in one line"))
    }
}

fn users(section: &Entry<'_>) -> Result<BTreeMap<String, Secret>, ConfigError> {
    let mut users = BTreeMap::new();
    for (key, entry) in section.named()? {
        if key.name.contains(':') {
            // Without a space after the colon this is a name and a hash.
            let message = "expected a name without a colon in it, then a colon and a space";
            return Err(ConfigError::key(&section.path, message).at(key.position));
        }
        users.insert(key.name.clone(), entry.read(hash)?);
    }
    Ok(users)
}

fn hash(text: &str) -> Result<Secret, Problem> {
    // Never shown: who has the password itself here must not find it in the log.
    let expected = || {
        Problem::private(
            "expected a bcrypt hash, which begins with $2 and has 60 characters; \
             `htpasswd -nBC 10 NAME` makes one",
        )
    };
    let parts: bcrypt::HashParts = text.parse().map_err(|_| expected())?;
    let cost = parts.get_cost();
    if !(MIN_COST..=MAX_COST).contains(&cost) {
        return Err(Problem::private(format!(
            "expected a bcrypt hash with a cost from {MIN_COST} to {MAX_COST}, got one with {cost}"
        )));
    }
    Ok(Secret::new(text))
}

fn rate_limit(section: &Entry<'_>) -> Result<Option<RateLimit>, ConfigError> {
    let (mut interval, mut burst) = (Duration::ZERO, None);
    for entry in section.children(&["interval", "burst"])? {
        if entry.name == "interval" {
            interval = entry.read(go::duration)?;
        } else {
            burst = Some(entry.read(|text| {
                text.parse()
                    .map_err(|_| Problem::new("expected a whole number from 1 up"))
            })?);
        }
    }
    match (interval.is_zero(), burst) {
        (true, _) => Ok(None),
        (false, Some(burst @ 1..)) => Ok(Some(RateLimit { interval, burst })),
        (false, None | Some(0)) => {
            let message =
                "expected a whole number from 1 up; with less no request would be answered";
            Err(ConfigError::key("rate_limit.burst", message).at(section.node.position))
        }
    }
}

/// A truth value as YAML 1.1 has them, which is what the toolkit reads.
pub(super) fn boolean(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => Err(Problem::new("expected true or false")),
    }
}
