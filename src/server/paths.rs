//! The paths and URLs of the command line, parsed and checked.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Parses the prefix of every path: empty, or begins with a slash and ends without one.
///
/// # Errors
///
/// What was expected.
pub fn route_prefix(text: &str) -> Result<String, String> {
    // As in Prometheus, slashes around it make no difference.
    let bare = text.trim_matches('/');
    if bare.is_empty() {
        return Ok(String::new());
    }
    let resolves = |part: &str| part.is_empty() || part == "." || part == "..";
    if !is_plain(bare) || bare.split('/').any(resolves) {
        return Err("expected a path of letters, digits and -._~".to_owned());
    }
    Ok(format!("/{bare}"))
}

/// Whether a path needs no encoding.
fn is_plain(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    path.bytes().all(is_plain)
}

/// The URL at which clients reach the exporter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalUrl {
    url: Url,
    path: String,
}

impl ExternalUrl {
    /// Its path, which is the default prefix.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for ExternalUrl {
    /// With a slash at the end: the URL of the status page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.url.origin().ascii_serialization();
        write!(f, "{origin}{}/", self.path)
    }
}

impl FromStr for ExternalUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str =
            "expected a URL with http:// or https:// and a host, without user, ? and #";
        let url = Url::parse(text).map_err(|_| EXPECTED)?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(EXPECTED.to_owned());
        }
        let path = route_prefix(url.path())?;
        Ok(Self { url, path })
    }
}

/// Parses the path of the metrics.
///
/// # Errors
///
/// What was expected.
pub fn telemetry_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') || !is_plain(text) {
        return Err("expected a path that begins with /, of letters, digits and -._~".to_owned());
    }
    // The server's other pages. A slash at the end would only look like another path.
    let taken = match text.trim_end_matches('/') {
        "" | "/probe" | "/sd" | "/-" => true,
        path => path.starts_with("/-/"),
    };
    if taken {
        return Err(
            "expected a path other than /, /probe, /sd and /-/, which are in use".to_owned(),
        );
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_plain_path() {
        for (text, expected) in [
            ("", ""),
            ("/", ""),
            ("cec", "/cec"),
            ("/cec/", "/cec"),
            ("/a/b-c", "/a/b-c"),
        ] {
            assert_eq!(route_prefix(text).unwrap(), expected);
        }
        for text in ["a b", "/a//b", "/a/../b", "/.", "/a?b", "/%61", "/价"] {
            assert!(route_prefix(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_external_url_has_a_path_and_no_secrets() {
        for (text, shown, path) in [
            ("http://gate.example", "http://gate.example/", ""),
            (
                "https://gate.example:8443/cec/",
                "https://gate.example:8443/cec/",
                "/cec",
            ),
        ] {
            let url: ExternalUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.path()), (shown, path));
        }
        for text in [
            "",
            "gate.example",
            "/cec",
            "ftp://g",
            "http://u:p@g",
            "http://g?a",
            "http://g#a",
        ] {
            assert!(text.parse::<ExternalUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_telemetry_path_keeps_clear_of_other_pages() {
        for text in [
            "/metrics",
            "/cec/metrics",
            "/metrics/",
            "/probes",
            "/-metrics",
        ] {
            assert_eq!(telemetry_path(text).unwrap(), text);
        }
        for text in [
            "",
            "metrics",
            "/",
            "//",
            "/probe",
            "/probe/",
            "/-",
            "/-/",
            "/-/ready",
            "/-/metrics",
            "/a b",
            "/a?b",
            "/a#b",
            "/价",
        ] {
            assert!(telemetry_path(text).is_err(), "{text:?}");
        }
    }
}
