//! Words of Go's that the file is written in: versions, cipher suites, curves, durations.

use std::time::Duration;

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{cipher_suite as suite, kx_group};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

use super::super::value::Problem;

/// A version of TLS by Go's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Version {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

impl Version {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "TLS10" => Ok(Self::Tls10),
            "TLS11" => Ok(Self::Tls11),
            "TLS12" => Ok(Self::Tls12),
            "TLS13" => Ok(Self::Tls13),
            _ => Err(Problem::new("expected TLS12 or TLS13")),
        }
    }

    /// The versions that there are, from this one to another.
    pub(super) fn to(self, max: Self) -> Vec<&'static SupportedProtocolVersion> {
        [
            (Self::Tls13, &version::TLS13),
            (Self::Tls12, &version::TLS12),
        ]
        .into_iter()
        .filter(|(version, _)| (self..=max).contains(version))
        .map(|(_, version)| version)
        .collect()
    }
}

const SUITES: [(&str, SupportedCipherSuite); 9] = [
    ("TLS_AES_128_GCM_SHA256", suite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", suite::TLS13_AES_256_GCM_SHA384),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        suite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Those that Go has, or had, and rustls does not: CBC and RSA key exchange are not in it.
const OTHER_SUITES: [&str; 17] = [
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_FALLBACK_SCSV",
];

const CURVES: [(&str, &dyn SupportedKxGroup); 3] = [
    ("CurveP256", kx_group::SECP256R1),
    ("CurveP384", kx_group::SECP384R1),
    ("X25519", kx_group::X25519),
];

/// Those that Go has and rustls, with the cryptography in use here, does not.
const OTHER_CURVES: [&str; 4] = [
    "CurveP521",
    "X25519MLKEM768",
    "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024",
];

/// Something that Go has a name for.
pub(super) enum Named<T> {
    /// It is there.
    Supported(T),
    /// Go has it, and rustls does not.
    Lacking(String),
}

/// A cipher suite by Go's name.
pub(super) fn cipher_suite(text: &str) -> Result<Named<SupportedCipherSuite>, Problem> {
    find(text, "cipher suite", &SUITES, &OTHER_SUITES)
}

/// A curve by Go's name.
pub(super) fn curve(text: &str) -> Result<Named<&'static dyn SupportedKxGroup>, Problem> {
    find(text, "curve", &CURVES, &OTHER_CURVES)
}

fn find<T: Copy>(
    text: &str,
    what: &str,
    known: &[(&str, T)],
    others: &[&str],
) -> Result<Named<T>, Problem> {
    if let Some((_, found)) = known.iter().find(|(name, _)| *name == text) {
        return Ok(Named::Supported(*found));
    }
    if others.contains(&text) {
        return Ok(Named::Lacking(text.to_owned()));
    }
    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    Err(Problem::new(format!(
        "expected a {what} by Go's name, one of {names}"
    )))
}

/// Units in nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// The longest duration that is of use here, in nanoseconds; Go's own limit is not far above.
const MAX_NANOS: f64 = 100.0 * 365.0 * 24.0 * 3600e9;

/// A duration as Go reads it: `1s`, `1m30s`, `1.5h`; or a bare `0`.
pub(super) fn duration(text: &str) -> Result<Duration, Problem> {
    parse_duration(text).ok_or_else(|| Problem::new("expected a duration such as 1s, 100ms or 1m"))
}

fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos = 0.0;
    loop {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number);
        let unit = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanos += number.parse::<f64>().ok()? * unit;
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    // Within the limit the cast is exact to well below a microsecond.
    (nanos <= MAX_NANOS).then(|| Duration::from_nanos(nanos.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("1s", 1_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1m30s", 90_000_000_000),
            ("30s1m", 90_000_000_000),
            ("1h", 3_600_000_000_000),
            ("100ms", 100_000_000),
            ("7us", 7_000),
            ("7µs", 7_000),
            ("7ns", 7),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
        for text in [
            "",
            "1",
            "s",
            ".s",
            "1.2.3s",
            "-1s",
            "1d",
            "1 s",
            "1s ",
            "1e3s",
            "inf",
            "1000000000000h",
            "1s2",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn versions_are_a_range() {
        assert_eq!(
            Version::Tls12.to(Version::Tls13),
            [&version::TLS13, &version::TLS12]
        );
        assert_eq!(Version::Tls10.to(Version::Tls12), [&version::TLS12]);
        assert_eq!(Version::Tls13.to(Version::Tls13), [&version::TLS13]);
        assert!(Version::Tls13.to(Version::Tls12).is_empty());
    }

    #[test]
    fn each_suite_and_curve_has_gos_name() {
        for (name, suite) in SUITES {
            let ours = format!("{:?}", suite.suite());
            assert_eq!(ours.replace("TLS13_", "TLS_"), name);
        }
        for (name, curve) in CURVES {
            let ours = format!("{:?}", curve.name());
            assert_eq!(
                ours.replace("secp", "CurveP").replace("r1", ""),
                name,
                "{ours}"
            );
        }
    }
}
