//! One contact centre to watch: what is asked of it, and what is taken where nothing was said.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::duration::Display;
use super::error::{ConfigError, Position};
use super::interpolate::Environment;
use super::proxy::{self, Proxy};
use super::secret::Secret;
use crate::model::{CallType, Status};

const MINUTE: Duration = Duration::from_secs(60);
const LOOKBACK: Duration = Duration::from_secs(24 * 60 * 60);
const OVERLAP: Duration = Duration::from_secs(10 * 60);
const RECONCILE_INTERVAL: Duration = Duration::from_secs(60 * 60);
const PAGE_SIZE: u32 = 100;
const MIN_PULL_INTERVAL: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CONCURRENT_REQUESTS: u32 = 4;
const MAX_REQUESTS_PER_SECOND: f64 = 10.0;
const MAX_CALLS: u32 = 5_000_000;
const STALE_AFTER: Duration = Duration::from_secs(10 * 60);

/// Where tokens come from, below the endpoint.
const TOKEN_PATH: &str = "/apigovernance/api/oauth/tokenByAkSk";

/// A contact centre and how to read it. Every value has been checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    /// The label `target`; unique.
    pub name: String,
    /// Scheme, host, port, perhaps a path before the interfaces' own; no slash at the path's end
    /// except for the bare root.
    pub endpoint: Url,
    /// Where tokens come from. Default: the vendor's path below `endpoint`.
    pub token_endpoint: Url,
    /// The application's key. It identifies more than it authorises, but is not shown either.
    pub app_key: Secret,
    /// The application's secret.
    pub app_secret: Secret,
    /// The file that it was read from, if it was.
    pub app_secret_file: Option<PathBuf>,
    /// The operator on whose behalf calls are listed.
    pub user_id: String,
    /// Sent as `X-TenantSpaceID` if set.
    pub tenant_space_id: Option<String>,
    /// Types of call to ask for: at least one, each once. Default: voice and text.
    pub call_types: Vec<CallType>,
    /// Statuses to ask for besides the documented ones; none of those is in it. Default: none.
    pub extra_status_codes: Vec<Status>,
    /// Codes beside an answer without rows that mean success, besides the known ones. Default: none.
    pub success_codes: Vec<String>,
    /// The window of the gauges, and how long a call is remembered. Default: 24 h.
    pub lookback: Duration,
    /// How late after its upload time a call may still appear in the list; at most `lookback`.
    /// Default: 10 min, or `lookback` where that is shorter.
    pub overlap: Duration,
    /// How often the whole window is compared anew. Default: 1 h.
    pub reconcile_interval: Duration,
    /// Rows asked for at a time. Default: 100.
    pub page_size: u32,
    /// Scrapes closer together than this share one pull; may be zero. Default: 10 s.
    pub min_pull_interval: Duration,
    /// How long one request may take. Default: 10 s.
    pub request_timeout: Duration,
    /// Requests in flight at a time. Default: 4.
    pub max_concurrent_requests: u32,
    /// Requests started in a second. Default: 10.
    pub max_requests_per_second: f64,
    /// A PEM file of further trust anchors. Default: none.
    pub ca_file: Option<PathBuf>,
    /// The proxy for requests to `endpoint`. Default: that of the environment.
    pub proxy: Option<Proxy>,
    /// The proxy for requests to `token_endpoint`, which may have another scheme or host.
    pub token_proxy: Option<Proxy>,
    /// Calls remembered at most. Default: 5,000,000.
    pub max_calls: u32,
    /// How long after the last success the gauges of calls stay; zero for as long as it takes.
    /// Default: 10 min.
    pub stale_after: Duration,
}

/// A value and the place it came from, for checks that need more than one value.
#[derive(Clone)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) key: String,
    pub(super) position: Option<Position>,
}

impl<T> Placed<T> {
    /// What is wrong with it.
    pub(super) fn error(&self, message: String) -> ConfigError {
        ConfigError::key(&self.key, message).at(self.position)
    }
}

/// What one mapping of the file says: `None` where it is silent. The inner `Option` of some is
/// what the key means: "none of it", said outright.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) name: Option<Placed<String>>,
    pub(super) endpoint: Option<Url>,
    pub(super) token_endpoint: Option<Option<Url>>,
    pub(super) app_key: Option<Secret>,
    /// With the file that it was read from.
    pub(super) app_secret: Option<(Secret, Option<PathBuf>)>,
    pub(super) user_id: Option<String>,
    pub(super) tenant_space_id: Option<Option<String>>,
    pub(super) call_types: Option<Vec<CallType>>,
    pub(super) extra_status_codes: Option<Vec<Status>>,
    pub(super) success_codes: Option<Vec<String>>,
    pub(super) lookback: Option<Placed<Duration>>,
    pub(super) overlap: Option<Placed<Duration>>,
    pub(super) reconcile_interval: Option<Duration>,
    pub(super) page_size: Option<u32>,
    pub(super) min_pull_interval: Option<Duration>,
    pub(super) request_timeout: Option<Duration>,
    pub(super) max_concurrent_requests: Option<u32>,
    pub(super) max_requests_per_second: Option<f64>,
    pub(super) ca_file: Option<Option<PathBuf>>,
    pub(super) proxy_url: Option<proxy::Setting>,
    pub(super) max_calls: Option<u32>,
    pub(super) stale_after: Option<Duration>,
}

