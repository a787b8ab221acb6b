//! Sockets that systemd listens on for this program.

use std::io;

use listenfd::ListenFd;
use tokio::net::TcpListener;

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
