//! The rustls configuration of the server, from the settings and the files that they name.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConfig, SupportedCipherSuite};

use super::super::error::ConfigError;
use super::client_auth::{self, Policy};
use super::source::Source;
use super::tls::Tls;

/// The content of the certificate and key files.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pem {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<pem>")
    }
}

impl Tls {
    /// How much is required of clients: 0 nothing, 1 any certificate, 2 one of the authority; and
    /// whether it must have one of some names.
    pub(super) fn strictness(&self) -> (u8, bool) {
        let Policy {
            requires, verifies, ..
        } = self.policy;
        let required = u8::from(requires) + u8::from(requires && verifies);
        (required, !self.sans.is_empty())
    }

    /// Reads the certificates and the key. Blocks.
    pub(super) fn read_files(&self) -> Result<Pem, ConfigError> {
        Ok(Pem {
            cert: self.cert.pem()?,
            key: self.key.pem()?,
            client_ca: self.client_ca.as_ref().map(Source::pem).transpose()?,
        })
    }

    pub(super) fn server(&self, pem: &Pem, http2: bool) -> Result<ServerConfig, ConfigError> {
        let provider = Arc::new(self.provider());
        let certified = self.certified_key(pem, &provider)?;
        let chain = match (&self.client_ca, &pem.client_ca) {
            (Some(source), Some(pem)) => {
                let chain = client_auth::chain(pem, &provider);
                let expected = "certificates in PEM that can be trusted";
                Some(chain.map_err(|reason| source.error(expected, reason))?)
            }
            _ => None,
        };
        let verifier = client_auth::verifier(self.policy, chain, &self.sans, &provider);
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .map_err(|error| self.cert.problem(&format!("TLS cannot be set up: {error}")))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        let protocols: &[&[u8]] = if http2 {
            &[b"h2", b"http/1.1"]
        } else {
            &[b"http/1.1"]
        };
        server.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        server.ignore_client_order = self.prefer_own_suites;
        if self.policy.requests {
            // Resuming a session would skip the check of the certificate, which may have expired.
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
        }
        Ok(server)
    }

    fn provider(&self) -> CryptoProvider {
        let mut provider = rustls::crypto::ring::default_provider();
        if !self.suites.is_empty() {
            let is_13 =
                |suite: &SupportedCipherSuite| suite.version().version == ProtocolVersion::TLSv1_3;
            // As in Go, the suites of TLS 1.3 are always on.
            provider.cipher_suites.retain(is_13);
            let chosen = self.suites.iter().copied().filter(|suite| !is_13(suite));
            provider.cipher_suites.extend(chosen);
        }
        if !self.curves.is_empty() {
            provider.kx_groups.clone_from(&self.curves);
        }
        provider
    }

    fn certified_key(
        &self,
        pem: &Pem,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, ConfigError> {
        const CERT: &str = "a certificate in PEM, followed by its chain";
        const KEY: &str = "the certificate's private key in PEM, without a password";
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem.cert)
            .collect::<Result<_, _>>()
            .map_err(|_| self.cert.error(CERT, "it holds something else"))?;
        if chain.is_empty() {
            return Err(self.cert.error(CERT, "there is none"));
        }
        let key = PrivateKeyDer::from_pem_slice(&pem.key)
            .map_err(|_| self.key.error(KEY, "there is none"))?;
        let key = provider.key_provider.load_private_key(key).map_err(|_| {
            let kinds = "there is one that cannot be used; RSA from 2048 bits, P-256, P-384 and \
                Ed25519 can";
            self.key.error(KEY, kinds)
        })?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => self
                .key
                .error(KEY, "there is the key of another certificate"),
            error => self.cert.error(CERT, format!("it is broken: {error}")),
        })?;
        Ok(certified)
    }
}
