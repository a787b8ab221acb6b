//! The way to the vendor, step by step: name, connection, TLS. To find out where it breaks off;
//! requests go their own, with the same settings.

use std::fmt;
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

use super::diagnose::{self, ConfigKeys};
use super::failure::Diagnosis;
use super::redact::Secrets;
use super::settings::{BuildError, ClientSettings, ProxySettings};
use super::tls::Trust;
use super::{Api, Error, ErrorKind};

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// The ways to the token service and to the list of calls.
#[derive(Debug)]
pub struct Endpoints {
    /// Where tokens come from, or the proxy where there is one.
    pub token: Endpoint,
    /// Where the list of calls is, if that is another host, port or scheme.
    pub details: Option<Endpoint>,
}

/// The way to one host.
pub struct Endpoint {
    /// The key of the configuration that holds its address.
    pub key: &'static str,
    is_to_proxy: bool,
    host: Host<String>,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    limit: Duration,
    secrets: Secrets,
}

/// A connection, and how it came about.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// The other end.
    pub address: SocketAddr,
    /// Addresses that were tried before, and why each did not do, in a few words.
    pub failed: Vec<(SocketAddr, String)>,
}

impl Endpoints {
    /// The ways that a client with these settings takes. Blocks for as long as reading a `ca_file` takes.
    ///
    /// # Errors
    ///
    /// If `ca_file` cannot be used.
    pub fn new(settings: &ClientSettings, trust: &Trust) -> Result<Self, BuildError> {
        let tls = Arc::new(trust.tls(settings.ca_file.as_deref())?);
        let way = |key, url: &Url, is_to_proxy| Endpoint {
            key,
            is_to_proxy,
            host: url
                .host()
                .map_or_else(|| Host::Domain(String::new()), |h| h.to_owned()),
            port: url.port_or_known_default().unwrap_or_default(),
            tls: (url.scheme() == "https").then(|| Arc::clone(&tls)),
            limit: settings.request_timeout,
            secrets: settings.secrets(&[&settings.app_secret]),
        };
        let to = |api: Api, url, proxy: &Option<ProxySettings>| match proxy {
            Some(proxy) => way(proxy.key, &proxy.url, true),
            None => way(settings.key(api), url, false),
        };
        let token = to(Api::Token, &settings.token_endpoint, &settings.token_proxy);
        let details = to(Api::Details, &settings.endpoint, &settings.proxy);
        Ok(match token.leads_where(&details) {
            // The key that is always there.
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
    /// Whether the way ends at a proxy, through which all the rest goes.
    pub fn is_to_proxy(&self) -> bool {
        self.is_to_proxy
    }

    fn leads_where(&self, other: &Self) -> bool {
        (&self.host, self.port, self.has_tls()) == (&other.host, other.port, other.has_tls())
    }

    /// A name, or an address, IPv6 in brackets.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Whether there is a name to be resolved, and not an address.
    pub fn has_name(&self) -> bool {
        matches!(self.host, Host::Domain(_))
    }

    /// Whether TLS is spoken.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// All addresses of the host, at least one, in the order in which to try them.
    ///
    /// # Errors
    ///
    /// If the name has none, or the resolver gives none in time.
    pub async fn resolve(&self) -> Result<Vec<IpAddr>, Error> {
        let name = match &self.host {
            Host::Ipv4(address) => return Ok(vec![(*address).into()]),
            Host::Ipv6(address) => return Ok(vec![(*address).into()]),
            Host::Domain(name) => name,
        };
        let reason = match timeout(self.limit, lookup_host((name.as_str(), self.port))).await {
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
            Ok(Err(error)) => self.quote(&error.to_string()),
            Err(_) => format!("no answer within {:?}", self.limit),
        };
        let mut told = diagnose::unresolved(&reason, self.key);
        told.what = format!("{name} cannot be resolved ({reason})");
        Err(failure(ErrorKind::Connect, told))
    }

    /// A connection to the first of these addresses that takes one. Of many, only the first eight
    /// are tried; all of it takes no longer than a request may.
    ///
    /// # Errors
    ///
    /// If none does.
    pub async fn connect(&self, addresses: &[IpAddr]) -> Result<Connection, Error> {
        let deadline = Instant::now() + self.limit;
        let mut failed: Vec<(SocketAddr, String)> = Vec::new();
        // Of the first address: the others are mostly there in case that it fails.
        let mut first = None;
        let tried = addresses.len().min(MAX_ADDRESSES);
        for (index, ip) in addresses[..tried].iter().enumerate() {
            let address = SocketAddr::new(*ip, self.port);
            let left = deadline.saturating_duration_since(Instant::now());
            let limit = left / u32::try_from(tried - index).unwrap_or(u32::MAX);
            let (kind, why, told) = match timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    return Ok(Connection {
                        stream,
                        address,
                        failed,
                    });
                }
                Ok(Err(error)) => {
                    let told = self.explain(&error);
                    (ErrorKind::Connect, self.quote(&error.to_string()), told)
                }
                Err(_) => {
                    let why = format!("no answer within {limit:.1?}");
                    let told = diagnose::silent(&why, self.key);
                    (ErrorKind::Timeout, why, told)
                }
            };
            first.get_or_insert((kind, told));
            failed.push((address, why));
        }
        let (kind, mut told) = first.unwrap_or((
            ErrorKind::Connect,
            diagnose::unresolved("it has no address", self.key),
        ));
        let each: Vec<String> = failed
            .iter()
            .map(|(address, why)| format!("{address}: {why}"))
            .collect();
        told.what = each.join("; ");
        Err(failure(kind, told))
    }

    /// The handshake of TLS over a connection; answers with the version, as `TLS 1.3`. To be asked
    /// only of a way that has TLS.
    ///
    /// # Errors
    ///
    /// If the other side does not speak it, shows a certificate that is not trusted, or does not
    /// answer in time.
    pub async fn handshake(&self, connection: Connection) -> Result<&'static str, Error> {
        let Some(config) = &self.tls else {
            return Ok("no TLS");
        };
        let name = match &self.host {
            Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| {
                let what = "TLS: no certificate can be for this host name";
                let cause = format!("the host in {} is misspelled", self.key);
                failure(ErrorKind::Connect, Diagnosis::new(what, cause))
            })?,
        };
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, connection.stream);
        match timeout(self.limit, connecting).await {
            Ok(Ok(stream)) => Ok(match stream.get_ref().1.protocol_version() {
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            }),
            Ok(Err(error)) => Err(failure(ErrorKind::Connect, self.explain(&error))),
            Err(_) => Err(failure(
                ErrorKind::Timeout,
                Diagnosis::new(
                    format!(
                        "TLS: no answer to its first message within {:?}",
                        self.limit
                    ),
                    format!(
                        "what listens there does not speak TLS, or something on the way drops \
                         it; check scheme and port of {}",
                        self.key
                    ),
                ),
            )),
        }
    }

    fn explain(&self, error: &io::Error) -> Diagnosis {
        let blame = ConfigKeys {
            peer: self.key,
            certificate: self.key,
        };
        let not_http = || Diagnosis::new("what answers there does not speak HTTP", "");
        diagnose::explain(error, true, blame, &|text| self.quote(text), not_http)
    }

    fn quote(&self, text: &str) -> String {
        self.secrets.redact(text, None)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("key", &self.key)
            .field("host", &self.host())
            .field("port", &self.port)
            .field("tls", &self.has_tls())
            .finish_non_exhaustive()
    }
}

