//! One contact centre: its keys, their ranges and their defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::duration::Display;
use super::error::ConfigError;
use super::interpolate::Environment;
use super::proxy::{Proxy, ProxyChoice};
use super::secret::Secret;
use super::section::Section;
use super::teams::read_teams;
use super::value::{
    boolean, call_type, duration, header, name, optional, rate, result_code, secret, share, status,
    whole,
};
use super::yaml::{self, List, Scalar};
use super::{address, files};
use crate::model::{CallType, Status};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The path of the token service below the endpoint.
const TOKEN_PATH: &str = "/apigovernance/api/oauth/tokenByAkSk";

/// A contact centre and how to read it. All values are checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    /// The label `target`; unique.
    pub name: String,
    /// Base URL of the API: scheme, host, port and perhaps a path, which ends without a slash.
    pub endpoint: Url,
    /// URL of the token service.
    pub token_endpoint: Url,
    /// Identifies the application. Kept secret like `app_secret`.
    pub app_key: Secret,
    pub app_secret: Secret,
    /// The file that `app_secret` was read from, if any.
    pub app_secret_file: Option<PathBuf>,
    /// The operator's id, sent as `x-UserId`.
    pub user_id: String,
    /// Sent as `X-TenantSpaceID` if set.
    pub tenant_space_id: Option<String>,
    /// Call types to request, without repetitions.
    pub call_types: Vec<CallType>,
    /// Undocumented statuses to request too.
    pub extra_status_codes: Vec<Status>,
    /// Further result codes that mean success in a response without rows.
    pub success_codes: Vec<String>,
    /// The window of the gauges, and how long a call is remembered.
    pub lookback: Duration,
    /// How late after its upload time a call may appear in the list; at most `lookback`.
    pub overlap: Duration,
    /// How often the whole window is compared again.
    pub reconcile_interval: Duration,
    /// Rows per request.
    pub page_size: u32,
    /// Scrapes closer together than this share one pull.
    pub min_pull_interval: Duration,
    /// Time limit of a request.
    pub request_timeout: Duration,
    pub max_concurrent_requests: u32,
    pub max_requests_per_second: f64,
    /// A file with further trust anchors.
    pub ca_file: Option<PathBuf>,
    /// The proxy for `endpoint`.
    pub proxy: Option<Proxy>,
    /// The proxy for `token_endpoint`, whose scheme or host may differ.
    pub token_proxy: Option<Proxy>,
    /// Most calls to remember.
    pub max_calls: u32,
    /// How long after the last success the gauges stay; zero for ever.
    pub stale_after: Duration,
    /// The file that says which team an agent belongs to; without it, there are no series by team.
    pub teams_file: Option<PathBuf>,
    /// Most teams with series of their own.
    pub max_teams: u32,
    /// Whether there are series by agent.
    pub agents: bool,
    /// Most agents with series of their own.
    pub max_agents: u32,
    /// Which inspection results to request.
    pub results: Option<Results>,
}

/// Which inspection results to request, and how many. All values are checked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Results {
    /// Share of the calls whose result is requested, from 0 to 1.
    pub share: f64,
    /// Separate from the budget of the list.
    pub max_requests_per_second: f64,
    /// Most rules with a series of their own.
    pub max_rules: u32,
}

/// The keys of a target, and of `defaults`, as they are written. Some are secret: no `Debug`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) name: Scalar,
    pub(super) endpoint: Scalar,
    pub(super) token_endpoint: Scalar,
    pub(super) app_key: Scalar,
    pub(super) app_secret: Scalar,
    pub(super) app_secret_file: Scalar,
    pub(super) user_id: Scalar,
    pub(super) tenant_space_id: Scalar,
    pub(super) call_types: List,
    pub(super) extra_status_codes: List,
    pub(super) success_codes: List,
    pub(super) lookback: Scalar,
    pub(super) overlap: Scalar,
    pub(super) reconcile_interval: Scalar,
    pub(super) page_size: Scalar,
    pub(super) min_pull_interval: Scalar,
    pub(super) request_timeout: Scalar,
    pub(super) max_concurrent_requests: Scalar,
    pub(super) max_requests_per_second: Scalar,
    pub(super) ca_file: Scalar,
    pub(super) proxy_url: Scalar,
    pub(super) max_calls: Scalar,
    pub(super) stale_after: Scalar,
    pub(super) teams_file: Scalar,
    pub(super) max_teams: Scalar,
    pub(super) agents: Scalar,
    pub(super) max_agents: Scalar,
    #[serde(deserialize_with = "yaml::or_default")]
    pub(super) results: ResultsKeys,
}

