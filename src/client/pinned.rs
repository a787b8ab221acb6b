//! Accepts a server certificate that is itself listed in `ca_file`.
//!
//! `openssl req -x509` creates certificates that are marked as a CA and used by a server. rustls
//! rejects a CA certificate as a server certificate. One that the operator lists in `ca_file` is
//! accepted nevertheless if it is byte for byte the same, valid now, and issued for the host name;
//! the handshake still proves possession of its key.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// The standard verifier plus pinned certificates.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(Error::InvalidCertificate(error))
                if is_ca_rejection(&error) && self.contains(end_entity) =>
            {
                // The verifier checks validity before usage, but the host name after it.
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

impl Pinned {
    fn contains(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates
            .iter()
            .any(|known| **known == **certificate)
    }
}

/// Whether a certificate was rejected only because it is a CA's. rustls has no variant for this;
/// the tests fail if the name inside changes.
pub(super) fn is_ca_rejection(error: &CertificateError) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::RootCertStore;

    use super::*;

    /// Like `openssl req -x509 -addext subjectAltName=DNS:vendor.test`, valid 2026 to 2030.
    fn self_signed() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["vendor.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn verify(
        pinned: &CertificateDer<'static>,
        presented: &CertificateDer<'static>,
        host: &'static str,
        year: u64,
    ) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        roots.add(pinned.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = Pinned {
            verifier: verifier.build().unwrap(),
            certificates: vec![pinned.clone()],
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
        let host = ServerName::try_from(host).unwrap();
        verifier
            .verify_server_cert(presented, &[], &host, &[], now)
            .map(|_| ())
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn only_the_pinned_certificate_is_accepted_while_valid_and_for_its_host() {
        let (pinned, other) = (self_signed(), self_signed());
        assert_eq!(verify(&pinned, &pinned, "vendor.test", 2027), Ok(()));
        for (presented, host, year, expected) in [
            (&other, "vendor.test", 2027, "CaUsedAsEndEntity"),
            (&pinned, "other.test", 2027, "NotValidForName"),
            (&pinned, "vendor.test", 2025, "NotValidYet"),
            (&pinned, "vendor.test", 2031, "Expired"),
        ] {
            let error = verify(&pinned, presented, host, year).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
