//! The flags that say where to listen and on which path.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

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
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if !is_name || !is_number {
            return Err(EXPECTED.to_owned());
        }
        let port = port
            .parse()
            .map_err(|_| "expected a port from 0 to 65535")?;
        Ok(Self {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
        })
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
            "" | "/probe" | "/-" => true,
            path => path.starts_with("/-/"),
        };
        if taken {
            return Err(
                "expected a path other than /, /probe and /-/, which are in use".to_owned(),
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
            "localhost:http",
            ":-1",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text:?}");
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
