//! What every request to the vendor has in common: its address and its headers.

use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::settings::{BuildError, ClientSettings};
use super::token_response::USUAL_LIFETIME;

/// Whether requests can be sent to an address.
pub(super) fn check_address(key: &'static str, url: &Url) -> Result<(), BuildError> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(BuildError::setting(
            key,
            "expected http:// or https:// and a host",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // They would be sent instead of the token.
        return Err(BuildError::setting(
            key,
            "a user name or password in it is not supported",
        ));
    }
    Ok(())
}

pub(super) fn token_headers() -> HeaderMap {
    let lifetime = HeaderValue::from(USUAL_LIFETIME.as_secs());
    [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        // Always sent: some deployments answer nothing without it.
        (HeaderName::from_static("x-token-expire"), lifetime),
    ]
    .into_iter()
    .collect()
}

pub(super) fn details_headers(settings: &ClientSettings) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    // A page shrinks sevenfold, for about as much time as its parse takes: some 1 µs a call, in
    // which only a line of gigabits a second would carry what is saved.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let mut add = |key: &'static str, name, text: &str, secret| {
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            BuildError::setting(key, "it holds characters that a header cannot carry")
        })?;
        value.set_sensitive(secret);
        headers.insert(HeaderName::from_static(name), value);
        Ok(())
    };
    add("app_key", "x-app-key", &settings.app_key, true)?;
    add("user_id", "x-userid", &settings.user_id, false)?;
    if let Some(id) = settings
        .tenant_space_id
        .as_deref()
        .filter(|id| !id.is_empty())
    {
        add("tenant_space_id", "x-tenantspaceid", id, false)?;
    }
    Ok(headers)
}
