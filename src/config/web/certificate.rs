//! What rustls does not tell of a certificate: its names as they are, and when it ends.
//!
//! As little of DER is read here as that needs. What cannot be read has no names and is out of
//! date, and nobody comes in by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
/// The extensions of a certificate.
const EXTENSIONS: u8 = 0xa3;
/// Times before and after 2050.
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// subjectAltName, 2.5.29.17.
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// extendedKeyUsage, 2.5.29.37.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// clientAuth, 1.3.6.1.5.5.7.3.2.
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
/// anyExtendedKeyUsage, 2.5.29.37.0.
const ANY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0];

const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// The DNS names, e-mail addresses, URIs and IP addresses that a certificate is for; `None` if it
/// is broken.
pub(super) fn alternative_names(der: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let Some(value) = extension(der, ALTERNATIVE_NAME)? else {
        return Some(names);
    };
    let mut list = Reader(value).expect(SEQUENCE).map(Reader)?;
    while let Some((tag, name)) = list.next()? {
        match tag {
            EMAIL | DNS | URI => names.push(String::from_utf8(name.to_vec()).ok()?),
            IP => names.push(ip(name)?.to_string()),
            _ => {}
        }
    }
    Some(names)
}

/// Whether a certificate is for clients, and `now`, in Unix seconds, is within its time.
pub(super) fn is_for_clients_at(der: &[u8], now: u64) -> bool {
    let for_clients = || {
        let Some(value) = extension(der, KEY_USAGE)? else {
            return Some(true);
        };
        let mut list = Reader(value).expect(SEQUENCE).map(Reader)?;
        let mut found = false;
        while let Some((_, usage)) = list.next()? {
            found |= [CLIENT_AUTH, ANY_USAGE].contains(&usage);
        }
        Some(found)
    };
    let in_time = || {
        let now = i64::try_from(now).ok()?;
        let (from, to) = validity(der)?;
        Some((from..=to).contains(&now))
    };
    for_clients() == Some(true) && in_time() == Some(true)
}

/// The signed part of a certificate.
fn signed(der: &[u8]) -> Option<Reader<'_>> {
    let certificate = Reader(der).expect(SEQUENCE)?;
    Reader(certificate).expect(SEQUENCE).map(Reader)
}

/// The value of an extension: `Some(None)` if there is none, `None` if something is broken.
#[allow(clippy::option_option)]
fn extension<'a>(der: &'a [u8], id: &[u8]) -> Option<Option<&'a [u8]>> {
    let mut signed = signed(der)?;
    while let Some((tag, content)) = signed.next()? {
        if tag != EXTENSIONS {
            continue;
        }
        let mut extensions = Reader(content).expect(SEQUENCE).map(Reader)?;
        while let Some((_, extension)) = extensions.next()? {
            let mut extension = Reader(extension);
            if extension.expect(OBJECT_IDENTIFIER)? != id {
                continue;
            }
            let mut value = extension.next()??;
            if value.0 == BOOLEAN {
                value = extension.next()??;
            }
            return (value.0 == OCTET_STRING).then_some(Some(value.1));
        }
    }
    Some(None)
}

/// The first and the last second of a certificate.
fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let mut signed = signed(der)?;
    // The other elements in front of it are no sequences of two times.
    while let Some((_, content)) = signed.next()? {
        let mut times = Reader(content);
        if let Some(Some(from)) = times.next()
            && let Some(from) = time(from)
        {
            return Some((from, time(times.next()??)?));
        }
    }
    None
}

/// `YYMMDDHHMMSSZ`, or with four digits of the year, in Unix seconds.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let (year, rest) = match tag {
        UTC_TIME => text.split_at_checked(2)?,
        GENERALIZED_TIME => text.split_at_checked(4)?,
        _ => return None,
    };
    let number = |digits: &[u8]| {
        let digit = |sum: i64, byte: &u8| {
            byte.is_ascii_digit()
                .then(|| sum * 10 + i64::from(byte - b'0'))
        };
        digits.iter().try_fold(0, digit)
    };
    let year = match (tag, number(year)?) {
        (UTC_TIME, year @ 50..) => 1900 + year,
        (UTC_TIME, year) => 2000 + year,
        (_, year) => year,
    };
    let (digits, b"Z") = rest.split_at_checked(10)? else {
        return None;
    };
    let mut parts = digits.chunks(2).map(number);
    let mut part = || parts.next()?;
    let (month, day, hour, minute, second) = (part()?, part()?, part()?, part()?, part()?);
    if !(1..=12).contains(&month) {
        return None;
    }
    // Days since 1970, with years that begin in March, so that a leap day is the last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(v6).to_canonical())
}

