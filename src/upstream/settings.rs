//! What the client has to know of a target, and what can be wrong with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::quote::{Secrets, proxy_secrets};

/// How to reach one deployment of the vendor's, and how hard it may be asked.
#[derive(Clone)]
pub struct ClientSettings {
    /// Scheme, host and optional port of the list of calls.
    pub endpoint: Url,
    /// The whole address of the token service; some deployments have it on another host or port.
    pub token_endpoint: Url,
    /// The key's public half. Kept out of every text all the same.
    pub app_key: String,
    /// The key's secret half.
    pub app_secret: String,
    /// The operator's id, sent as `x-UserId`.
    pub user_id: String,
    /// Sent as `X-TenantSpaceID` if there is one.
    pub tenant_space_id: Option<String>,
    /// The vendor's numbers of the types of call to ask for.
    pub call_types: Vec<i16>,
    /// The vendor's numbers of every status to ask for.
    pub status_codes: Vec<i16>,
    /// Those of them in which a call does not rest, for [`Filter::Pending`](super::Filter).
    pub pending_codes: Vec<i16>,
    /// From the start of the connection to the last byte of the answer.
    pub request_timeout: Duration,
    /// Requests under way at once, at least 1.
    pub max_concurrent_requests: usize,
    /// Requests sent a second, tokens and retries included; more than 0.
    pub max_requests_per_second: f64,
    /// PEM certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy for requests to `endpoint`. Those of the environment are not looked at here.
    pub proxy: Option<ProxySettings>,
    /// The proxy for requests to `token_endpoint`.
    pub token_proxy: Option<ProxySettings>,
}

/// An `http` or `https` proxy.
#[derive(Clone)]
pub struct ProxySettings {
    /// The key or the variable that chose it, for messages.
    pub key: &'static str,
    /// Its address, perhaps with credentials.
    pub url: Url,
}

impl ClientSettings {
    /// What messages must not repeat.
    pub(super) fn secrets(&self) -> Secrets {
        let proxies = self.proxy.iter().chain(&self.token_proxy);
        let proxy: Vec<String> = proxies
            .flat_map(|proxy| proxy_secrets(&proxy.url))
            .collect();
        let own = [self.app_secret.as_str(), &self.app_key];
        let all: Vec<&str> = own
            .into_iter()
            .chain(proxy.iter().map(String::as_str))
            .collect();
        Secrets::new(&all)
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("endpoint", &place(&self.endpoint))
            .field("token_endpoint", &place(&self.token_endpoint))
            .field("app_key", &"***")
            .field("app_secret", &"***")
            .field("user_id", &self.user_id)
            .field("tenant_space_id", &self.tenant_space_id)
            .field("call_types", &self.call_types)
            .field("status_codes", &self.status_codes)
            .field("pending_codes", &self.pending_codes)
            .field("request_timeout", &self.request_timeout)
            .field("max_concurrent_requests", &self.max_concurrent_requests)
            .field("max_requests_per_second", &self.max_requests_per_second)
            .field("ca_file", &self.ca_file)
            .field("proxy", &self.proxy.as_ref().map(|proxy| place(&proxy.url)))
            .finish()
    }
}

/// Where a URL leads, without the parts in which people put passwords: host, port and path.
pub(super) fn place(url: &Url) -> String {
    format!("{}{}", host(url), url.path())
}

/// Host and port of a URL.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Why no client can be made of the settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BuildError {
    /// One setting cannot be used.
    Setting {
        /// Its key in the configuration.
        key: &'static str,
        /// What is wrong with it; never its value if that is secret.
        reason: String,
    },
    /// The client itself did not start; nothing in the settings is to blame.
    Client(String),
}

impl BuildError {
    pub(super) fn setting(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            key,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { key, reason } => write!(f, "{key}: {reason}"),
            Self::Client(reason) => write!(f, "the HTTP client did not start: {reason}"),
        }
    }
}

impl std::error::Error for BuildError {}
