//! Listening on the addresses that the operator wrote.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// Listens on each address: `:10042` (all interfaces), `host:10042`, `[::1]:10042`.
///
/// Must be called within a runtime.
pub async fn bind(addresses: &[String]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        let listener = bind_one(address).await.map_err(|cause| BindError {
            address: address.clone(),
            cause,
        });
        listeners.push(listener?);
    }
    Ok(listeners)
}

/// Why an address cannot be listened on. `Display` is one line that names it and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindError {
    /// The address as the operator wrote it.
    pub address: String,
    cause: String,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {:?}: {}", self.address, self.cause)
    }
}

impl std::error::Error for BindError {}

async fn bind_one(address: &str) -> Result<TcpListener, String> {
    let (host, port) = parse(address)?;
    let candidates = match host {
        // One socket for both families; IPv4 alone where the system has no IPv6.
        "" => vec![
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        ],
        host => {
            let found = tokio::net::lookup_host((host, port)).await;
            let mut found: Vec<_> = found
                .map_err(|error| format!("cannot look up the host: {error}"))?
                .collect();
            // `localhost` is both; more clients try 127.0.0.1 alone than ::1 alone.
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
                // Another family would answer some of the clients and leave the rest to whoever
                // has the port.
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

/// Host and port; the host is empty for all interfaces.
fn parse(address: &str) -> Result<(&str, u16), String> {
    const EXPECTED: &str = "expected :PORT, HOST:PORT or [IPV6]:PORT, as in :10042";
    let (host, port) = address.rsplit_once(':').ok_or(EXPECTED)?;
    let port = port
        .parse()
        .map_err(|_| format!("{port:?} is not a port from 0 to 65535; {EXPECTED}"))?;
    let unbracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match unbracketed {
        Some(host) if host.parse::<Ipv6Addr>().is_ok() => Ok((host, port)),
        None if !host.contains([':', '[', ']', '/', ' ']) => Ok((host, port)),
        _ => Err(EXPECTED.to_owned()),
    }
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
    // A restart must not wait for the old connections to time out. Elsewhere than on Unix the
    // option would let two processes share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
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
    fn addresses_are_taken_apart() {
        assert_eq!(parse(":10042"), Ok(("", 10042)));
        assert_eq!(parse("localhost:80"), Ok(("localhost", 80)));
        assert_eq!(parse("[::1]:0"), Ok(("::1", 0)));
        let wrong = [
            "",
            "10042",
            "localhost",
            "::1:80",
            "[::1]",
            "[::1:80",
            "[x]:80",
            ":",
            ":65536",
            ":-1",
            "http://a:80",
            "a b:80",
        ];
        for address in wrong {
            let error = parse(address).unwrap_err();
            assert!(error.contains("expected :PORT"), "{address:?}: {error}");
        }
    }

    async fn bind_error(address: &str) -> String {
        let error = bind(&[address.to_owned()]).await.unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    }

    #[tokio::test]
    async fn a_port_in_use_is_told_with_the_remedy() {
        let first = bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
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
    async fn an_address_of_another_machine_is_told() {
        let error = bind_error("192.0.2.1:0").await;
        assert!(
            error.ends_with("no interface of this machine has it"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn all_interfaces_means_both_families() {
        let listeners = bind(&[":0".to_owned()]).await.unwrap();
        let local = listeners[0].local_addr().unwrap();
        let v4 = std::net::TcpStream::connect(("127.0.0.1", local.port()));
        assert!(v4.is_ok());
        if local.is_ipv6() {
            assert!(std::net::TcpStream::connect(("::1", local.port())).is_ok());
        }
    }
}
