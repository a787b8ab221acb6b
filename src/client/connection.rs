//! Builds the HTTP client: proxy, connection pool, timeouts.

use std::time::Duration;

use super::error::BuildError;
use super::tls::Trust;
use crate::config::{Proxy, Target};

/// Shorter than the minute after which load balancers drop idle connections, so that this side
/// closes them first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);

/// Share of `request_timeout` for connecting. Below 1, so that a connection that is not established
/// can be told from a response that does not arrive.
const CONNECT_SHARE: f64 = 0.9;

/// Blocks while it reads `ca_file`.
pub(super) fn client(target: &Target, trust: &Trust) -> Result<reqwest::Client, BuildError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("cec_exporter/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(trust.tls(target.ca_file.as_deref())?)
        // Not HTTP/2: all requests would share one connection, and if it dies silently each of
        // them times out until the kernel gives it up.
        .http1_only()
        // Credentials must not follow a redirect to another host.
        .redirect(reqwest::redirect::Policy::none())
        // The library's retries would bypass the rate limit and the counters.
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(target.request_timeout.mul_f64(CONNECT_SHARE))
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(target.max_concurrent_requests as usize);
    let url = |proxy: &Option<Proxy>| proxy.as_ref().map(|proxy| proxy.url.expose().clone());
    let (proxy, token_proxy) = (url(&target.proxy), url(&target.token_proxy));
    if proxy.is_some() || token_proxy.is_some() {
        let token_endpoint = target.token_endpoint.clone();
        builder = builder.proxy(reqwest::Proxy::custom(move |url| {
            // This `url` has only scheme, host and port.
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
