//! The section `tls_server_config`, and what rustls makes of it.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::super::error::ConfigError;
use super::super::value::Problem;
use super::client_auth::{self, Policy};
use super::go::{self, Named, Version};
use super::reader::Entry;
use super::settings::boolean;
use super::source::Source;

const KEYS: [&str; 13] = [
    "cert_file",
    "key_file",
    "cert",
    "key",
    "client_ca_file",
    "client_ca",
    "client_auth_type",
    "client_allowed_sans",
    "min_version",
    "max_version",
    "cipher_suites",
    "curve_preferences",
    "prefer_server_cipher_suites",
];

/// The settings of TLS, checked as far as that goes without looking into other files.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    cert: Source,
    key: Source,
    client_ca: Option<Source>,
    policy: Policy,
    sans: Vec<String>,
    versions: Vec<&'static SupportedProtocolVersion>,
    /// All there are, if empty.
    suites: Vec<SupportedCipherSuite>,
    /// Likewise.
    curves: Vec<&'static dyn SupportedKxGroup>,
    prefer_own_suites: bool,
}

/// The certificates and the key as they were read.
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

/// Reads the section. `None` if it is empty; with any key in it TLS is meant.
pub(super) fn parse(
    section: &Entry<'_>,
    directory: &Path,
    warnings: &mut Vec<String>,
) -> Result<Option<Tls>, ConfigError> {
    let entries = section.children(&KEYS)?;
    if entries.is_empty() {
        return Ok(None);
    }
    let find = |name: &str| {
        let mut named = entries.iter().filter(|entry| entry.name == name);
        named.find(|entry| !entry.is_empty())
    };
    let required = |name: &str| {
        source(name, &find, directory)?.ok_or_else(|| {
            let message = format!("expected {name}_file or {name}, but the key is missing");
            let path = format!("{}.{name}_file", section.path);
            ConfigError::key(path, message).at(section.node.position)
        })
    };
    let cert = required("cert")?;
    let key = required("key")?;
    let client_ca = source("client_ca", &find, directory)?;

    let policy = match find("client_auth_type") {
        Some(entry) => entry.read(Policy::parse)?,
        None => Policy::NoClientCert,
    };
    if policy == Policy::NoClientCert
        && let Some(client_ca) = &client_ca
    {
        return Err(client_ca.problem(
            "expected a client_auth_type that makes use of it, such as RequireAndVerifyClientCert",
        ));
    }
    let mut policy = policy;
    if let Some(entry) = find("client_auth_type")
        && policy == Policy::VerifyClientCertIfGiven
        && client_ca.is_none()
    {
        // Without a certificate a client comes in anyway, so that there is nothing to protect.
        warnings.push(format!(
            "{}: taken as RequestClientCert, as there is no client_ca_file or client_ca to verify \
             certificates by",
            entry.path
        ));
        policy = Policy::RequestClientCert;
    }
    if let Some(entry) = find("client_auth_type")
        && policy.verifies()
        && client_ca.is_none()
    {
        return Err(entry.error(
            "expected client_ca_file or client_ca with it: without, whoever has a certificate of \
             any public authority would come in",
        ));
    }
    let sans = match find("client_allowed_sans") {
        Some(entry) => allowed_sans(entry, policy)?,
        None => Vec::new(),
    };

    let versions = versions(find("min_version"), find("max_version"), warnings)?;
    let suites = match find("cipher_suites") {
        Some(entry) => suites(entry, &versions, warnings)?,
        None => Vec::new(),
    };
    let curves = match find("curve_preferences") {
        Some(entry) => supported(entry, go::curve, warnings)?,
        None => Vec::new(),
    };
    let prefer_own_suites = match find("prefer_server_cipher_suites") {
        Some(entry) => entry.read(boolean)?,
        None => true,
    };
    Ok(Some(Tls {
        cert,
        key,
        client_ca,
        policy,
        sans,
        versions,
        suites,
        curves,
        prefer_own_suites,
    }))
}

/// What `name` or `name_file` gives.
fn source<'a>(
    name: &str,
    find: &impl Fn(&str) -> Option<&'a Entry<'a>>,
    directory: &Path,
) -> Result<Option<Source>, ConfigError> {
    let file = find(&format!("{name}_file"));
    match (file, find(name)) {
        (Some(_), Some(inline)) => {
            Err(inline.error(format!("expected either {name}_file or {name}, got both")))
        }
        (Some(file), None) => Source::file(file, directory).map(Some),
        (None, Some(inline)) => Source::inline(inline).map(Some),
        (None, None) => Ok(None),
    }
}

