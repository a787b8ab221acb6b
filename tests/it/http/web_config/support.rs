//! A directory with certificates and a web configuration, and clients of each kind.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cec_exporter::config::web::WebFile;
use cec_exporter::server::{Limits, Settings};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::certificates::{Authority, Identity};
use crate::support::server::{Answer, Client, Server, patiently, start};

/// A directory with `web.yml`, and the certificate of the server as `cert.pem` and `key.pem`.
pub(crate) struct Files {
    directory: TempDir,
    pub(crate) authority: Authority,
}

/// The beginning of a file with TLS.
pub(crate) const TLS: &str = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";

/// Further lines: a client needs a certificate by `ca.pem`.
pub(crate) const CLIENT_CA: &str =
    "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";

impl Files {
    pub(crate) fn new(web: &str) -> Self {
        let files = Self {
            directory: tempfile::tempdir().unwrap(),
            authority: Authority::new(),
        };
        files.write("web.yml", web);
        files.write_identity(&files.authority.server());
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        // As those do who renew certificates: at no time is the file half there.
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    pub(crate) fn write_identity(&self, identity: &Identity) {
        self.write("cert.pem", &identity.pem);
        self.write("key.pem", &identity.key.serialize_pem());
    }

    pub(crate) async fn start(&self) -> Server {
        self.start_with(|_| {}).await
    }

    pub(crate) async fn start_with(&self, change: impl FnOnce(&mut Limits)) -> Server {
        let mut settings = self.settings();
        change(&mut settings.limits);
        start(settings).await
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            web_config: Some(WebFile::open(&self.path("web.yml")).unwrap()),
            ..Settings::default()
        }
    }

    /// A request by a client that trusts the authority and has no certificate.
    pub(crate) async fn get(&self, server: &Server, path: &str) -> Result<Answer, String> {
        get(server, &self.authority.client(None), path, "").await
    }
}

/// The header line with the password of a user.
pub(crate) fn authorization(name: &str, password: &str) -> String {
    let pair = BASE64_STANDARD.encode(format!("{name}:{password}"));
    format!("Authorization: Basic {pair}\r\n")
}

/// A TLS connection.
pub(crate) async fn connect(
    server: &Server,
    config: &Arc<ClientConfig>,
) -> Result<Client<TlsStream<TcpStream>>, String> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    patiently(connecting).await.map(Client).map_err(text)
}

/// A request over a TLS connection of its own, with header lines, each ended by CRLF.
pub(crate) async fn get(
    server: &Server,
    config: &Arc<ClientConfig>,
    path: &str,
    headers: &str,
) -> Result<Answer, String> {
    let mut stream = connect(server, config).await?.0;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.map_err(text)?;
    let mut bytes = Vec::new();
    patiently(stream.read_to_end(&mut bytes))
        .await
        .map_err(text)?;
    Answer::parse(&bytes).ok_or_else(|| format!("closed after {} bytes", bytes.len()))
}

fn text(error: impl Debug) -> String {
    format!("{error:?}")
}
