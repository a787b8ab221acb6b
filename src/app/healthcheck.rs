//! `healthcheck`: whether the exporter on this machine answers. A container's image has no other
//! program that could ask.

use std::time::Duration;

use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Stop;
use crate::cli::HealthcheckArgs;

/// For all addresses together. Below what container engines and Kubernetes
/// are usually told to wait, so that it is this program that says what is wrong.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is read of an answer: its status is all that matters.
const BEGIN: usize = "HTTP/1.1 200".len();

/// Asks for `/-/healthy`, in plain HTTP and without a password.
///
/// A server that speaks TLS answers that with 400, one that wants a password with 401, and one
/// whose web configuration has become unusable with 500. Each of them is alive, and a restart would
/// mend none; this needs to know neither certificates nor passwords.
pub(super) async fn run(arguments: &HealthcheckArgs) -> Result<(), Stop> {
    let mut told = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    for address in arguments.listen_address.for_clients() {
        let asked = timeout_at(deadline, ask(&address)).await;
        match asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(status @ 200..=500) => {
                println!("healthy: {address} answered {status}");
                return Ok(());
            }
            Ok(status) => told.push(format!("{address} answered {status}")),
            Err(error) => told.push(format!("{address}: {error}")),
        }
    }
    Err(Stop::Because(format!("unhealthy: {}", told.join("; "))))
}

/// The status of the answer.
async fn ask(address: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut begin = [0; BEGIN];
    stream.read_exact(&mut begin).await?;
    std::str::from_utf8(&begin)
        .ok()
        .filter(|begin| begin.starts_with("HTTP/1."))
        .and_then(|begin| begin.rsplit(' ').next()?.parse().ok())
        .ok_or_else(|| io::Error::other("what answers there does not speak HTTP"))
}
