//! Tests the connection to the vendor step by step (DNS, TCP, TLS) to find which step fails.
//! Regular requests do not use this module.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ProtocolVersion};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::BuildError;
use super::api::Api;
use super::connection_error::{self, ConfigKeys, Phase};
use super::failure::Diagnosis;
use super::redact::Secrets;
use super::tls::Trust;
use crate::config::Target;
use crate::upstream::{Error, ErrorKind};

/// Addresses of a host that are tried.
const MAX_ADDRESSES: usize = 8;

pub struct Endpoints {
    /// The token service, or its proxy.
    pub token: Endpoint,
    /// The list of calls, if it has another host, port or scheme.
    pub details: Option<Endpoint>,
}

pub struct Endpoint {
    /// The configuration key of its address.
    pub key: &'static str,
    /// Whether the host is a proxy.
    pub is_to_proxy: bool,
    host: Host<String>,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    secrets: Secrets,
}

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    pub address: SocketAddr,
    /// Addresses that failed before, and why.
    pub failed: Vec<(SocketAddr, String)>,
}

impl Endpoints {
    /// The hosts of a target. Blocks while it reads `ca_file`.
    ///
    /// # Errors
    ///
    /// If `ca_file` cannot be used.
    pub fn new(target: &Target, trust: &Trust) -> Result<Self, BuildError> {
        let tls = Arc::new(trust.tls(target.ca_file.as_deref())?);
        let endpoint = |key, url: &Url, is_to_proxy| Endpoint {
            key,
            is_to_proxy,
            host: url
                .host()
                .map_or_else(|| Host::Domain(String::new()), |h| h.to_owned()),
            port: url.port_or_known_default().unwrap_or_default(),
            tls: (url.scheme() == "https").then(|| Arc::clone(&tls)),
            timeout: target.request_timeout,
            secrets: Secrets::of(target, target.app_secret.expose(), None),
        };
        let peer = |api: Api, url| match api.proxy(target) {
            Some(proxy) => endpoint(proxy.key, proxy.expose(), true),
            None => endpoint(api.endpoint_key(target), url, false),
        };
        let token = peer(Api::Token, &target.token_endpoint);
        let details = peer(Api::Details, &target.endpoint);
        Ok(match token.is_same_host(&details) {
            // Its key is always present in the configuration.
            true => Self {
                token: details,
                details: None,
            },
            false => Self {
                token,
                details: Some(details),
            },
        })
    }
}

impl Endpoint {
    fn is_same_host(&self, other: &Self) -> bool {
        (&self.host, self.port, self.has_tls()) == (&other.host, other.port, other.has_tls())
    }

    /// A name or an IP address, IPv6 in brackets.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Without the brackets of an IPv6 address.
    fn bare_host(&self) -> String {
        self.host().trim_matches(['[', ']']).to_owned()
    }

    /// Whether the host is a name rather than an IP address.
    pub fn has_name(&self) -> bool {
        matches!(self.host, Host::Domain(_))
    }

    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The addresses of the host, at least one, in the order in which to try them.
    ///
    /// # Errors
    ///
    /// If the name cannot be resolved in time.
    pub async fn resolve(&self) -> Result<Vec<IpAddr>, Error> {
        let name = self.bare_host();
        let reason = match timeout(self.timeout, lookup_host((&*name, self.port))).await {
            Ok(Ok(found)) => {
                let mut addresses: Vec<IpAddr> = Vec::new();
                for address in found {
                    if !addresses.contains(&address.ip()) {
                        addresses.push(address.ip());
                    }
                }
                if !addresses.is_empty() {
                    return Ok(addresses);
                }
                "it has no address".to_owned()
            }
            Ok(Err(error)) => self.secrets.redact(&error.to_string()),
            Err(_) => format!("no response within {:?}", self.timeout),
        };
        let mut diagnosis = connection_error::unresolved(&reason, self.key);
        diagnosis.message = format!("{name} cannot be resolved ({reason})");
        Err(error(diagnosis))
    }

