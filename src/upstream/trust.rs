//! Whom to trust, and how to speak to them.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::settings::BuildError;

/// The certificates that this machine trusts, read once for all targets: they take half a megabyte,
/// and a thousand targets would read them a thousand times.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    tls: ClientConfig,
}

impl Trust {
    /// Reads the machine's certificates; where there are none, those that the program brings.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// Only if the library's own defaults do not fit together, which a test would have shown.
    pub fn of_this_machine() -> Result<Self, BuildError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            // An image with nothing but this program in it has no certificates.
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let roots = Arc::new(roots);
        let tls = config(Arc::clone(&roots))?;
        Ok(Self { roots, tls })
    }

    /// For a client that trusts those in this file as well. Blocks for as long as reading it takes.
    pub(super) fn tls(&self, ca_file: Option<&Path>) -> Result<ClientConfig, BuildError> {
        let Some(path) = ca_file else {
            return Ok(self.tls.clone());
        };
        let mut roots = RootCertStore::clone(&self.roots);
        add_file(&mut roots, path)?;
        config(Arc::new(roots))
    }
}

fn config(roots: Arc<RootCertStore>) -> Result<ClientConfig, BuildError> {
    // The provider is named here: a process-wide default would have to be installed first by
    // everyone who uses this, each test included.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Client(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), BuildError> {
    let refuse =
        |reason: String| BuildError::setting("ca_file", format!("{}: {reason}", path.display()));
    let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let mut found = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| refuse(format!("not PEM: {error}")))?;
        found += 1;
        roots
            .add(certificate)
            .map_err(|error| refuse(format!("certificate {found} cannot be trusted: {error}")))?;
    }
    match found {
        0 => Err(refuse("no certificate in it; PEM is expected".into())),
        _ => Ok(()),
    }
}
