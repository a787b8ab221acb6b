//! Headers that all requests of a client share.

use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::error::BuildError;
use super::token_response::DEFAULT_LIFETIME;
use crate::config::Target;

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
