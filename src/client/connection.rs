//! What the requests of a client share: proxy, connection pool, timeouts, headers.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::BuildError;
use super::tls::Trust;
use super::token_response::DEFAULT_LIFETIME;
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
    let url = |proxy: &Option<Proxy>| proxy.as_ref().map(|proxy| proxy.expose().clone());
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

pub(super) fn token_headers() -> HeaderMap {
    let lifetime = HeaderValue::from(DEFAULT_LIFETIME.as_secs());
    [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        // Always sent: some deployments do not respond without it.
        (HeaderName::from_static("x-token-expire"), lifetime),
    ]
    .into_iter()
    .collect()
}

pub(super) fn api_headers(target: &Target) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    // Shrinks a page sevenfold. Decompression costs about as much CPU time as parsing, some 1 µs a
    // call, so it only loses on links of several Gbit/s.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let mut add = |key: &'static str, name, text: &str, is_secret| {
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            BuildError::setting(key, "contains characters that are not allowed in a header")
        })?;
        value.set_sensitive(is_secret);
        headers.insert(HeaderName::from_static(name), value);
        Ok(())
    };
    add("app_key", "x-app-key", target.app_key.expose(), true)?;
    add("user_id", "x-userid", &target.user_id, false)?;
    if let Some(id) = &target.tenant_space_id {
        add("tenant_space_id", "x-tenantspaceid", id, false)?;
    }
    Ok(headers)
}
