//! Which certificates clients must show.

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

/// Go's policies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Policy {
    /// None is asked for.
    NoClientCert,
    /// One is asked for, and any will do, or none.
    RequestClientCert,
    /// Any will do, but there must be one.
    RequireAnyClientCert,
    /// If there is one it must be by the authority.
    VerifyClientCertIfGiven,
    /// There must be one by the authority.
    RequireAndVerifyClientCert,
}

impl Policy {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "NoClientCert" => Ok(Self::NoClientCert),
            "RequestClientCert" => Ok(Self::RequestClientCert),
            // The second is the toolkit's old name.
            "RequireAnyClientCert" | "RequireClientCert" => Ok(Self::RequireAnyClientCert),
            "VerifyClientCertIfGiven" => Ok(Self::VerifyClientCertIfGiven),
            "RequireAndVerifyClientCert" => Ok(Self::RequireAndVerifyClientCert),
            _ => Err(Problem::new(
                "expected NoClientCert, RequestClientCert, RequireAnyClientCert, \
                 VerifyClientCertIfGiven or RequireAndVerifyClientCert",
            )),
        }
    }

    /// Whether a client without a certificate is refused.
    pub(super) fn requires(self) -> bool {
        matches!(
            self,
            Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert
        )
    }

    /// Whether a certificate must be by the authority.
    pub(super) fn verifies(self) -> bool {
        matches!(
            self,
            Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert
        )
    }
}

/// The authorities of an operator.
pub(super) struct Roots {
    store: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

/// The authorities in a PEM text, or why they cannot be used.
pub(super) fn roots(pem: &[u8]) -> Result<Roots, String> {
    let mut store = RootCertStore::empty();
    let mut certificates = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let number = index + 1;
        let certificate = certificate.map_err(|_| "there is something else".to_owned())?;
        certificates.push(certificate.clone());
        store
            .add(certificate)
            .map_err(|error| format!("number {number} is none: {error}"))?;
    }
    match certificates.is_empty() {
        true => Err("there are none".to_owned()),
        false => Ok(Roots {
            store,
            certificates,
        }),
    }
}

/// What carries out a policy. With `sans` a certificate must have one of these names.
pub(super) fn verifier(
    policy: Policy,
    roots: Option<Roots>,
    sans: &[String],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    if policy == Policy::NoClientCert {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let chain = match roots.filter(|_| policy.verifies()) {
        Some(roots) => {
            let provider = Arc::clone(provider);
            let store = roots.store.into();
            let verifier = WebPkiClientVerifier::builder_with_provider(store, provider);
            let verifier = verifier.build().map_err(|error| error.to_string())?;
            Some((verifier, roots.certificates))
        }
        None => None,
    };
    Ok(Arc::new(Verifier {
        chain,
        required: policy.requires(),
        sans: sans.to_vec(),
        algorithms: provider.signature_verification_algorithms,
    }))
}

/// That the client has the certificate's key is proven in any case.
#[derive(Debug)]
struct Verifier {
    /// Checks who signed it, when it ends and what it is for; `None` if any will do.
    chain: Option<(Arc<dyn ClientCertVerifier>, Vec<CertificateDer<'static>>)>,
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
            // webpki takes no certificate of an authority for a client's. But one that signed
            // itself, as `openssl req -x509` makes them, is both, and Go lets it in where it is
            // the authority.
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
