//! Trust anchors and the TLS configuration.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::BuildError;
use super::private_trust::PrivateTrust;
use crate::config::read_file;

/// The machine's trust anchors, read once for all targets: they take half a megabyte.
#[derive(Clone, Debug)]
pub struct Trust {
    machine: Arc<WebPkiServerVerifier>,
    tls: ClientConfig,
}

impl Trust {
    /// Reads the machine's certificates; if it has none, uses those built into the program, unless
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` is set. Blocks.
    pub fn of_this_machine() -> Result<Self, BuildError> {
        let overrides = overrides()?;
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() && !overrides.is_empty() {
            let reason = format!("{overrides}contains no usable certificate");
            return Err(BuildError::setting("trust anchors", reason));
        }
        if roots.is_empty() {
            // A container image with only this program has no certificates.
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let machine = verifier(roots)?;
        let mut tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| BuildError::Client(error.to_string()))?
            .with_webpki_verifier(Arc::clone(&machine))
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { machine, tls })
    }

    /// Also trusts the certificates in `ca_file`. Blocks while it reads the file.
    pub(super) fn tls(&self, ca_file: Option<&Path>) -> Result<ClientConfig, BuildError> {
        let Some(path) = ca_file else {
            return Ok(self.tls.clone());
        };
        let mut roots = RootCertStore::empty();
        let certificates = add_file(&mut roots, path)?;
        let mut tls = self.tls.clone();
        tls.dangerous()
            .set_certificate_verifier(Arc::new(PrivateTrust {
                machine: Arc::clone(&self.machine),
                file: verifier(roots)?,
                certificates,
            }));
        Ok(tls)
    }
}

fn verifier(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, BuildError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| BuildError::Client(error.to_string()))
}

/// Not the process-wide default, which every program and test would have to install first.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// All public authorities fit into this.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The variables that override the machine's certificates and that [`rustls_native_certs`] reads,
/// as `NAME=path `. An unreadable override is an error, since falling back to other trust anchors
/// would surprise the operator.
fn overrides() -> Result<String, BuildError> {
    let is_file: fn(&Metadata) -> bool = |data| data.is_file() && data.len() <= MAX_FILE_BYTES;
    let mut overrides = String::new();
    for (name, is_expected, expected) in [
        ("SSL_CERT_FILE", is_file, "a regular file of at most 4 MiB"),
        ("SSL_CERT_DIR", Metadata::is_dir, "a directory"),
    ] {
        let Some(value) = std::env::var_os(name) else {
            continue;
        };
        // As in OpenSSL, directories are a list.
        let paths = match name {
            "SSL_CERT_DIR" => std::env::split_paths(&value)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
            _ => vec![PathBuf::from(&value)],
        };
        for path in paths {
            let reason = match std::fs::metadata(&path) {
                Ok(data) if is_expected(&data) => continue,
                Ok(_) => format!("expected {expected}"),
                Err(error) => error.to_string(),
            };
            let reason = format!("{}: {reason}", path.display());
            return Err(BuildError::setting(name, reason));
        }
        overrides += &format!("{name}={} ", Path::new(&value).display());
    }
    Ok(overrides)
}

/// Adds the certificates of a file and returns them.
fn add_file(
    roots: &mut RootCertStore,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let refuse =
        |reason: String| BuildError::setting("ca_file", format!("{}: {reason}", path.display()));
    let bytes = read_file(path, MAX_FILE_BYTES).map_err(|error| refuse(error.to_string()))?;
    let certificates = certificates(&bytes).map_err(&refuse)?;
    for (index, certificate) in certificates.iter().enumerate() {
        let number = index + 1;
        roots
            .add(certificate.clone())
            .map_err(|error| refuse(format!("certificate {number} cannot be trusted: {error}")))?;
    }
    match certificates.is_empty() {
        true => Err(refuse("no certificate in it; expected PEM".into())),
        false => Ok(certificates),
    }
}

/// First byte of a certificate in DER; PEM cannot begin with it.
const SEQUENCE: u8 = 0x30;

/// Parses PEM, or a single certificate in DER.
fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let contains = |mark: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
    if bytes.first() == Some(&SEQUENCE) && !contains(b"-----BEGIN") {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("not PEM: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_read_from_pem_and_der() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let (der, pem) = (certificate.der().to_vec(), certificate.pem());
        for (bytes, count) in [
            (pem.clone().into_bytes(), 1),
            (format!("a comment\r\n{pem}{pem}").into_bytes(), 2),
            (der.clone(), 1),
            (b"".to_vec(), 0),
            (b"0 is no certificate".to_vec(), 1),
        ] {
            let found = certificates(&bytes).unwrap();
            assert_eq!(found.len(), count, "{bytes:?}");
        }
        assert_eq!(certificates(&der).unwrap()[0].to_vec(), der);
        let trust = Trust::of_this_machine().unwrap();
        let marked = file_with(&format!("\u{feff}{pem}"));
        assert!(trust.tls(Some(marked.path())).is_ok());
        let text = file_with("0 is no certificate");
        let error = trust.tls(Some(text.path())).unwrap_err().to_string();
        assert!(error.contains("certificate 1 cannot be trusted"), "{error}");
    }

    fn file_with(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }
}
