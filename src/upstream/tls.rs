//! Whom to trust, and how to speak to them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::pinned::Pinned;
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
    /// If `SSL_CERT_FILE` or `SSL_CERT_DIR` is set and leads to no certificates.
    pub fn of_this_machine() -> Result<Self, BuildError> {
        let is_chosen = check_variables()?;
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() && is_chosen {
            let places = [FILE, DIRECTORY].map(|name| {
                let path = std::env::var_os(name).map(PathBuf::from);
                path.map_or(String::new(), |path| format!("{name}={} ", path.display()))
            });
            let reason = format!("{}has no certificate that can be trusted", places.concat());
            return Err(BuildError::setting("trust anchors", reason));
        }
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
        let certificates = add_file(&mut roots, path)?;
        let roots = Arc::new(roots);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .build()
            .map_err(|error| BuildError::Client(error.to_string()))?;
        let mut tls = self.tls.clone();
        tls.dangerous().set_certificate_verifier(Arc::new(Pinned {
            verifier,
            certificates,
        }));
        Ok(tls)
    }
}

/// The provider is named here: a process-wide default would have to be installed first by
/// everyone who uses this, each test included.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn config(roots: Arc<RootCertStore>) -> Result<ClientConfig, BuildError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Client(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Largest file of certificates in bytes; all public authorities fit in it.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Reads a file, if it is no larger than that. The length that the file system tells is no bound
/// for pipes and devices.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    match bytes.len() as u64 > MAX_FILE_BYTES {
        true => Err(format!("is larger than {} KiB", MAX_FILE_BYTES >> 10)),
        false => Ok(bytes),
    }
}

/// Whether the files that the environment names in place of the machine's certificates can be
/// read. Without them, trusting others would be a surprise.
fn check_variables() -> Result<bool, BuildError> {
    let mut is_any_set = false;
    for (name, expected) in [(FILE, "a regular file"), (DIRECTORY, "a directory")] {
        let Some(path) = std::env::var_os(name).map(PathBuf::from) else {
            continue;
        };
        is_any_set = true;
        let refuse =
            |reason: String| BuildError::setting(name, format!("{}: {reason}", path.display()));
        let metadata = std::fs::metadata(&path).map_err(|error| refuse(error.to_string()))?;
        let is_as_expected = match name {
            FILE => metadata.is_file() && metadata.len() <= MAX_FILE_BYTES,
            _ => metadata.is_dir(),
        };
        if !is_as_expected {
            let most = MAX_FILE_BYTES >> 20;
            return Err(refuse(format!(
                "expected {expected}, of at most {most} MiB"
            )));
        }
    }
    Ok(is_any_set)
}

/// The variables that [`rustls_native_certs`] reads.
const FILE: &str = "SSL_CERT_FILE";
const DIRECTORY: &str = "SSL_CERT_DIR";

/// Adds the certificates of a file, in PEM or a single one in DER, and gives them.
fn add_file(
    roots: &mut RootCertStore,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let refuse =
        |reason: String| BuildError::setting("ca_file", format!("{}: {reason}", path.display()));
    let bytes = read(path).map_err(&refuse)?;
    let certificates = certificates(&bytes).map_err(&refuse)?;
    for (index, certificate) in certificates.iter().enumerate() {
        let number = index + 1;
        roots
            .add(certificate.clone())
            .map_err(|error| refuse(format!("certificate {number} cannot be trusted: {error}")))?;
    }
    match certificates.is_empty() {
        true => Err(refuse("no certificate in it; PEM is expected".into())),
        false => Ok(certificates),
    }
}

/// What editors on Windows put in front of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The first byte of a certificate in DER, which no text begins with that is PEM.
const SEQUENCE: u8 = 0x30;

fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let begins = |mark: &[u8]| text.windows(mark.len()).any(|window| window == mark);
    if text.first() == Some(&SEQUENCE) && !begins(b"-----BEGIN") {
        return Ok(vec![CertificateDer::from(text.to_vec())]);
    }
    CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("not PEM: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_read_as_it_comes() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let (der, pem) = (made.der().to_vec(), made.pem());
        for (bytes, count) in [
            (pem.clone().into_bytes(), 1),
            (format!("\u{feff}{pem}").into_bytes(), 1),
            (format!("a comment\r\n{pem}{pem}").into_bytes(), 2),
            (der.clone(), 1),
            (b"".to_vec(), 0),
            (b"0 is no certificate".to_vec(), 1),
        ] {
            let found = certificates(&bytes).unwrap();
            assert_eq!(found.len(), count, "{bytes:?}");
        }
        assert_eq!(certificates(&der).unwrap()[0].to_vec(), der);
        let text = file_with("0 is no certificate");
        let trust = Trust::of_this_machine().unwrap();
        let error = trust.tls(Some(text.path())).unwrap_err().to_string();
        assert!(error.contains("certificate 1 cannot be trusted"), "{error}");
    }

    fn file_with(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }
}