fn allowed_sans(entry: &Entry<'_>, policy: Policy) -> Result<Vec<String>, ConfigError> {
    if !policy.requires() {
        return Err(entry.error(
            "expected client_auth_type RequireAnyClientCert or RequireAndVerifyClientCert with \
             it: a client without a certificate has no names",
        ));
    }
    let sans = entry.list(|text| match text {
        "" => Err(Problem::new("expected a name")),
        _ => Ok(text.to_owned()),
    })?;
    match sans.is_empty() {
        true => Err(entry.error("expected at least one name; with none nobody could come in")),
        false => Ok(sans),
    }
}

fn versions(
    min: Option<&Entry<'_>>,
    max: Option<&Entry<'_>>,
    warnings: &mut Vec<String>,
) -> Result<Vec<&'static SupportedProtocolVersion>, ConfigError> {
    let read = |entry: Option<&Entry<'_>>, default| match entry {
        Some(entry) => entry.read(Version::parse),
        None => Ok(default),
    };
    let lowest = read(min, Version::Tls12)?;
    let highest = read(max, Version::Tls13)?;
    if let Some(max) = max.filter(|_| highest < Version::Tls12) {
        return Err(max.error(
            "expected TLS12 or TLS13: Go knows this version, but rustls, which does TLS here, \
             lacks it",
        ));
    }
    if let Some(min) = min {
        if lowest > highest {
            return Err(min.error("expected a version that is not above max_version"));
        }
        if lowest < Version::Tls12 {
            warnings.push(format!(
                "{}: TLS 1.0 and 1.1 are not spoken here; clients need TLS 1.2 at least",
                min.path
            ));
        }
    }
    Ok(lowest.to(highest))
}

fn suites(
    entry: &Entry<'_>,
    versions: &[&'static SupportedProtocolVersion],
    warnings: &mut Vec<String>,
) -> Result<Vec<SupportedCipherSuite>, ConfigError> {
    let suites = supported(entry, go::cipher_suite, warnings)?;
    let is_12 = |suite: &SupportedCipherSuite| suite.version().version == ProtocolVersion::TLSv1_2;
    let only_12 = versions
        .iter()
        .all(|v| v.version == ProtocolVersion::TLSv1_2);
    if only_12 && !suites.is_empty() && !suites.iter().any(is_12) {
        return Err(entry.error("expected a suite of TLS 1.2, which max_version demands"));
    }
    Ok(suites)
}

/// The entries of a list that rustls has. Those that only Go has are left out with a warning, as
/// long as there are others.
fn supported<T>(
    entry: &Entry<'_>,
    parse: impl Fn(&str) -> Result<Named<T>, Problem>,
    warnings: &mut Vec<String>,
) -> Result<Vec<T>, ConfigError> {
    let (mut found, mut lacking) = (Vec::new(), Vec::new());
    for named in entry.list(parse)? {
        match named {
            Named::Supported(value) => found.push(value),
            Named::Lacking(name) => lacking.push(name),
        }
    }
    if lacking.is_empty() {
        return Ok(found);
    }
    let lacking = lacking.join(", ");
    if found.is_empty() {
        return Err(entry.error(format!(
            "expected at least one that rustls has, which does TLS here; it lacks {lacking}"
        )));
    }
    let path = &entry.path;
    warnings.push(format!(
        "{path}: left out, as rustls, which does TLS here, lacks it: {lacking}"
    ));
    Ok(found)
}

impl Tls {
    /// How much is asked of clients: whether one must have a certificate, and of whom.
    pub(super) fn strictness(&self) -> u8 {
        u8::from(self.policy.requires())
            + u8::from(self.policy.verifies() && self.policy.requires())
    }

    /// Reads the certificates and the key. Blocks.
    pub(super) fn read(&self) -> Result<Pem, ConfigError> {
        Ok(Pem {
            cert: self.cert.read()?,
            key: self.key.read()?,
            client_ca: self.client_ca.as_ref().map(Source::read).transpose()?,
        })
    }

    /// What rustls needs to serve with them.
    pub(super) fn server(&self, pem: &Pem, http2: bool) -> Result<ServerConfig, ConfigError> {
        let provider = Arc::new(self.provider());
        let certified = self.certified_key(pem, &provider)?;
        let verifier = match (&self.client_ca, &pem.client_ca) {
            (Some(source), Some(pem)) => {
                let roots = client_auth::roots(pem).map_err(|reason| {
                    source.error("certificates in PEM that can be trusted", reason)
                })?;
                client_auth::verifier(self.policy, Some(roots), &self.sans, &provider)
            }
            _ => client_auth::verifier(self.policy, None, &self.sans, &provider),
        };
        let verifier = verifier.map_err(|reason| self.cert.problem(&reason))?;
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
        if self.policy != Policy::NoClientCert {
            // A resumed session would skip the look at the certificate, which may have expired.
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
            // As in Go, those of TLS 1.3 are not for choosing.
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
            .map_err(|_| self.cert.error(CERT, "there is something else"))?;
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
