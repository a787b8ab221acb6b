//! A way to the exporter that asks for something else than the client did: Prometheus 2 cannot be
//! told which format to ask for.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Takes TLS connections, and passes each on over another one: a request with `Accept` replaced,
/// then the answer as it is.
pub(crate) struct Rewriting {
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Rewriting {
    pub(crate) fn start(
        upstream: String,
        accept: &'static str,
        server: ServerConfig,
        client: ClientConfig,
    ) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, connector) = (
            TlsAcceptor::from(Arc::new(server)),
            TlsConnector::from(Arc::new(client)),
        );
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, connector) = (acceptor.clone(), connector.clone());
                let upstream = upstream.clone();
                // A connection that breaks is a scrape that fails, which the test would see.
                tokio::spawn(async move {
                    pass_on(stream, &upstream, accept, &acceptor, &connector).await
                });
            }
        });
        Self {
            address,
            runtime: Some(runtime),
        }
    }
}

impl Drop for Rewriting {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn pass_on(
    stream: TcpStream,
    upstream: &str,
    accept: &str,
    acceptor: &TlsAcceptor,
    connector: &TlsConnector,
) -> std::io::Result<()> {
    let mut near = acceptor.accept(stream).await?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(near.read_u8().await?);
    }
    let request = String::from_utf8(request).unwrap();
    let kept = |line: &&str| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("accept:") && !line.starts_with("connection:")
    };
    let mut lines: Vec<&str> = request.trim_end().split("\r\n").filter(kept).collect();
    let accept = format!("Accept: {accept}");
    // So that the end of the answer is the end of the connection.
    lines.extend([&*accept, "Connection: close", "\r\n"]);
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(upstream).await?;
    let mut far = connector.connect(name, stream).await?;
    far.write_all(lines.join("\r\n").as_bytes()).await?;
    copy(&mut far, &mut near).await?;
    near.shutdown().await
}
