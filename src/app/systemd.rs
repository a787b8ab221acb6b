//! Sockets that systemd listens on for this program.

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// All sockets that systemd hands over. Must be called within a runtime.
pub(super) fn listeners() -> Result<Vec<TcpListener>, String> {
    let mut sockets = ListenFd::from_env();
    if sockets.len() == 0 {
        return Err(
            "--web.systemd-socket: systemd has handed over no socket; start the program \
            by a unit of type .socket"
                .to_owned(),
        );
    }
    let mut listeners = Vec::with_capacity(sockets.len());
    for index in 0..sockets.len() {
        let problem = |reason: String| format!("--web.systemd-socket: socket {index}: {reason}");
        let socket = sockets
            .take_tcp_listener(index)
            .map_err(|error| problem(error.to_string()))?
            .ok_or_else(|| problem("it is there twice".to_owned()))?;
        let listener = socket
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(socket))
            .map_err(|error| problem(error.to_string()))?;
        listeners.push(listener);
    }
    Ok(listeners)
}
