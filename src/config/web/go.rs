//! Values in Go's notation: TLS versions, cipher suites, curves, durations.

use std::time::Duration;

use rustls::SupportedCipherSuite;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{ALL_CIPHER_SUITES, kx_group};

use super::super::value::Problem;

/// TLS versions as numbers of the protocol, which can be compared.
pub(super) const TLS12: u16 = 0x0303;
pub(super) const TLS13: u16 = 0x0304;

/// A TLS version by Go's name.
pub(super) fn version(text: &str) -> Result<u16, Problem> {
    match text {
        "TLS10" => Ok(0x0301),
        "TLS11" => Ok(0x0302),
        "TLS12" => Ok(TLS12),
        "TLS13" => Ok(TLS13),
        _ => Err(Problem::new("expected TLS12 or TLS13")),
    }
}

/// The cipher suites of this rustls by Go's names, which are IANA's.
pub(super) fn cipher_suites() -> Vec<(String, SupportedCipherSuite)> {
    let named = |suite: &SupportedCipherSuite| {
        let name = suite.suite().as_str()?;
        Some((name.replace("TLS13_", "TLS_"), *suite))
    };
    ALL_CIPHER_SUITES.iter().filter_map(named).collect()
}

/// Whether a text may name a cipher suite, perhaps one that only Go has.
pub(super) fn is_cipher_suite_name(text: &str) -> bool {
    let is_name_char =
        |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.starts_with("TLS_") && text.bytes().all(is_name_char)
}

/// The curves of this rustls by Go's names.
pub(super) fn curves() -> Vec<(String, &'static dyn SupportedKxGroup)> {
    [
        ("CurveP256", kx_group::SECP256R1),
        ("CurveP384", kx_group::SECP384R1),
        ("X25519", kx_group::X25519),
    ]
    .map(|(name, curve)| (name.to_owned(), curve))
    .to_vec()
}

/// Whether a text may name a curve, perhaps one that only Go has.
pub(super) fn is_curve_name(text: &str) -> bool {
    let starts = ["CurveP", "X25519", "SecP"];
    starts.iter().any(|start| text.starts_with(start))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A boolean of YAML 1.1, which the toolkit reads.
pub(super) fn boolean(text: &str) -> Result<bool, Problem> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => Err(Problem::new("expected true or false")),
    }
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

/// The longest useful duration, in nanoseconds. Go's own limit is 292 years.
const MAX_NANOS: f64 = 100.0 * 365.0 * 24.0 * 3600e9;

/// A duration in Go's notation: `1s`, `1m30s`, `1.5h`; or a bare `0`.
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
    // Within the limit, the cast is off by less than a microsecond.
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
    fn suites_and_curves_have_gos_names() {
        let suites = cipher_suites();
        assert_eq!(suites.len(), 9, "{suites:?}");
        for name in [
            "TLS_AES_128_GCM_SHA256",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ] {
            assert!(suites.iter().any(|(known, _)| known == name), "{name}");
        }
        for (name, curve) in curves() {
            let ours = format!("{:?}", curve.name());
            assert_eq!(ours.replace("secp", "CurveP").replace("r1", ""), name);
        }
    }

    #[test]
    fn a_name_that_rustls_lacks_must_at_least_look_like_one() {
        let known = cipher_suites().into_iter().map(|(name, _)| name);
        for name in known.chain(["TLS_RSA_WITH_AES_128_CBC_SHA".to_owned()]) {
            assert!(is_cipher_suite_name(&name), "{name}");
        }
        let known = curves().into_iter().map(|(name, _)| name);
        for name in
            known.chain(["CurveP521", "X25519MLKEM768", "SecP256r1MLKEM768"].map(Into::into))
        {
            assert!(is_curve_name(&name), "{name}");
        }
        for text in [
            "",
            "AES128-SHA",
            "tls_aes",
            "TLS_AES GCM",
            "CurveP256\n",
            "P256",
        ] {
            assert!(!is_cipher_suite_name(text), "{text}");
            assert!(!is_curve_name(text), "{text}");
        }
    }
}
