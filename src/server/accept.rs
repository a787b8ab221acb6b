//! Connections as they come in, from several listeners.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// How long to leave the system alone after it could not accept. Such failures (too many open
/// files, no memory) are there again at once, and asking in a loop would take a whole core.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// How long to keep silent about further failures: a log that fills the disk is the next one.
pub(super) const QUIET: Duration = Duration::from_secs(60);

/// The next connection of any listener. Without listeners it waits for ever.
pub(super) async fn accept(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    poll_fn(|cx| {
        for listener in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                return Poll::Ready(accepted.map(|(stream, _peer)| stream));
            }
        }
        Poll::Pending
    })
    .await
}

/// Whether a failure is of the one connection, which is gone already, and not of the system.
pub(super) fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_systems_failures_call_for_a_pause() {
        assert!(is_the_clients(&ErrorKind::ConnectionAborted.into()));
        let too_many_open_files = io::Error::from_raw_os_error(24);
        assert!(!is_the_clients(&too_many_open_files));
    }
}
