//! Addresses at which nobody answers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// An address that nothing listens on: a program can, and until then connections are refused.
pub(crate) fn free_address() -> SocketAddr {
    // The listener is gone by the time that this returns.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A port whose connections are never answered, as behind a firewall that swallows packets: the
/// queue of connections that wait for its server is full.
pub(crate) struct Swallowing {
    pub(crate) port: u16,
    _listener: Socket,
    _waiting: Vec<TcpStream>,
}

impl Swallowing {
    pub(crate) fn start() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            waiting.push(stream);
        }
        Self {
            port: address.port(),
            _listener: listener,
            _waiting: waiting,
        }
    }
}