/// Elements of DER, one after the other.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next element's tag and content: `Some(None)` at the end, `None` if it is broken.
    #[allow(clippy::option_option)]
    fn next(&mut self) -> Option<Option<(u8, &'a [u8])>> {
        let Some((tag, rest)) = self.0.split_first() else {
            return Some(None);
        };
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            // Two bytes of length are 64 KiB: more than a handshake may hold.
            0x81 | 0x82 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Some((*tag, content)))
    }

    /// The content of the next element, which has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()??;
        (found == tag).then_some(content)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(sans: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = sans;
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn sans() -> Vec<SanType> {
        vec![
            SanType::DnsName("prometheus.example".try_into().unwrap()),
            SanType::Rfc822Name("ops@example.com".try_into().unwrap()),
            SanType::URI("spiffe://example.com/prometheus".try_into().unwrap()),
            SanType::IpAddress("192.0.2.7".parse().unwrap()),
            SanType::IpAddress("2001:db8::7".parse().unwrap()),
        ]
    }

    #[test]
    fn all_kinds_of_names_are_found() {
        assert_eq!(
            alternative_names(&certificate(sans())).unwrap(),
            [
                "prometheus.example",
                "ops@example.com",
                "spiffe://example.com/prometheus",
                "192.0.2.7",
                "2001:db8::7",
            ]
        );
        assert_eq!(alternative_names(&certificate(Vec::new())), Some(vec![]));
    }

    fn unix(tag: u8, text: &str) -> Option<i64> {
        time((tag, text.as_bytes()))
    }

    #[test]
    fn times_are_unix_seconds() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", 0),
            (UTC_TIME, "260301020304Z", 1_772_330_584),
            (UTC_TIME, "240229235959Z", 1_709_251_199),
            (UTC_TIME, "491231235959Z", 2_524_607_999),
            (UTC_TIME, "500101000000Z", -631_152_000),
            (GENERALIZED_TIME, "20500101000000Z", 2_524_608_000),
            (GENERALIZED_TIME, "40960101000000Z", 67_090_118_400),
            (GENERALIZED_TIME, "99991231235959Z", 253_402_300_799),
        ] {
            assert_eq!(unix(tag, text), Some(expected), "{text}");
        }
        for text in [
            "",
            "Z",
            "260301020304",
            "2603010203Z",
            "26030102030xZ",
            "261301020304Z",
        ] {
            assert_eq!(unix(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(unix(EMAIL, "260301020304Z"), None);
    }

    #[test]
    fn a_certificate_is_for_clients_in_its_time() {
        use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
        for (usages, expected) in [
            (vec![], true),
            (vec![ClientAuth], true),
            (vec![ServerAuth, ClientAuth], true),
            (vec![Any], true),
            (vec![ServerAuth], false),
        ] {
            let mut params = CertificateParams::default();
            params.not_before = rcgen::date_time_ymd(2026, 3, 1);
            params.not_after = rcgen::date_time_ymd(2060, 3, 1);
            params.extended_key_usages = usages;
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let is = |now| is_for_clients_at(certificate.der(), now);
            let (first, last) = (1_772_323_200, 2845324800);
            assert_eq!([is(first), is(last)], [expected; 2]);
            assert_eq!([is(first - 1), is(last + 1), is(u64::MAX)], [false; 3]);
        }
    }

    #[test]
    fn a_long_list_is_read_to_its_end() {
        let name = |n| SanType::DnsName(format!("host-{n}.example").try_into().unwrap());
        let names = alternative_names(&certificate((0..1000).map(name).collect())).unwrap();
        assert_eq!(names.len(), 1000);
        assert_eq!(names[999], "host-999.example");
    }

    #[test]
    fn a_cut_certificate_has_no_names() {
        let der = certificate(sans());
        for end in 0..der.len() {
            assert_eq!(alternative_names(&der[..end]), None, "{end}");
            assert!(!is_for_clients_at(&der[..end], 1_772_330_584), "{end}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_no_harm(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = alternative_names(&garbage);
            let _ = is_for_clients_at(&garbage, 0);
            let _ = time((UTC_TIME, &garbage));
        }

        #[test]
        fn damage_is_no_harm(at in 0..400_usize, byte: u8) {
            let mut der = certificate(sans());
            let at = at % der.len();
            der[at] = byte;
            let _ = alternative_names(&der);
            let _ = is_for_clients_at(&der, 0);
        }
    }
}
