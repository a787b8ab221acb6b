//! Accepts connections from several listeners.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};

/// Pause after the system could not accept a connection. Such failures (too many open files, no
/// memory) persist, and trying in a loop would take a whole core.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Time between two log lines about the same failure, so that the log does not fill the disk.
pub(super) const QUIET: Duration = Duration::from_secs(60);

/// Several listeners that take turns, so that a flood on one does not starve the others.
pub(super) struct Listeners {
    all: Vec<TcpListener>,
    /// The one to poll first.
    next: usize,
}

impl Listeners {
    pub(super) fn new(all: Vec<TcpListener>) -> Self {
        Self { all, next: 0 }
    }

    /// The next connection of any listener. Never completes without listeners.
    pub(super) async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| {
            let count = self.all.len();
            for index in (self.next..count).chain(0..self.next) {
                if let Poll::Ready(accepted) = self.all[index].poll_accept(cx) {
                    self.next = (index + 1) % count;
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Whether a failure concerns one connection, which is already gone, and not the system.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// Whether the process has as many files open as it may.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::MFILE.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_on_one_listener_does_not_starve_another() {
        let mut all = Vec::new();
        for _ in 0..2 {
            all.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let [flooded, other] = [0, 1].map(|index| all[index].local_addr().unwrap());
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(TcpStream::connect(flooded).await.unwrap());
        }
        for _ in 0..3 {
            clients.push(TcpStream::connect(other).await.unwrap());
        }
        let mut listeners = Listeners::new(all);
        let mut accepted = Vec::new();
        for _ in 0..6 {
            let (stream, _) = listeners.accept().await.unwrap();
            accepted.push(stream.local_addr().unwrap());
        }
        let of_other = accepted.iter().filter(|address| **address == other);
        assert_eq!(of_other.count(), 3, "{accepted:?}");
    }

    #[test]
    fn only_the_systems_failures_call_for_a_pause() {
        assert!(is_of_one_connection(&ErrorKind::ConnectionAborted.into()));
        let [of_process, of_system] = [Errno::MFILE, Errno::NFILE].map(io::Error::from);
        assert!(!is_of_one_connection(&of_process) && !is_of_one_connection(&of_system));
        // Those of the system are others' too, and may be free again in a moment.
        assert!(is_out_of_files(&of_process) && !is_out_of_files(&of_system));
    }
}