    /// Connects to the first of at most eight addresses that accepts the connection. All attempts
    /// together take no longer than the request timeout.
    ///
    /// # Errors
    ///
    /// If no address accepts the connection.
    pub async fn connect(&self, addresses: &[IpAddr]) -> Result<Connection, Error> {
        let deadline = Instant::now() + self.timeout;
        let mut failed: Vec<(SocketAddr, String)> = Vec::new();
        // The diagnosis is about the first address: the others are usually fallbacks.
        let mut first = None;
        let tried = addresses.len().min(MAX_ADDRESSES);
        for (index, ip) in addresses[..tried].iter().enumerate() {
            let address = SocketAddr::new(*ip, self.port);
            let remaining = deadline.saturating_duration_since(Instant::now());
            let limit = remaining / u32::try_from(tried - index).unwrap_or(u32::MAX);
            let (reason, diagnosis) = match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    return Ok(Connection {
                        stream,
                        address,
                        failed,
                    });
                }
                Ok(Err(error)) => (
                    self.secrets.redact(&error.to_string()),
                    self.explain(&error),
                ),
                Err(_) => {
                    let reason = format!("no response within {limit:.1?}");
                    let diagnosis = connection_error::unreachable(&reason, self.key);
                    (reason, diagnosis)
                }
            };
            first.get_or_insert(diagnosis);
            failed.push((address, reason));
        }
        let mut diagnosis =
            first.unwrap_or_else(|| connection_error::unresolved("it has no address", self.key));
        let each = failed
            .iter()
            .map(|(address, reason)| format!("{address}: {reason}"));
        diagnosis.message = each.collect::<Vec<_>>().join("; ");
        Err(error(diagnosis))
    }

    /// Performs the TLS handshake and returns the version, such as `TLS 1.3`.
    ///
    /// # Errors
    ///
    /// If the server does not speak TLS, its certificate is not trusted, or it does not respond in
    /// time.
    pub async fn handshake(&self, connection: Connection) -> Result<&'static str, Error> {
        let Some(config) = &self.tls else {
            return Ok("no TLS");
        };
        let name = ServerName::try_from(self.bare_host()).map_err(|_| {
            let message = "TLS: this host name is invalid in a certificate";
            let cause = "the host in {key} is misspelled";
            error(Diagnosis::about(self.key, message, cause))
        })?;
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, connection.stream);
        match timeout(self.timeout, connecting).await {
            Ok(Ok(stream)) => Ok(match stream.get_ref().1.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            }),
            Ok(Err(cause)) => Err(error(self.explain(&cause))),
            Err(_) => {
                let timeout = self.timeout;
                let message = format!("TLS: no response to the first message within {timeout:?}");
                let cause = "the server does not speak TLS, or something on the way drops packets; \
                             check scheme and port of {key}";
                Err(error(Diagnosis::about(self.key, message, cause)))
            }
        }
    }

    fn explain(&self, error: &io::Error) -> Diagnosis {
        let keys = ConfigKeys {
            peer: self.key,
            certificate: self.key,
        };
        connection_error::explain(error, Phase::Connecting, keys, &self.secrets)
    }
}

/// Who checks a connection needs no kind of failure.
fn error(diagnosis: Diagnosis) -> Error {
    Error::new(ErrorKind::Connect, diagnosis.message, diagnosis.cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint {
            key: "endpoint",
            is_to_proxy: false,
            host: Host::Domain("vendor.invalid".into()),
            port,
            tls: None,
            timeout: Duration::from_secs(20),
            secrets: Secrets::default(),
        }
    }

    const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    #[tokio::test]
    async fn the_first_address_that_accepts_is_used_and_failed_ones_are_reported() {
        let listener = tokio::net::TcpListener::bind((V4, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connection = endpoint(port).connect(&[V6, V4]).await.unwrap();
        assert_eq!(connection.address, SocketAddr::new(V4, port));
        // Nothing listens on it; some machines do not even have IPv6.
        let [(address, reason)] = &connection.failed[..] else {
            panic!("{connection:?}");
        };
        assert_eq!(*address, SocketAddr::new(V6, port));
        assert!(!reason.is_empty());
        drop((listener, connection));

        let error = endpoint(port).connect(&[V4; 2]).await.unwrap_err();
        assert_eq!(error.message.matches("127.0.0.1:").count(), 2, "{error}");
        let cause = error.likely_cause.unwrap();
        assert!(cause.contains("nothing listens there"), "{cause}");
        let many = endpoint(port).connect(&[V4; 20]).await.unwrap_err();
        assert_eq!(many.message.matches("refused").count(), MAX_ADDRESSES);
    }
}
