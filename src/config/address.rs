//! Parses URLs more strictly than the `url` crate.

use url::Url;

use super::value::Problem;

/// The base URL of the vendor's API. The path of the result ends without a slash.
pub(super) fn endpoint(text: &str) -> Result<Url, Problem> {
    let mut url = plain_url(text)?;
    if ["/apiaccess", "/apigovernance"]
        .iter()
        .any(|path| url.path().starts_with(path))
    {
        return Err(Problem::new(
            "expected only scheme, host and port; the exporter adds the paths of the API",
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// A URL that is used as it is.
pub(super) fn plain_url(text: &str) -> Result<Url, Problem> {
    let url = http_url(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::private(
            "expected a URL without a user name or password",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Problem::private("expected a URL without ? or #"));
    }
    Ok(url)
}

/// A proxy, possibly with credentials. The error does not show the value, which may hold a
/// password with or without an @.
pub(super) fn proxy_url(text: &str) -> Result<Url, Problem> {
    const EXPECTED: &str = "expected http:// or https:// and the host of an HTTP proxy, such as \
        http://proxy.example.com:3128";
    http_url(text).map_err(|_| {
        Problem::private(match text.to_ascii_lowercase().starts_with("socks") {
            true => format!("{EXPECTED}; SOCKS is not supported"),
            false => EXPECTED.to_owned(),
        })
    })
}

fn http_url(text: &str) -> Result<Url, Problem> {
    // The parser drops line breaks, completes http:host and reads \ as /.
    let lower = text.to_ascii_lowercase();
    let begins = ["http://", "https://"]
        .iter()
        .any(|scheme| lower.starts_with(scheme));
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\');
    Url::parse(text)
        .ok()
        .filter(|url| begins && clean && url.has_host())
        .ok_or_else(|| {
            const EXPECTED: &str = "expected a URL with http:// or https:// and a host, \
            such as https://service.besclouds.com";
            // There may be a password before an @ or after a ?.
            match text.contains(['@', '?']) {
                true => Problem::private(EXPECTED),
                false => Problem::new(EXPECTED),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_normalised() {
        for (text, url) in [
            (
                "https://service.besclouds.com",
                "https://service.besclouds.com/",
            ),
            (
                "https://service.besclouds.com/",
                "https://service.besclouds.com/",
            ),
            ("HTTP://Host:28070///", "http://host:28070/"),
            ("http://[::1]:9/prefix/", "http://[::1]:9/prefix"),
        ] {
            assert_eq!(
                endpoint(text).map_err(|p| p.about(text)).unwrap().as_str(),
                url
            );
        }
    }

    #[test]
    fn a_url_that_may_hold_a_password_is_not_shown() {
        for text in [
            "https://user:hunter2@host",
            "ftp://user:hunter2@host",
            "https://user:hunter2 @host",
            "hunter2@host",
            "https://host?token=hunter2",
            "host?hunter2",
            "https://host/#hunter2",
        ] {
            let error = endpoint(text).unwrap_err().about(text);
            assert!(
                error.starts_with("expected a URL") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_lenient_parser_is_not_trusted() {
        for text in [
            "http:host",
            "http:/host",
            "https://",
            "http://ho\nst",
            "http:\\\\host",
            " http://h",
        ] {
            assert!(plain_url(text).is_err(), "{text:?}");
        }
    }
}
