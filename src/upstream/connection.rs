//! The HTTP client underneath: proxy, pool, timeouts.

use std::time::Duration;

use super::settings::{BuildError, ClientSettings, ProxySettings};
use super::tls::Trust;

/// Below the minute after which load balancers drop idle connections, so that this side does.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// The share of a request's time that connecting may take. Less than all of it, so that a
/// connection that does not come is told apart from an answer that does not.
const CONNECTING: f64 = 0.9;

/// A client for one target. Blocks for as long as reading a `ca_file` takes.
pub(super) fn client(
    settings: &ClientSettings,
    trust: &Trust,
) -> Result<reqwest::Client, BuildError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("cec_exporter/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(trust.tls(settings.ca_file.as_deref())?)
        // Not HTTP/2: all requests would share one connection, and when that one dies silently
        // each of them runs into its timeout until the kernel gives the connection up.
        .http1_only()
        // A key must not follow a redirect to wherever it leads.
        .redirect(reqwest::redirect::Policy::none())
        // Retries that are not decided here would escape the pace and the counters.
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(settings.request_timeout.mul_f64(CONNECTING))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(settings.max_concurrent_requests);
    for proxy in settings.proxy.iter().chain(&settings.token_proxy) {
        // The client's own text may hold the address, and that a password.
        if !matches!(proxy.url.scheme(), "http" | "https") || !proxy.url.has_host() {
            let reason = "expected the http:// or https:// address of a proxy";
            return Err(BuildError::setting(proxy.key, reason));
        }
    }
    if settings.proxy.is_some() || settings.token_proxy.is_some() {
        let of = |proxy: &Option<ProxySettings>| proxy.as_ref().map(|proxy| proxy.url.clone());
        let (proxy, token_proxy) = (of(&settings.proxy), of(&settings.token_proxy));
        let token_endpoint = settings.token_endpoint.clone();
        builder = builder.proxy(reqwest::Proxy::custom(move |url| {
            // Only scheme, host and port are to be seen here.
            match url.origin() == token_endpoint.origin() {
                true => token_proxy.clone(),
                false => proxy.clone(),
            }
        }));
    }
    builder
        .build()
        .map_err(|error| BuildError::Client(error.without_url().to_string()))
}