/// The keys below `results`, as they are written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ResultsKeys {
    enabled: Scalar,
    share: Scalar,
    max_requests_per_second: Scalar,
    max_rules: Scalar,
}

impl Keys {
    pub(super) fn has_inline_secret(&self) -> bool {
        let secret = self.app_secret.as_ref();
        secret.is_some_and(|secret| !secret.value.contains("${"))
    }
}

/// The keys of a target, or of `defaults`, and what it takes to read them.
pub(super) struct Layer<'a> {
    pub(super) keys: &'a Keys,
    pub(super) section: Section<'a>,
}

impl Layer<'_> {
    /// The secret, given as itself or as the file that holds it.
    fn app_secret(&self) -> Result<Option<(Secret, Option<PathBuf>)>, ConfigError> {
        let (section, key) = (&self.section, "app_secret_file");
        let Some(file) = &self.keys.app_secret_file else {
            let secret = section.read("app_secret", &self.keys.app_secret, secret)?;
            return Ok(secret.map(|secret| (secret, None)));
        };
        if self.keys.app_secret.is_some() {
            let [secret, file_key] = ["app_secret", key].map(|key| section.spelling(key));
            let message = format!("expected either {secret} or {file_key}, got both");
            return Err(section.error(key, file, message));
        }
        let content = section.file(key, &self.keys.app_secret_file, |path, _| {
            files::secret(path)
        })?;
        match content.flatten() {
            Some((secret, path)) => Ok(Some((secret, Some(path)))),
            None => Err(section.error(key, file, "expected the path of a file")),
        }
    }
}

impl Target {
    /// The URL of a path of the API.
    pub fn url(&self, path: &str) -> Url {
        below(&self.endpoint, path)
    }

    /// How long the gauges of calls stay after the last success; 0 for ever. They outlast the wait for
    /// the next pull, however short `stale_after` is.
    pub fn gauges_stay(&self) -> Duration {
        match self.stale_after {
            Duration::ZERO => Duration::ZERO,
            stale_after => stale_after.max(self.min_pull_interval.saturating_mul(2)),
        }
    }

    /// Whether `token_endpoint` differs from its default.
    pub fn has_own_token_endpoint(&self) -> bool {
        self.token_endpoint != self.url(TOKEN_PATH)
    }