fn failure(kind: ErrorKind, told: Diagnosis) -> Error {
    Error {
        kind,
        message: told.what,
        likely_cause: told.cause,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(port: u16) -> Endpoint {
        Endpoint {
            key: "endpoint",
            is_to_proxy: false,
            host: Host::Domain("vendor.invalid".into()),
            port,
            tls: None,
            limit: Duration::from_secs(20),
            secrets: Secrets::default(),
        }
    }

    const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    #[tokio::test]
    async fn the_first_address_that_answers_is_taken_and_the_others_are_told() {
        let listener = tokio::net::TcpListener::bind((V4, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connection = way(port).connect(&[V6, V4]).await.unwrap();
        assert_eq!(connection.address, SocketAddr::new(V4, port));
        // Nobody listens there; some machines do not even have the address.
        let [(address, why)] = &connection.failed[..] else {
            panic!("{connection:?}");
        };
        assert_eq!(*address, SocketAddr::new(V6, port));
        assert!(!why.is_empty());
        drop((listener, connection));

        let error = way(port).connect(&[V4; 2]).await.unwrap_err();
        assert_eq!(error.message.matches("127.0.0.1:").count(), 2, "{error}");
        let cause = error.likely_cause.unwrap();
        assert!(cause.contains("nothing listens there"), "{cause}");
        let many = way(port).connect(&[V4; 20]).await.unwrap_err();
        assert_eq!(many.message.matches("refused").count(), MAX_ADDRESSES);
    }
}
