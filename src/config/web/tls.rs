//! The section `tls_server_config`.

use rustls::crypto::SupportedKxGroup;
use rustls::{ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion};
use serde::Deserialize;

use super::super::error::ConfigError;
use super::super::section::Section;
use super::super::value::Problem;
use super::super::yaml::{List, Scalar};
use super::client_auth::Policy;
use super::go::{self, TLS12, TLS13, boolean};
use super::source::Source;

/// The keys as they are written. `key` is secret: no `Debug`.
#[derive(PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) cert_file: Scalar,
    pub(super) key_file: Scalar,
    pub(super) cert: Scalar,
    pub(super) key: Scalar,
    pub(super) client_ca_file: Scalar,
    pub(super) client_ca: Scalar,
    client_auth_type: Scalar,
    client_allowed_sans: List,
    min_version: Scalar,
    max_version: Scalar,
    cipher_suites: List,
    curve_preferences: List,
    prefer_server_cipher_suites: Scalar,
}

/// The settings of TLS, checked as far as possible without reading other files.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) cert: Source,
    pub(super) key: Source,
    pub(super) client_ca: Option<Source>,
    pub(super) policy: Policy,
    pub(super) sans: Vec<String>,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    /// Empty for all.
    pub(super) suites: Vec<SupportedCipherSuite>,
    /// Empty for all.
    pub(super) curves: Vec<&'static dyn SupportedKxGroup>,
    pub(super) prefer_own_suites: bool,
}

impl Tls {
    /// Reads the section. `None` if it is empty; any key in it turns TLS on.
    pub(super) fn read(
        keys: &Keys,
        section: &Section<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, ConfigError> {
        if *keys == Keys::default() {
            return Ok(None);
        }
        let source = |name, file, inline| Source::read(section, name, file, inline);
        let required = |name: &str, source: Option<Source>| {
            let expected = format!("{name}_file or {name}");
            source.ok_or_else(|| section.missing(&format!("{name}_file"), &expected))
        };
        let cert = required("cert", source("cert", &keys.cert_file, &keys.cert)?)?;
        let key = required("key", source("key", &keys.key_file, &keys.key)?)?;
        let client_ca = source("client_ca", &keys.client_ca_file, &keys.client_ca)?;
        let mut reader = Reader {
            keys,
            section,
            warnings,
        };
        let policy = reader.policy(client_ca.as_ref())?;
        let versions = reader.versions()?;
        let prefer_own_suites = &keys.prefer_server_cipher_suites;
        let prefer_own_suites =
            section.read("prefer_server_cipher_suites", prefer_own_suites, boolean)?;
        Ok(Some(Self {
            cert,
            key,
            client_ca,
            policy,
            sans: reader.allowed_sans(policy)?,
            suites: reader.suites(&versions)?,
            versions,
            curves: reader.curves()?,
            prefer_own_suites: prefer_own_suites.unwrap_or(true),
        }))
    }
}

/// Reads keys that depend on others, or on what rustls has.
struct Reader<'a> {
    keys: &'a Keys,
    section: &'a Section<'a>,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn warn(&mut self, key: &str, message: &str) {
        let key = self.section.path(key);
        self.warnings.push(format!("{key}: {message}"));
    }

    fn policy(&mut self, client_ca: Option<&Source>) -> Result<Policy, ConfigError> {
        let key = "client_auth_type";
        let written = &self.keys.client_auth_type;
        let policy = self.section.read(key, written, Policy::parse)?;
        let policy = policy.unwrap_or_default();
        match (policy, client_ca, written) {
            (policy, Some(client_ca), _) if !policy.requests => Err(client_ca.problem(
                "expected a client_auth_type that uses it, such as RequireAndVerifyClientCert",
            )),
            (policy, None, Some(written)) if policy.verifies && policy.requires => {
                let message = "expected client_ca_file or client_ca with it: without one, a \
                    certificate of any public authority would be accepted";
                Err(self.section.error(key, written, message))
            }
            (policy, None, _) if policy.verifies => {
                // A client without a certificate is let in anyway, so nothing is protected.
                let message = "treated as RequestClientCert, as there is no client_ca_file or \
                    client_ca to verify certificates with";
                self.warn(key, message);
                Ok(Policy {
                    verifies: false,
                    ..policy
                })
            }
            _ => Ok(policy),
        }
    }