impl Settings {
    /// Takes what is not said here from `defaults`.
    fn or(self, defaults: &Self) -> Self {
        macro_rules! or {
            ($($field:ident)*) => {
                Self { $($field: self.$field.or_else(|| defaults.$field.clone())),* }
            };
        }
        or! {
            name endpoint token_endpoint app_key app_secret user_id tenant_space_id call_types
            extra_status_codes success_codes lookback overlap reconcile_interval page_size min_pull_interval
            request_timeout max_concurrent_requests max_requests_per_second ca_file proxy_url
            max_calls stale_after
        }
    }

    /// How long the overlap is, which depends on the lookback.
    ///
    /// The error stands where the target itself says something, since its `defaults` may suit
    /// all others.
    fn overlap(&self, defaults: &Self) -> Result<Duration, ConfigError> {
        let lookback = self.lookback.as_ref().or(defaults.lookback.as_ref());
        let lookback = lookback.map_or(LOOKBACK, |lookback| lookback.value);
        let Some(overlap) = self.overlap.as_ref().or(defaults.overlap.as_ref()) else {
            return Ok(OVERLAP.min(lookback));
        };
        if overlap.value <= lookback {
            return Ok(overlap.value);
        }
        let (longest, got) = (Display(lookback), Display(overlap.value));
        Err(match (&self.lookback, &self.overlap) {
            (Some(own), None) => {
                own.error(format!("expected at least overlap ({got}), got {longest}"))
            }
            _ => overlap.error(format!("expected at most lookback ({longest}), got {got}")),
        })
    }

    /// The target that these settings and `defaults` describe. `missing` makes the error for a
    /// key that neither gives.
    pub(super) fn target(
        self,
        defaults: &Self,
        environment: Environment<'_>,
        missing: impl Fn(&str) -> ConfigError,
    ) -> Result<Target, ConfigError> {
        let overlap = self.overlap(defaults)?;
        let all = self.or(defaults);
        let endpoint = all.endpoint.ok_or_else(|| missing("endpoint"))?;
        let token_endpoint = all.token_endpoint.flatten().unwrap_or_else(|| {
            let mut url = endpoint.clone();
            url.set_path(&format!(
                "{}{TOKEN_PATH}",
                endpoint.path().trim_end_matches('/')
            ));
            url
        });
        let proxy = all.proxy_url.unwrap_or(proxy::Setting::Environment);
        let name = all.name.ok_or_else(|| missing("name"))?.value;
        let app_key = all.app_key.ok_or_else(|| missing("app_key"))?;
        let (app_secret, app_secret_file) = all.app_secret.ok_or_else(|| missing("app_secret"))?;
        Ok(Target {
            name,
            proxy: proxy.proxy(&endpoint, environment)?,
            token_proxy: proxy.proxy(&token_endpoint, environment)?,
            endpoint,
            token_endpoint,
            app_key,
            app_secret,
            app_secret_file,
            user_id: all.user_id.ok_or_else(|| missing("user_id"))?,
            tenant_space_id: all.tenant_space_id.flatten(),
            call_types: (all.call_types).unwrap_or_else(|| vec![CallType::VOICE, CallType::TEXT]),
            extra_status_codes: all.extra_status_codes.unwrap_or_default(),
            success_codes: all.success_codes.unwrap_or_default(),
            lookback: all.lookback.map_or(LOOKBACK, |lookback| lookback.value),
            overlap,
            reconcile_interval: all.reconcile_interval.unwrap_or(RECONCILE_INTERVAL),
            page_size: all.page_size.unwrap_or(PAGE_SIZE),
            min_pull_interval: all.min_pull_interval.unwrap_or(MIN_PULL_INTERVAL),
            request_timeout: all.request_timeout.unwrap_or(REQUEST_TIMEOUT),
            max_concurrent_requests: all
                .max_concurrent_requests
                .unwrap_or(MAX_CONCURRENT_REQUESTS),
            max_requests_per_second: all
                .max_requests_per_second
                .unwrap_or(MAX_REQUESTS_PER_SECOND),
            ca_file: all.ca_file.flatten(),
            max_calls: all.max_calls.unwrap_or(MAX_CALLS),
            stale_after: all.stale_after.unwrap_or(STALE_AFTER),
        })
    }
}

/// The ranges that durations must be in.
pub(super) mod range {
    use super::{Duration, MINUTE};
    use std::ops::RangeInclusive;

    const TEN_YEARS: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
    pub(in super::super) const LOOKBACK: RangeInclusive<Duration> = MINUTE..=TEN_YEARS;
    pub(in super::super) const OVERLAP: RangeInclusive<Duration> = Duration::ZERO..=TEN_YEARS;
    pub(in super::super) const RECONCILE_INTERVAL: RangeInclusive<Duration> = MINUTE..=TEN_YEARS;
    pub(in super::super) const MIN_PULL_INTERVAL: RangeInclusive<Duration> =
        Duration::ZERO..=Duration::from_secs(3600);
    pub(in super::super) const STALE_AFTER: RangeInclusive<Duration> = Duration::ZERO..=TEN_YEARS;
    pub(in super::super) const REQUEST_TIMEOUT: RangeInclusive<Duration> =
        Duration::from_millis(100)..=Duration::from_secs(600);
}
