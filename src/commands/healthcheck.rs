//! `healthcheck`: whether the exporter on this machine answers. A container image has no other
//! program that could check.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::process::Fatal;
use crate::server::ListenAddress;

/// For all addresses together. Less than the usual timeouts of container engines and Kubernetes, so
/// that this program can say what is wrong.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The part of an answer that contains its status.
const STATUS_LENGTH: usize = "HTTP/1.1 200".len();

/// Requests `/-/healthy`, over plain HTTP and without a password.
///
/// A server with TLS answers this 400, one with passwords 401, and one whose web configuration has
/// become unusable 500. All of them are alive, and a restart would fix none of it. So this needs
/// neither certificates nor passwords.
pub async fn run(listen_address: &ListenAddress) -> Result<ExitCode, Fatal> {
    let mut failures = Vec::new();
    let deadline = Instant::now() + TIMEOUT;
    for address in listen_address.for_clients() {
        let status = timeout_at(deadline, request(&address)).await;
        match status.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(status @ 200..=500) => {
                let note = match status {
                    500 => "; it refuses its clients, see its log",
                    _ => "",
                };
                writeln!(stdout(), "healthy: {address} answered {status}{note}")?;
                return Ok(ExitCode::SUCCESS);
            }
            Ok(status) => failures.push(format!("{address} answered {status}")),
            Err(error) => failures.push(format!("{address}: {error}")),
        }
    }
    Err(Fatal(format!("unhealthy: {}", failures.join("; "))))
}

/// The status of the answer.
async fn request(address: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut begin = [0; STATUS_LENGTH];
    stream.read_exact(&mut begin).await?;
    std::str::from_utf8(&begin)
        .ok()
        .filter(|begin| begin.starts_with("HTTP/1."))
        .and_then(|begin| begin.rsplit(' ').next()?.parse().ok())
        .ok_or_else(|| io::Error::other("the answer is not HTTP"))
}
