//! Sockets that systemd listens on for this program.

use std::io;

use listenfd::ListenFd;
use thiserror::Error;
use tokio::net::TcpListener;

#[derive(Debug, Error)]
pub enum SocketError {
    #[error(
        "--web.systemd-socket: systemd passed no socket; start the program by a unit of type \
         .socket"
    )]
    None,
    #[error("--web.systemd-socket: socket {index}: {error}")]
    Unusable { index: usize, error: io::Error },
}

/// All sockets that systemd passes to this process. Must be called within a runtime.
pub fn systemd_listeners() -> Result<Vec<TcpListener>, SocketError> {
    let mut sockets = ListenFd::from_env();
    let count = sockets.len();
    if count == 0 {
        return Err(SocketError::None);
    }
    let take = |index| {
        let taken = sockets.take_tcp_listener(index).and_then(|socket| {
            let socket = socket.ok_or_else(|| io::Error::other("passed twice"))?;
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)
        });
        taken.map_err(|error| SocketError::Unusable { index, error })
    };
    (0..count).map(take).collect()
}
