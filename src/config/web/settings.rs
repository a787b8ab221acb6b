//! The keys of the file apart from TLS.

use std::collections::BTreeMap;
use std::path::Path;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::super::error::ConfigError;
use super::super::secret::Secret;
use super::super::section::Section;
use super::super::value::Problem;
use super::super::yaml::{self, Scalar};
use super::go::{self, boolean};
use super::tls;
use super::{RateLimit, WebConfig};

/// Highest cost of a hash, as a power of two of rounds. 18 takes seconds per password; with 31 one
/// request would keep a core busy for days.
const MAX_COST: u32 = 18;
/// Lowest cost that bcrypt allows.
const MIN_COST: u32 = 4;

/// Most entries of a list, such as `client_allowed_sans`.
const MAX_LIST: usize = 1000;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    tls_server_config: Option<Spanned<tls::Keys>>,
    http_server_config: Option<HttpKeys>,
    basic_auth_users: Option<BTreeMap<String, Spanned<Option<String>>>>,
    rate_limit: Option<Spanned<RateLimitKeys>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HttpKeys {
    http2: Scalar,
    headers: Option<HeaderKeys>,
}

/// The headers that the toolkit allows.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HeaderKeys {
    #[serde(rename = "Content-Security-Policy")]
    content_security_policy: Scalar,
    #[serde(rename = "X-Frame-Options")]
    x_frame_options: Scalar,
    #[serde(rename = "X-Content-Type-Options")]
    x_content_type_options: Scalar,
    #[serde(rename = "X-XSS-Protection")]
    x_xss_protection: Scalar,
    #[serde(rename = "Strict-Transport-Security")]
    strict_transport_security: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RateLimitKeys {
    interval: Scalar,
    burst: Scalar,
}

/// Parses the text of the file. Relative paths in it start at `directory`; the files they name are
/// not read yet.
pub(super) fn parse(text: &str, directory: &Path) -> Result<WebConfig, ConfigError> {
    let file: Option<File> = yaml::parse(text, "tls_server_config")?;
    let file = file.unwrap_or_default();
    let section = |path: &str, position| Section {
        path: Some(path.to_owned()),
        position,
        // As in the toolkit. Hashes are full of dollar signs.
        variables: None,
        directory,
        max_list: MAX_LIST,
    };
    let mut config = WebConfig::default();
    if let Some(keys) = file.tls_server_config {
        let section = section("tls_server_config", yaml::position(&keys));
        config.tls = tls::Tls::read(&keys.value, &section, &mut config.warnings)?;
    }
    if let Some(keys) = file.http_server_config {
        let http2 = section("http_server_config", None).read("http2", &keys.http2, boolean)?;
        config.http1_only = http2 == Some(false);
        let headers = section("http_server_config.headers", None);
        config.headers = keys.headers.unwrap_or_default().read(&headers)?;
    }
    for (name, hash) in file.basic_auth_users.unwrap_or_default() {
        let hash = user(&name, &hash)?;
        config.users.insert(name, hash);
    }
    if let Some(keys) = file.rate_limit {
        let section = section("rate_limit", yaml::position(&keys));
        config.rate_limit = keys.value.read(&section)?;
    }
    Ok(config)
}

impl HeaderKeys {
    fn read(&self, section: &Section<'_>) -> Result<HeaderMap, ConfigError> {
        let (any, frames, types) = (&[][..], &["deny", "sameorigin"], &["nosniff"]);
        let mut map = HeaderMap::new();
        for (name, value, allowed) in [
            (
                "Content-Security-Policy",
                &self.content_security_policy,
                any,
            ),
            ("X-Frame-Options", &self.x_frame_options, frames),
            (
                "X-Content-Type-Options",
                &self.x_content_type_options,
                types,
            ),
            ("X-XSS-Protection", &self.x_xss_protection, any),
            (
                "Strict-Transport-Security",
                &self.strict_transport_security,
                any,
            ),
        ] {
            let value = section.read(name, value, header_value(allowed))?;
            let value = value.filter(|value| !value.is_empty());
            if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) {
                map.insert(name, value);
            }
        }
        Ok(map)
    }
}

/// The value of a header; empty for none.
fn header_value(allowed: &[&str]) -> impl Fn(&str) -> Result<HeaderValue, Problem> {
    move |text| {
        if !allowed.is_empty() && !text.is_empty() && !allowed.contains(&text) {
            return Err(Problem::new(format!("expected {}", allowed.join(" or "))));
        }
        HeaderValue::from_str(text)
            .ok()
            .filter(|value| value.to_str().is_ok_and(|text| !text.contains('\t')))
            .ok_or_else(|| Problem::new("expected printable ASCII characters in one line"))
    }
}

fn user(name: &str, hash: &Spanned<Option<String>>) -> Result<Secret, ConfigError> {
    let secret = match name.contains(':') {
        // Without a space after the colon, this is a name and a hash.
        true => Err("expected a name without a colon, then a colon and a space".to_owned()),
        false => parse_hash(hash.value.as_deref().unwrap_or_default()),
    };
    let path = yaml::join("basic_auth_users", name);
    secret.map_err(|message| ConfigError::key(path, message).at(yaml::position(hash)))
}

/// The error never shows the value: it may be the password itself.
fn parse_hash(text: &str) -> Result<Secret, String> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| {
        "expected a bcrypt hash, which begins with $2 and has 60 characters; \
         `htpasswd -nBC 10 NAME` makes one"
    })?;
    let cost = parts.get_cost();
    if !(MIN_COST..=MAX_COST).contains(&cost) {
        return Err(format!(
            "expected a bcrypt hash with a cost from {MIN_COST} to {MAX_COST}, got one with {cost}"
        ));
    }
    Ok(Secret::new(text))
}

impl RateLimitKeys {
    fn read(&self, section: &Section<'_>) -> Result<Option<RateLimit>, ConfigError> {
        const EXPECTED: &str = "a whole number from 1 up";
        let interval = section.read("interval", &self.interval, go::duration)?;
        let Some(interval) = interval.filter(|interval| !interval.is_zero()) else {
            return Ok(None);
        };
        // With a burst of 0, no request is ever answered.
        let burst = section.read("burst", &self.burst, |text| {
            let burst = text.parse().ok().filter(|burst| *burst > 0);
            burst.ok_or_else(|| Problem::new(format!("expected {EXPECTED}")))
        })?;
        let burst = burst.ok_or_else(|| section.missing("burst", EXPECTED))?;
        Ok(Some(RateLimit { interval, burst }))
    }
}
