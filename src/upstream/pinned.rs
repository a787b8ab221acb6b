//! A server's own certificate as a trust anchor.
//!
//! `openssl req -x509` makes certificates that are marked as an authority's and used as a
//! server's. The library takes no authority's certificate for a server's, and for strangers that
//! is right. One that the operator names in `ca_file` is trusted all the same, for itself: the
//! very same bytes, which prove its key in the handshake, within its time, for its host name.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// The library's verifier, and what is trusted beyond it.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    /// The certificates of `ca_file`.
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
            Err(error) if is_of_an_authority(&error) && self.has(end_entity) => {
                // Its time has been looked at before what it is for; its name has not.
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
    fn has(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates
            .iter()
            .any(|known| **known == **certificate)
    }
}

/// Whether a certificate is refused for being an authority's, and for nothing else so far. The
/// library has no variant for it; tests would tell if its name changed.
fn is_of_an_authority(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(other))
        if format!("{other:?}").contains("CaUsedAsEndEntity"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::RootCertStore;

    use super::*;

    /// As `openssl req -x509 -addext subjectAltName=DNS:vendor.test` makes it, valid 2026 to 2030.
    fn self_signed() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["vendor.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn verify(
        named: &CertificateDer<'static>,
        shown: &CertificateDer<'static>,
        host: &'static str,
        year: u64,
    ) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        roots.add(named.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let pinned = Pinned {
            verifier: verifier.build().unwrap(),
            certificates: vec![named.clone()],
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
        let host = ServerName::try_from(host).unwrap();
        pinned
            .verify_server_cert(shown, &[], &host, &[], now)
            .map(|_| ())
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn only_the_very_certificate_is_trusted_for_its_name_and_time() {
        let (named, other) = (self_signed(), self_signed());
        assert_eq!(verify(&named, &named, "vendor.test", 2027), Ok(()));
        for (shown, host, year, expected) in [
            (&other, "vendor.test", 2027, "CaUsedAsEndEntity"),
            (&named, "other.test", 2027, "NotValidForName"),
            (&named, "vendor.test", 2025, "NotValidYet"),
            (&named, "vendor.test", 2031, "Expired"),
        ] {
            let error = verify(&named, shown, host, year).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
