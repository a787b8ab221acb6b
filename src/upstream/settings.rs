//! Settings of the client for one target.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::Api;
use super::redact::{Secrets, proxy_secrets};

/// Path of the vendor's default token service below the endpoint.
const TOKEN_PATH: &str = "/apigovernance/api/oauth/tokenByAkSk";

/// Reads the secret again from its source. Blocks.
pub type SecretSource = Arc<dyn Fn() -> Result<String, String> + Send + Sync>;

/// How to reach one deployment, and how hard it may be loaded.
#[derive(Clone)]
pub struct ClientSettings {
    /// Scheme, host and optional port of the list of calls.
    pub endpoint: Url,
    /// Full URL of the token service; some deployments have it on another host or port.
    pub token_endpoint: Url,
    /// Redacted like a secret, although it is the public half of the key.
    pub app_key: String,
    pub app_secret: String,
    /// Where to read `app_secret` again, if it can change while the program runs.
    pub secret_source: Option<SecretSource>,
    /// The operator's id, sent as `x-UserId`.
    pub user_id: String,
    /// Sent as `X-TenantSpaceID`.
    pub tenant_space_id: Option<String>,
    /// Call types to request, by the vendor's numbers.
    pub call_types: Vec<i16>,
    /// Statuses to request, by the vendor's numbers.
    pub status_codes: Vec<i16>,
    /// Those of `status_codes` that are not final, for [`Filter::Pending`](super::Filter).
    pub pending_codes: Vec<i16>,
    /// Further codes that mean success next to an empty list.
    pub success_codes: Vec<String>,
    /// Whether records need `staff_id`, and the identity as the vendor writes it.
    pub keep_texts: bool,
    /// From opening the connection to the last byte of the response.
    pub request_timeout: Duration,
    /// At least 1.
    pub max_concurrent_requests: usize,
    /// Includes token requests and retries; more than 0.
    pub max_requests_per_second: f64,
    /// The same for inspection results, which have a budget of their own.
    pub max_inspections_per_second: f64,
    /// PEM certificates to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// Proxy for `endpoint`. The client itself ignores the proxy variables of the environment.
    pub proxy: Option<ProxySettings>,
    /// Proxy for `token_endpoint`.
    pub token_proxy: Option<ProxySettings>,
}

/// An `http` or `https` proxy.
#[derive(Clone)]
pub struct ProxySettings {
    /// The configuration key or environment variable that it comes from, for messages.
    pub key: &'static str,
    /// May contain credentials.
    pub url: Url,
}

impl ClientSettings {
    /// Everything that messages must not repeat: `app_secrets`, the key and proxy passwords.
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

    /// Whether the token endpoint differs from the default below `endpoint`.
    pub(super) fn has_own_token_endpoint(&self) -> bool {
        with_path(&self.endpoint, TOKEN_PATH) != self.token_endpoint
    }

    /// The configuration key that determines the URL of an API.
    pub(super) fn endpoint_key(&self, api: Api) -> &'static str {
        match api {
            Api::Token if self.has_own_token_endpoint() => "token_endpoint",
            Api::Token | Api::Details | Api::Credit => "endpoint",
        }
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.proxy.as_ref();
        f.debug_struct("ClientSettings")
            .field("endpoint", &host_and_path(&self.endpoint))
            .field("token_endpoint", &host_and_path(&self.token_endpoint))
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
            .field(
                "max_inspections_per_second",
                &self.max_inspections_per_second,
            )
            .field("ca_file", &self.ca_file)
            .field("proxy", &proxy.map(|proxy| host_and_path(&proxy.url)))
            .finish()
    }
}

/// A URL with `path` appended and without its query.
pub(super) fn with_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// Host, port and path: a URL without the parts that may contain a password.
pub(super) fn host_and_path(url: &Url) -> String {
    format!("{}{}", host_and_port(url), url.path())
}

pub(super) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Why no client can be built from the settings.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    /// One setting cannot be used. `reason` never contains a secret value.
    #[error("{key}: {reason}")]
    Setting { key: &'static str, reason: String },
    /// The HTTP client did not start for a reason outside of the settings.
    #[error("the HTTP client did not start: {0}")]
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
