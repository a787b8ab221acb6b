//! The alternative names of a certificate.
//!
//! rustls tells whether a certificate has a given name, but neither e-mail addresses nor the
//! names as they are, which the toolkit compares. As little of DER is read here as that needs;
//! what cannot be read has no names, and nobody comes in by it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
/// The extensions of a certificate.
const EXTENSIONS: u8 = 0xa3;
/// subjectAltName, 2.5.29.17.
const ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// The DNS names, e-mail addresses, URIs and IP addresses that a certificate is for; `None` if it
/// is broken.
pub(super) fn alternative_names(der: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let certificate = Reader(der).expect(SEQUENCE)?;
    let mut signed = Reader(certificate).expect(SEQUENCE).map(Reader)?;
    while let Some((tag, content)) = signed.next()? {
        if tag != EXTENSIONS {
            continue;
        }
        let mut extensions = Reader(content).expect(SEQUENCE).map(Reader)?;
        while let Some((SEQUENCE, extension)) = extensions.next()? {
            let mut extension = Reader(extension);
            if extension.expect(OBJECT_IDENTIFIER)? != ALTERNATIVE_NAME {
                continue;
            }
            let mut value = extension.next()??;
            if value.0 == BOOLEAN {
                value = extension.next()??;
            }
            let (OCTET_STRING, value) = value else {
                return None;
            };
            let mut general_names = Reader(value).expect(SEQUENCE).map(Reader)?;
            while let Some((tag, name)) = general_names.next()? {
                match tag {
                    EMAIL | DNS | URI => names.push(String::from_utf8(name.to_vec()).ok()?),
                    IP => names.push(ip(name)?.to_string()),
                    _ => {}
                }
            }
        }
    }
    Some(names)
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
        }
    }

    proptest! {
        #[test]
        fn garbage_is_no_harm(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = alternative_names(&garbage);
        }

        #[test]
        fn damage_is_no_harm(at in 0..400_usize, byte: u8) {
            let mut der = certificate(sans());
            let at = at % der.len();
            der[at] = byte;
            let _ = alternative_names(&der);
        }
    }
}
