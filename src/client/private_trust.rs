//! Trusts the certificates in `ca_file` beside the machine's, and accepts a server certificate that is
//! itself in that file.
//!
//! `openssl req -x509` creates certificates that are marked as a CA and used by a server. rustls
//! rejects a CA certificate as a server certificate. One in `ca_file` is accepted nevertheless if it
//! is byte for byte the same, valid now, and issued for the host name; the handshake still proves
//! possession of its key.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

/// Two verifiers rather than one of all anchors, of which each target would need a copy.
#[derive(Debug)]
pub(super) struct PrivateTrust {
    pub(super) machine: Arc<WebPkiServerVerifier>,
    pub(super) file: Arc<WebPkiServerVerifier>,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for PrivateTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        match verify(&self.file) {
            Err(Error::InvalidCertificate(error))
                if is_ca_rejection(&error) && self.certificates.contains(end_entity) =>
            {
                // The verifier checks validity before usage, but the host name after it.
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                verify(&self.machine)
            }
            // Its authority is in the file, and perhaps a newer certificate of it on the machine.
            Err(error) => verify(&self.machine).map_err(|_| error),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.file.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.file.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.file.supported_verify_schemes()
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

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls::RootCertStore;

    use super::*;

    /// Like `openssl req -x509 -addext subjectAltName=DNS:vendor.test`, valid 2026 to 2030.
    fn self_signed() -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let params = valid(IsCa::Ca(BasicConstraints::Unconstrained));
        params.self_signed(&key).unwrap().der().clone()
    }

    fn valid(is_ca: IsCa) -> CertificateParams {
        let mut params = CertificateParams::new(vec!["vendor.test".to_owned()]).unwrap();
        params.is_ca = is_ca;
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params
    }

    fn verifier(root: &CertificateDer<'static>) -> Arc<WebPkiServerVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap()
    }

    fn verify(
        machine: &CertificateDer<'static>,
        file: &CertificateDer<'static>,
        presented: &CertificateDer<'static>,
        host: &'static str,
        year: u64,
    ) -> Result<(), String> {
        let trust = PrivateTrust {
            machine: verifier(machine),
            file: verifier(file),
            certificates: vec![file.clone()],
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
        let host = ServerName::try_from(host).unwrap();
        trust
            .verify_server_cert(presented, &[], &host, &[], now)
            .map(|_| ())
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn only_the_certificate_in_the_file_is_accepted_while_valid_and_for_its_host() {
        let (file, other) = (self_signed(), self_signed());
        let verify = |presented, host, year| verify(&self_signed(), &file, presented, host, year);
        assert_eq!(verify(&file, "vendor.test", 2027), Ok(()));
        for (presented, host, year, expected) in [
            (&other, "vendor.test", 2027, "CaUsedAsEndEntity"),
            (&file, "other.test", 2027, "NotValidForName"),
            (&file, "vendor.test", 2025, "NotValidYet"),
            (&file, "vendor.test", 2031, "Expired"),
        ] {
            let error = verify(presented, host, year).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn authorities_of_the_file_and_of_the_machine_are_trusted() {
        let authority = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = valid(IsCa::Ca(BasicConstraints::Unconstrained));
            params.distinguished_name.push(DnType::CommonName, name);
            let certificate = params.self_signed(&key).unwrap().der().clone();
            let issuer = Issuer::new(params, key);
            let key = KeyPair::generate().unwrap();
            let issued = valid(IsCa::NoCa).signed_by(&key, &issuer).unwrap();
            (certificate, issued.der().clone())
        };
        let [(machine, public), (file, private), (_, unknown)] =
            ["machine", "file", "unknown"].map(authority);
        let verify = |presented, host, year| verify(&machine, &file, presented, host, year);
        assert_eq!(verify(&public, "vendor.test", 2027), Ok(()));
        assert_eq!(verify(&private, "vendor.test", 2027), Ok(()));
        for (presented, host, year, expected) in [
            (&unknown, "vendor.test", 2027, "UnknownIssuer"),
            (&public, "other.test", 2027, "NotValidForName"),
            (&private, "other.test", 2027, "NotValidForName"),
            (&public, "vendor.test", 2031, "Expired"),
            (&private, "vendor.test", 2031, "Expired"),
        ] {
            let error = verify(presented, host, year).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
