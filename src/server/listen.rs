//! Addresses to listen on: parsed, and bound; or the sockets that systemd listens on for this program.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::str::{self, FromStr};

use futures_util::{StreamExt, TryStreamExt, stream};
use listenfd::ListenFd;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::config::read_file;

/// Connections that the system queues until they are accepted.
const BACKLOG: i32 = 1024;

/// Where to listen: `host:port`, or `:port` for every address of the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenAddress {
    host: Option<String>,
    port: u16,
}

impl ListenAddress {
    /// The addresses, as `host:port`, at which clients on this machine reach it: to be tried in
    /// turn.
    pub fn for_clients(&self) -> Vec<String> {
        let hosts = match self.host.as_deref() {
            Some(host) if !matches!(host, "0.0.0.0" | "[::]") => vec![host],
            // A server on all addresses is on the loopback too, of each family that exists.
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
        // An IPv6 address has been parsed above, so this is a name.
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

/// The names of ports.
const SERVICES: &str = "/etc/services";
const MAX_SERVICES_BYTES: u64 = 4 << 20;

/// The TCP port of a service. Two are known even without the file, which a container with nothing
/// but this program does not have.
fn named_port(name: &str) -> Option<u16> {
    let list = read_file(Path::new(SERVICES), MAX_SERVICES_BYTES).ok();
    let found = list.and_then(|list| port_in(str::from_utf8(&list).ok()?, name));
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

/// Listens on each address. Must be called within a runtime.
pub async fn bind(addresses: &[ListenAddress]) -> Result<Vec<TcpListener>, String> {
    stream::iter(addresses).then(bind_one).try_collect().await
}

/// Listens on one address. The error says what to do.
pub async fn bind_one(address: &ListenAddress) -> Result<TcpListener, String> {
    let listener = listener(address).await;
    listener.map_err(|reason| format!("cannot listen on {:?}: {reason}", address.to_string()))
}

async fn listener(address: &ListenAddress) -> Result<TcpListener, String> {
    let candidates = match &address.host {
        // One socket for both families; IPv4 alone if the system has no IPv6.
        None => vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port)),
        ],
        Some(_) => {
            let found = tokio::net::lookup_host(address.to_string()).await;
            let mut found: Vec<_> = found
                .map_err(|error| format!("cannot look up the host: {error}"))?
                .collect();
            // `localhost` is both; more clients try only 127.0.0.1 than only ::1.
            found.sort_by_key(SocketAddr::is_ipv6);
            found
        }
    };
    let mut cause = "the host has no address".to_owned();
    for candidate in candidates {
        match listen(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                cause = explain(&error);
                // Another family would serve some of the clients, and leave the others to the
                // process that has the port.
                if matches!(
                    error.kind(),
                    ErrorKind::AddrInUse | ErrorKind::PermissionDenied
                ) {
                    break;
                }
            }
        }
    }
    Err(cause)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.ip() == Ipv6Addr::UNSPECIFIED {
        // Systems differ in the default.
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the old connections to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// All sockets that systemd passes to this process. Must be called within a runtime.
pub fn systemd_listeners() -> Result<Vec<TcpListener>, String> {
    let mut sockets = ListenFd::from_env();
    let count = sockets.len();
    if count == 0 {
        let reason = "systemd passed no socket; start the program by a unit of type .socket";
        return Err(format!("--web.systemd-socket: {reason}"));
    }
    let take = |index| {
        let taken = sockets.take_tcp_listener(index).and_then(|socket| {
            let socket = socket.ok_or_else(|| io::Error::other("passed twice"))?;
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)
        });
        taken.map_err(|error| format!("--web.systemd-socket: socket {index}: {error}"))
    };
    (0..count).map(take).collect()
}

fn explain(error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => "; stop the process that has it, or choose another port",
        ErrorKind::PermissionDenied => {
            "; ports below 1024 are for privileged users: choose another"
        }
        ErrorKind::AddrNotAvailable => "; no interface of this machine has it",
        _ => "",
    };
    format!("{error}{remedy}")
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

    async fn bind_error(address: &str) -> String {
        let error = bind(&[address.parse().unwrap()])
            .await
            .unwrap_err()
            .to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    }

    #[tokio::test]
    async fn a_port_in_use_is_reported_with_the_remedy() {
        let first = bind(&["127.0.0.1:0".parse().unwrap()]).await.unwrap();
        let address = first[0].local_addr().unwrap().to_string();
        let error = bind_error(&address).await;
        assert!(
            error.starts_with(&format!("cannot listen on \"{address}\": ")),
            "{error}"
        );
        assert!(error.contains("in use"), "{error}");
        assert!(error.ends_with("or choose another port"), "{error}");
        // Not silently beside it, on the interfaces or the family that are left.
        let everywhere = format!(":{}", first[0].local_addr().unwrap().port());
        assert!(bind_error(&everywhere).await.contains("in use"));
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_reported() {
        let error = bind_error("192.0.2.1:0").await;
        assert!(
            error.ends_with("no interface of this machine has it"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn all_interfaces_means_both_families() {
        let listeners = bind(&[":0".parse().unwrap()]).await.unwrap();
        let local = listeners[0].local_addr().unwrap();
        let v4 = std::net::TcpStream::connect(("127.0.0.1", local.port()));
        assert!(v4.is_ok());
        if local.is_ipv6() {
            assert!(std::net::TcpStream::connect(("::1", local.port())).is_ok());
        }
    }
}
