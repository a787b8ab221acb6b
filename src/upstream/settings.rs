//! What the client has to know of a target, and what can be wrong with it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::Api;
use super::redact::{Secrets, proxy_secrets};

/// Where the vendor's usual token service is, below the endpoint.
const TOKEN_PATH: &str = "/apigovernance/api/oauth/tokenByAkSk";

/// Reads the secret anew from where it came from, which blocks; an error says why it cannot.
pub type SecretSource = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

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
    /// Where it came from, if it may change there while the program runs.
    pub secret_source: Option<SecretSource>,
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
    /// Codes beside an answer without rows that mean success, besides the known ones.
    pub success_codes: Vec<String>,
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
    /// What messages must not repeat: these secrets, those of the proxies, and the key.
    pub(super) fn secrets(&self, app_secrets: &[&str]) -> Secrets {
        let proxies = self.proxy.iter().chain(&self.token_proxy);
        let proxy: Vec<String> = proxies
            .flat_map(|proxy| proxy_secrets(&proxy.url))
            .collect();
        let mut all = app_secrets.to_vec();
        all.push(&self.app_key);
        all.extend(proxy.iter().map(String::as_str));
        Secrets::new(&all)
    }

    /// Whether tokens come from elsewhere than the usual place below `endpoint`.
    pub(super) fn has_token_endpoint(&self) -> bool {
        let mut usual = self.endpoint.clone();
        usual.set_path(&format!(
            "{}{TOKEN_PATH}",
            self.endpoint.path().trim_end_matches('/')
        ));
        usual != self.token_endpoint
    }

    /// The key of the configuration that an address comes from.
    pub(super) fn key(&self, api: Api) -> &'static str {
        match api {
            Api::Token if self.has_token_endpoint() => "token_endpoint",
            Api::Token | Api::Details => "endpoint",
        }
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("endpoint", &place(&self.endpoint))
            .field("token_endpoint", &place(&self.token_endpoint))
            .field("app_key", &"***")
            .field("app_secret", &"***")
            .field("secret_source", &self.secret_source.is_some())
            .field("user_id", &self.user_id)
            .field("tenant_space_id", &self.tenant_space_id)
            .field("call_types", &self.call_types)
            .field("status_codes", &self.status_codes)
            .field("pending_codes", &self.pending_codes)
            .field("success_codes", &self.success_codes)
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
