//! What rustls does not expose of a certificate: its names, and whether it may be a client's.
//!
//! The bytes are not verified. A certificate that cannot be parsed has no names and is not valid.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// The DNS names, e-mail addresses, URIs and IP addresses of a certificate; `None` if it is
/// malformed.
pub(super) fn alternative_names(der: &[u8]) -> Option<Vec<String>> {
    let certificate = parse(der)?;
    let Some(extension) = certificate.subject_alternative_name().ok()? else {
        return Some(Vec::new());
    };
    let names = extension.value.general_names.iter();
    Some(names.filter_map(name).collect())
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => ip(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).into());
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(v6).to_canonical())
}

/// Whether a certificate may be a client's, and is valid at `now` in Unix seconds.
pub(super) fn is_for_clients_at(der: &[u8], now: u64) -> bool {
    let is = || {
        let certificate = parse(der)?;
        let is_for_clients = (certificate.extended_key_usage().ok()?)
            .is_none_or(|usage| usage.value.client_auth || usage.value.any);
        let now = ASN1Time::from_timestamp(i64::try_from(now).ok()?).ok()?;
        Some(is_for_clients && certificate.validity().is_valid_at(now))
    };
    is() == Some(true)
}

fn parse(der: &[u8]) -> Option<X509Certificate<'_>> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    rest.is_empty().then_some(certificate)
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
        fn garbage_does_not_panic(garbage in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = alternative_names(&garbage);
            let _ = is_for_clients_at(&garbage, 0);
        }

        #[test]
        fn damage_does_not_panic(at in 0..400_usize, byte: u8) {
            let mut der = certificate(sans());
            let at = at % der.len();
            der[at] = byte;
            let _ = alternative_names(&der);
            let _ = is_for_clients_at(&der, 0);
        }
    }
}