    /// Reads a target. Values of `defaults` are checked even if the target overrides them.
    pub(super) fn read(
        own: &Layer<'_>,
        defaults: &Layer<'_>,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        macro_rules! read {
            ($($key:ident).+, $parse:expr) => {
                read!($($key).+, $parse, read)
            };
            ($($key:ident).+, $parse:expr, $method:ident) => {{
                let key = stringify!($($key).+);
                let default = &defaults.keys.$($key).+;
                let default = defaults.section.$method(key, default, $parse)?;
                own.section
                    .$method(key, &own.keys.$($key).+, $parse)?
                    .or(default)
            }};
        }
        let name = read!(name, name);
        let endpoint = read!(endpoint, address::endpoint);
        let token_endpoint = read!(token_endpoint, optional(address::plain_url)).flatten();
        let token_endpoint = token_endpoint.or_else(|| Some(below(endpoint.as_ref()?, TOKEN_PATH)));
        let app_key = read!(app_key, secret);
        let default_secret = defaults.app_secret()?;
        let (app_secret, app_secret_file) = own.app_secret()?.or(default_secret).unzip();
        let user_id = read!(user_id, header);
        let lookback = read!(lookback, duration(MINUTE..=TEN_YEARS)).unwrap_or(24 * HOUR);
        let overlap = read!(overlap, duration(Duration::ZERO..=TEN_YEARS))
            .unwrap_or(lookback.min(10 * MINUTE));
        if overlap > lookback {
            return Err(overlap_too_long(own, defaults, overlap, lookback));
        }
        let proxy = read!(proxy_url, ProxyChoice::parse).unwrap_or(ProxyChoice::Environment);
        let proxy_for = |url: &Option<Url>| match url {
            Some(url) => proxy.resolve(url, environment),
            None => Ok(None),
        };
        let missing = |key| move || own.section.missing(key, "a value");
        let missing_secret = || {
            let keys = ["app_secret", "app_secret_file"].map(|key| own.section.spelling(key));
            own.section.missing("app_secret", &keys.join(" or "))
        };
        Ok(Self {
            tenant_space_id: read!(tenant_space_id, optional(header)).flatten(),
            call_types: read!(call_types, call_type, non_empty_list)
                .unwrap_or_else(|| vec![CallType::VOICE, CallType::TEXT]),
            extra_status_codes: (read!(extra_status_codes, status, list).into_iter())
                .flatten()
                .filter(|code| !code.is_documented())
                .collect(),
            success_codes: read!(success_codes, result_code, list).unwrap_or_default(),
            lookback,
            overlap,
            reconcile_interval: read!(reconcile_interval, duration(MINUTE..=TEN_YEARS))
                .unwrap_or(HOUR),
            page_size: read!(page_size, whole(1..=10_000)).unwrap_or(100),
            min_pull_interval: read!(min_pull_interval, duration(Duration::ZERO..=HOUR))
                .unwrap_or(10 * SECOND),
            request_timeout: read!(request_timeout, duration(SECOND / 10..=10 * MINUTE))
                .unwrap_or(10 * SECOND),
            max_concurrent_requests: read!(max_concurrent_requests, whole(1..=64)).unwrap_or(4),
            max_requests_per_second: read!(max_requests_per_second, rate).unwrap_or(10.0),
            ca_file: read!(ca_file, files::readable, file)
                .flatten()
                .map(|((), path)| path),
            max_calls: read!(max_calls, whole(1..=4_000_000_000)).unwrap_or(5_000_000),
            stale_after: read!(stale_after, duration(Duration::ZERO..=TEN_YEARS))
                .unwrap_or(10 * MINUTE),
            teams_file: read!(teams_file, teams, file)
                .flatten()
                .map(|((), path)| path),
            max_teams: read!(max_teams, whole(0..=10_000)).unwrap_or(50),
            agents: read!(agents, boolean).unwrap_or(false),
            max_agents: read!(max_agents, whole(0..=100_000)).unwrap_or(500),
            results: read!(results.enabled, boolean)
                .unwrap_or(false)
                .then_some(Results {
                    share: read!(results.share, share).unwrap_or(1.0),
                    max_requests_per_second: read!(results.max_requests_per_second, rate)
                        .unwrap_or(1.0),
                    max_rules: read!(results.max_rules, whole(0..=10_000)).unwrap_or(200),
                }),
            proxy: proxy_for(&endpoint)?,
            token_proxy: proxy_for(&token_endpoint)?,
            // Missing keys are reported after wrong values.
            endpoint: endpoint.ok_or_else(missing("endpoint"))?,
            token_endpoint: token_endpoint.ok_or_else(missing("endpoint"))?,
            name: name.ok_or_else(missing("name"))?,
            app_key: app_key.ok_or_else(missing("app_key"))?,
            app_secret: app_secret.ok_or_else(missing_secret)?,
            app_secret_file: app_secret_file.flatten(),
            user_id: user_id.ok_or_else(missing("user_id"))?,
        })
    }

    /// The statuses to request: the documented ones and those of `extra_status_codes`.
    pub fn statuses(&self) -> impl Iterator<Item = Status> {
        Status::documented().chain(self.extra_status_codes.iter().copied())
    }
}

/// Checks a file of teams. It is read again when it changes.
fn teams(path: &Path, shown: &str) -> Result<(), String> {
    read_teams(path)
        .map(drop)
        .map_err(|reason| format!("expected a file of teams, but {shown}: {reason}"))
}

fn below(endpoint: &Url, path: &str) -> Url {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}{path}", endpoint.path().trim_end_matches('/')));
    url
}

/// Reports the key of the target if it has one, else that of `defaults`, which may suit all others.
fn overlap_too_long(
    own: &Layer<'_>,
    defaults: &Layer<'_>,
    overlap: Duration,
    lookback: Duration,
) -> ConfigError {
    let (overlap, lookback) = (Display(overlap), Display(lookback));
    let at_least = format!("expected at least overlap ({overlap}), got {lookback}");
    let at_most = format!("expected at most lookback ({lookback}), got {overlap}");
    let default = &defaults.keys.overlap;
    match (&own.keys.overlap, &own.keys.lookback, default) {
        (Some(written), _, _) => own.section.error("overlap", written, at_most),
        (None, Some(written), _) => own.section.error("lookback", written, at_least),
        (None, None, Some(written)) => defaults.section.error("overlap", written, at_most),
        // Not reached: without any overlap, it is at most the lookback.
        (None, None, None) => ConfigError::key("overlap", at_most),
    }
}