    fn allowed_sans(&self, policy: Policy) -> Result<Vec<String>, ConfigError> {
        let (key, sans) = ("client_allowed_sans", &self.keys.client_allowed_sans);
        if let Some(written) = sans
            && !policy.requires
        {
            let message = "expected client_auth_type RequireAnyClientCert or \
                RequireAndVerifyClientCert with it: a client without a certificate has no names";
            return Err(self.section.error(key, written, message));
        }
        let sans = self.section.non_empty_list(key, sans, |text| match text {
            "" => Err(Problem::new("expected a name")),
            _ => Ok(text.to_owned()),
        })?;
        Ok(sans.unwrap_or_default())
    }

    fn versions(&mut self) -> Result<Vec<&'static SupportedProtocolVersion>, ConfigError> {
        let (min, max) = (&self.keys.min_version, &self.keys.max_version);
        let lowest = self.section.read("min_version", min, go::version)?;
        let highest = self.section.read("max_version", max, go::version)?;
        let (lowest, highest) = (lowest.unwrap_or(TLS12), highest.unwrap_or(TLS13));
        if let Some(written) = max
            && highest < TLS12
        {
            let message =
                "expected TLS12 or TLS13: rustls, the TLS library here, has no older version";
            return Err(self.section.error("max_version", written, message));
        }
        if let Some(written) = min
            && lowest > highest
        {
            let message = "expected a version that is not above max_version";
            return Err(self.section.error("min_version", written, message));
        }
        if lowest < TLS12 {
            let message = "TLS 1.0 and 1.1 are not supported; clients need TLS 1.2";
            self.warn("min_version", message);
        }
        let mut versions = rustls::ALL_VERSIONS.to_vec();
        versions.retain(|known| (lowest..=highest).contains(&known.version.into()));
        Ok(versions)
    }

    fn suites(
        &mut self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Vec<SupportedCipherSuite>, ConfigError> {
        let (key, written) = ("cipher_suites", &self.keys.cipher_suites);
        let known = go::cipher_suites();
        let suites = self.supported(key, written, &known, go::is_cipher_suite_name)?;
        let is_12 = |version: ProtocolVersion| version == ProtocolVersion::TLSv1_2;
        let only_12 = versions.iter().all(|version| is_12(version.version));
        if let Some(written) = written
            && only_12
            && !suites.is_empty()
            && !suites.iter().any(|suite| is_12(suite.version().version))
        {
            let message = "expected a suite of TLS 1.2, which max_version requires";
            return Err(self.section.error(key, written, message));
        }
        Ok(suites)
    }

    fn curves(&mut self) -> Result<Vec<&'static dyn SupportedKxGroup>, ConfigError> {
        let written = &self.keys.curve_preferences;
        self.supported(
            "curve_preferences",
            written,
            &go::curves(),
            go::is_curve_name,
        )
    }

    /// The entries of a list that are `known` to rustls. Others are left out with a warning if they
    /// look like names that Go may know, as long as something is left.
    fn supported<T: Copy>(
        &mut self,
        key: &str,
        written: &List,
        known: &[(String, T)],
        is_name: impl Fn(&str) -> bool,
    ) -> Result<Vec<T>, ConfigError> {
        let known_names = || {
            let names: Vec<&str> = known.iter().map(|(name, _)| &**name).collect();
            names.join(", ")
        };
        let names = self
            .section
            .list(key, written, |text| match is_name(text) {
                true => Ok(text.to_owned()),
                false => Err(Problem::new(format!("expected one of {}", known_names()))),
            })?;
        let (mut found, mut lacking) = (Vec::new(), Vec::new());
        for name in names.unwrap_or_default() {
            match known.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => found.push(*value),
                None => lacking.push(name),
            }
        }
        if lacking.is_empty() {
            return Ok(found);
        }
        let lacking = lacking.join(", ");
        if let Some(written) = written
            && found.is_empty()
        {
            let message = format!(
                "expected at least one of {}; rustls, the TLS library here, lacks {lacking}",
                known_names()
            );
            return Err(self.section.error(key, written, message));
        }
        let message = format!("ignored, as rustls, the TLS library here, lacks it: {lacking}");
        self.warn(key, &message);
        Ok(found)
    }
}
