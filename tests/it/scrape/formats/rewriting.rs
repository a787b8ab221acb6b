//! A proxy that replaces the header `Accept`, because Prometheus 2 cannot be configured to request a
//! format.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Accepts TLS connections and forwards one request of each, with `Accept` replaced, over another TLS
/// connection.
pub(crate) struct RewritingProxy {
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
}

impl RewritingProxy {
    pub(crate) fn start(
        upstream: String,
        accept: &'static str,
        acceptor: TlsAcceptor,
        client: Arc<ClientConfig>,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let connector = TlsConnector::from(client);
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, connector) = (acceptor.clone(), connector.clone());
                let upstream = upstream.clone();
                // An error here fails the scrape, and so the test.
                tokio::spawn(async move {
                    forward(stream, &upstream, accept, &acceptor, &connector).await
                });
            }
        });
        Self {
            address,
            runtime: Some(runtime),
        }
    }
}

impl Drop for RewritingProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn forward(
    stream: TcpStream,
    upstream: &str,
    accept: &str,
    acceptor: &TlsAcceptor,
    connector: &TlsConnector,
) -> std::io::Result<()> {
    let mut downstream = acceptor.accept(stream).await?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(downstream.read_u8().await?);
    }
    let request = String::from_utf8(request).unwrap();
    let kept = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("accept:") && !line.starts_with("connection:")
    };
    let mut lines: Vec<&str> = request.trim_end().split("\r\n").filter(kept).collect();
    let accept = format!("Accept: {accept}");
    // The response then ends with the connection.
    lines.extend([&*accept, "Connection: close", "\r\n"]);
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(upstream).await?;
    let mut upstream = connector.connect(name, stream).await?;
    upstream.write_all(lines.join("\r\n").as_bytes()).await?;
    copy(&mut upstream, &mut downstream).await?;
    downstream.shutdown().await
}
