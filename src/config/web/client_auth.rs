//! Verifies the certificates of clients.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::super::value::Problem;
use super::certificate;

/// `client_auth_type`. By default, certificates are not requested.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Policy {
    pub(super) requests: bool,
    /// Whether a client without a certificate is refused.
    pub(super) requires: bool,
    /// Whether a certificate must be issued by the authority.
    pub(super) verifies: bool,
}

impl Policy {
    /// By Go's names.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let [requests, requires, verifies] = match text {
            "" | "NoClientCert" => [false; 3],
            "RequestClientCert" => [true, false, false],
            // The second is the toolkit's former name.
            "RequireAnyClientCert" | "RequireClientCert" => [true, true, false],
            "VerifyClientCertIfGiven" => [true, false, true],
            "RequireAndVerifyClientCert" => [true; 3],
            _ => {
                return Err(Problem::new(
                    "expected NoClientCert, RequestClientCert, RequireAnyClientCert, \
                     VerifyClientCertIfGiven or RequireAndVerifyClientCert",
                ));
            }
        };
        Ok(Self {
            requests,
            requires,
            verifies,
        })
    }
}

/// Checks issuer, validity and purpose of a certificate, with the authorities' own certificates.
pub(super) type Chain = (Arc<dyn ClientCertVerifier>, Vec<CertificateDer<'static>>);

/// The check by the authorities in a PEM text, or why they cannot be used.
pub(super) fn chain(pem: &[u8], provider: &Arc<CryptoProvider>) -> Result<Chain, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| "it holds something else".to_owned())?;
    if certificates.is_empty() {
        return Err("there are none".to_owned());
    }
    let mut store = RootCertStore::empty();
    for (number, certificate) in (1..).zip(&certificates) {
        let added = store.add(certificate.clone());
        added.map_err(|error| format!("number {number} is not one: {error}"))?;
    }
    let (store, provider) = (Arc::new(store), Arc::clone(provider));
    let verifier = WebPkiClientVerifier::builder_with_provider(store, provider).build();
    Ok((verifier.map_err(|error| error.to_string())?, certificates))
}

/// Enforces a policy. If `sans` is not empty, a certificate must have one of these names.
pub(super) fn verifier(
    policy: Policy,
    chain: Option<Chain>,
    sans: &[String],
    provider: &CryptoProvider,
) -> Arc<dyn ClientCertVerifier> {
    if !policy.requests {
        return WebPkiClientVerifier::no_client_auth();
    }
    Arc::new(Verifier {
        chain: chain.filter(|_| policy.verifies),
        required: policy.requires,
        sans: sans.to_vec(),
        algorithms: provider.signature_verification_algorithms,
    })
}

/// Whatever the policy, TLS proves that the client has the key of its certificate.
#[derive(Debug)]
struct Verifier {
    /// `None`: any certificate is accepted.
    chain: Option<Chain>,
    required: bool,
    sans: Vec<String>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        match &self.chain {
            Some((chain, _)) => chain.root_hint_subjects(),
            None => &[],
        }
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some((chain, roots)) = &self.chain {
            let verified = chain.verify_client_cert(end_entity, intermediates, now);
            // webpki refuses a certificate that is marked as an authority's. A self-signed one as
            // `openssl req -x509` makes it is marked so, and Go accepts it from a client if it is
            // itself the authority.
            let is_root = || roots.contains(&end_entity.clone().into_owned());
            if let Err(error) = verified
                && !(is_root() && certificate::is_for_clients_at(end_entity, now.as_secs()))
            {
                return Err(error);
            }
        }
        if !self.sans.is_empty() {
            let names = certificate::alternative_names(end_entity)
                .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
            if !names.iter().any(|name| self.sans.contains(name)) {
                let failure = CertificateError::ApplicationVerificationFailure;
                return Err(Error::InvalidCertificate(failure));
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
