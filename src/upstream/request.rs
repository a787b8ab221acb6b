//! URL checks and headers that all requests of a client share.

use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::settings::{BuildError, ClientSettings};
use super::token_response::DEFAULT_LIFETIME;

pub(super) fn check_url(key: &'static str, url: &Url) -> Result<(), BuildError> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        let reason = "expected http:// or https:// and a host";
        return Err(BuildError::setting(key, reason));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // The HTTP client would send them in place of the token.
        let reason = "a user name or password in the URL is not supported";
        return Err(BuildError::setting(key, reason));
    }
    Ok(())
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

pub(super) fn api_headers(settings: &ClientSettings) -> Result<HeaderMap, BuildError> {
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
    add("app_key", "x-app-key", &settings.app_key, true)?;
    add("user_id", "x-userid", &settings.user_id, false)?;
    let tenant_space_id = settings.tenant_space_id.as_deref();
    if let Some(id) = tenant_space_id.filter(|id| !id.is_empty()) {
        add("tenant_space_id", "x-tenantspaceid", id, false)?;
    }
    Ok(headers)
}
