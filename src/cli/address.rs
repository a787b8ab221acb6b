//! The flags that say where to listen, on which path, and what clients call it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::str::FromStr;

use url::Url;

/// Where to listen: `host:port`, or `:port` for every address of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenAddress {
    host: Option<String>,
    port: u16,
}

impl ListenAddress {
    /// Where clients on this machine reach it, as `host:port`; if not at the first, then at the
    /// next.
    pub fn for_clients(&self) -> Vec<String> {
        let hosts = match self.host.as_deref() {
            Some(host) if !matches!(host, "0.0.0.0" | "[::]") => vec![host],
            // A server on all addresses has those of the loopback, each where its family is there.
            _ => vec!["127.0.0.1", "[::1]"],
        };
        let port = self.port;
        (hosts.iter().map(|host| format!("{host}:{port}"))).collect()
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.host.as_deref().unwrap_or_default(),
            self.port
        )
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected host:port, [IPv6]:port or :port";
        if let Ok(address) = text.parse::<SocketAddr>() {
            let host = text.rsplit_once(':').map(|(host, _)| host.to_owned());
            return Ok(Self {
                host,
                port: address.port(),
            });
        }
        let (host, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
        // What is left is a name: an IPv6 address would have been read above.
        let is_name = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !is_name || port.is_empty() {
            return Err(EXPECTED.to_owned());
        }
        let port = match port.bytes().all(|byte| byte.is_ascii_digit()) {
            true => port
                .parse()
                .map_err(|_| "expected a port from 0 to 65535")?,
            false => named_port(port).ok_or("expected a port from 0 to 65535, or its name")?,
        };
        Ok(Self {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
        })
    }
}

/// The file that gives ports their names; on the machines of most readers it is the same.
const SERVICES: &str = "/etc/services";
const MAX_SERVICES_BYTES: u64 = 4 << 20;

/// The port of a service over TCP. Where the system has no list, as in a container with nothing
/// but this program, these two are known.
fn named_port(name: &str) -> Option<u16> {
    let mut list = String::new();
    let read = File::open(SERVICES)
        .and_then(|file| file.take(MAX_SERVICES_BYTES).read_to_string(&mut list));
    // Half of a list is none.
    let found = read.ok().and_then(|_| port_in(&list, name));
    found.or(match name {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })
}

/// Lines of `name port/protocol alias... # comment`.
fn port_in(list: &str, wanted: &str) -> Option<u16> {
    list.lines().find_map(|line| {
        let (line, _) = line.split_once('#').unwrap_or((line, ""));
        let mut words = line.split_whitespace();
        let (name, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        let is_meant = name == wanted || words.any(|alias| alias == wanted);
        is_meant.then(|| port.parse().ok())?
    })
}

/// What stands in front of every path: empty, or begins with a slash and ends without one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoutePrefix(String);

impl RoutePrefix {
    pub(super) fn as_str(&self) -> &str {
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
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let resolves = |part: &str| part.is_empty() || part == "." || part == "..";
        if !bare.bytes().all(allowed) || bare.split('/').any(resolves) {
            return Err("expected a path of letters, digits and -._~".to_owned());
        }
        Ok(Self(format!("/{bare}")))
    }
}

/// What clients call the exporter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalUrl {
    url: Url,
    path: RoutePrefix,
}

impl ExternalUrl {
    /// Its path, without a slash at the end.
    pub(super) fn path(&self) -> &str {
        self.path.as_str()
    }
}

impl fmt::Display for ExternalUrl {
    /// With a slash at the end, where the status page is.
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

impl fmt::Display for TelemetryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TelemetryPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        if !text.starts_with('/') || !text.bytes().all(allowed) {
            return Err(
                "expected a path that begins with /, of letters, digits and -._~".to_owned(),
            );
        }
        // The server's own pages. A slash at the end would only look like another path.
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
    fn listen_addresses_are_read_and_written() {
        for text in [
            ":10042",
            "0.0.0.0:9",
            "[::1]:9",
            "[::]:0",
            "localhost:9",
            "exporter-1.example:65535",
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn other_listen_addresses_are_refused() {
        for text in [
            "",
            "10042",
            "localhost",
            ":",
            "localhost:",
            "::1:9",
            "[::1]",
            "[::1:9",
            "[x]:9",
            ":65536",
            ":+9",
            ":9 ",
            "ho st:9",
            "http://localhost:9",
            "localhost:no-such-service",
            ":-1",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn ports_have_names() {
        let list = "# list\nhttp\t80/tcp www # web\nhttps 443/tcp\nhttps 443/udp\ntftp 69/udp\n\
            odd\nbad x/tcp\n";
        assert_eq!(port_in(list, "https"), Some(443));
        assert_eq!(port_in(list, "www"), Some(80));
        for name in ["tftp", "web", "odd", "bad", "HTTP", ""] {
            assert_eq!(port_in(list, name), None, "{name}");
        }
        let address: ListenAddress = "localhost:https".parse().unwrap();
        assert_eq!(address.to_string(), "localhost:443");
    }

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
    fn clients_reach_all_addresses_through_the_loopback() {
        for (text, expected) in [
            (":1", &["127.0.0.1:1", "[::1]:1"][..]),
            ("0.0.0.0:1", &["127.0.0.1:1", "[::1]:1"]),
            ("[::]:1", &["127.0.0.1:1", "[::1]:1"]),
            ("10.0.0.1:1", &["10.0.0.1:1"]),
            ("[fe80::1]:1", &["[fe80::1]:1"]),
            ("exporter:1", &["exporter:1"]),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.for_clients(), expected, "{text}");
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
            assert_eq!(text.parse::<TelemetryPath>().unwrap().to_string(), text);
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
