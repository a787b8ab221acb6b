//! The paths and URLs of the command line, parsed and checked.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The prefix of every path: empty, or begins with a slash and ends without one.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct RoutePrefix(String);

impl RoutePrefix {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoutePrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // As in Prometheus, slashes around it make no difference.
        let bare = text.trim_matches('/');
        if bare.is_empty() {
            return Ok(Self(String::new()));
        }
        let resolves = |part: &str| part.is_empty() || part == "." || part == "..";
        if !is_plain(bare) || bare.split('/').any(resolves) {
            return Err("expected a path of letters, digits and -._~".to_owned());
        }
        Ok(Self(format!("/{bare}")))
    }
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
    path: RoutePrefix,
}

impl ExternalUrl {
    /// Its path, which is the default prefix.
    pub fn path(&self) -> &RoutePrefix {
        &self.path
    }
}

impl fmt::Display for ExternalUrl {
    /// With a slash at the end: the URL of the status page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.url.origin().ascii_serialization();
        write!(f, "{origin}{}/", self.path.as_str())
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
        let path = url.path().parse()?;
        Ok(Self { url, path })
    }
}

/// The path of the metrics.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TelemetryPath(String);

impl Default for TelemetryPath {
    fn default() -> Self {
        Self("/metrics".to_owned())
    }
}

impl TelemetryPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TelemetryPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') || !is_plain(text) {
            return Err(
                "expected a path that begins with /, of letters, digits and -._~".to_owned(),
            );
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
        Ok(Self(text.to_owned()))
    }
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
            assert_eq!(text.parse::<RoutePrefix>().unwrap().as_str(), expected);
        }
        for text in ["a b", "/a//b", "/a/../b", "/.", "/a?b", "/%61", "/价"] {
            assert!(text.parse::<RoutePrefix>().is_err(), "{text:?}");
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
            assert_eq!(
                (url.to_string().as_str(), url.path().as_str()),
                (shown, path)
            );
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
            assert_eq!(text.parse::<TelemetryPath>().unwrap().as_str(), text);
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
            assert!(text.parse::<TelemetryPath>().is_err(), "{text:?}");
        }
    }
}
