//! Each policy with no certificate, a wrong one and a right one.

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, SanType};
use rustls::version::{TLS12, TLS13};

use super::support::{CLIENT_CA, Files, TLS, get};
use crate::support::certificates::{Authority, Identity, dns};

/// Whether a client comes in: without a certificate, with one of another authority, with a right
/// one.
async fn comes_in(files: &Files, authority: &Authority, strange: &Authority) -> [bool; 3] {
    let server = files.start().await;
    let wrong = strange.sign(vec![dns("client")]);
    let right = authority.sign(vec![dns("client")]);
    let mut found = [false; 3];
    for (identity, found) in [None, Some(&wrong), Some(&right)]
        .into_iter()
        .zip(&mut found)
    {
        let mut answers = Vec::new();
        for version in [&TLS12, &TLS13] {
            let client = files.authority.client_with(&[version], identity);
            answers.push(get(&server, &client, "/metrics", "").await);
        }
        *found = answers[0].is_ok();
        assert_eq!(answers[1].is_ok(), *found, "{answers:?}");
    }
    found
}

#[tokio::test]
async fn each_policy_with_each_client() {
    let (clients, strangers) = (Authority::new(), Authority::new());
    for (policy, ca, expected) in [
        ("NoClientCert", false, [true, true, true]),
        ("RequestClientCert", false, [true, true, true]),
        ("RequestClientCert", true, [true, true, true]),
        ("RequireAnyClientCert", false, [false, true, true]),
        ("RequireClientCert", true, [false, true, true]),
        ("VerifyClientCertIfGiven", true, [true, false, true]),
        ("VerifyClientCertIfGiven", false, [true, true, true]),
        ("RequireAndVerifyClientCert", true, [false, false, true]),
    ] {
        let ca = if ca { "  client_ca_file: ca.pem\n" } else { "" };
        let files = Files::new(&format!("{TLS}  client_auth_type: {policy}\n{ca}"));
        files.write("ca.pem", &clients.pem);
        let found = comes_in(&files, &clients, &strangers).await;
        assert_eq!(found, expected, "{policy}");
    }
}

#[tokio::test]
async fn a_name_must_be_one_of_those_allowed() {
    let clients = Authority::new();
    let sans = "[prometheus.example, 192.0.2.7, ops@example.com, 'spiffe://a/b']";
    let files = Files::new(&format!("{TLS}{CLIENT_CA}  client_allowed_sans: {sans}\n"));
    files.write("ca.pem", &clients.pem);
    let server = files.start().await;
    for (sans, expected) in [
        (vec![], false),
        (vec![dns("other.example")], false),
        (vec![dns("sub.prometheus.example")], false),
        (vec![dns("*.example")], false),
        (
            vec![SanType::IpAddress("192.0.2.8".parse().unwrap())],
            false,
        ),
        (vec![dns("prometheus.example")], true),
        (vec![dns("other.example"), dns("prometheus.example")], true),
        (vec![SanType::IpAddress("192.0.2.7".parse().unwrap())], true),
        (
            vec![SanType::Rfc822Name("ops@example.com".try_into().unwrap())],
            true,
        ),
        (vec![SanType::URI("spiffe://a/b".try_into().unwrap())], true),
    ] {
        let identity = clients.sign(sans.clone());
        let client = files.authority.client(Some(&identity));
        let answer = get(&server, &client, "/metrics", "").await;
        assert_eq!(answer.is_ok(), expected, "{sans:?}: {answer:?}");
    }
    // The right name by the wrong authority.
    let identity = Authority::new().sign(vec![dns("prometheus.example")]);
    let client = files.authority.client(Some(&identity));
    assert!(get(&server, &client, "/metrics", "").await.is_err());
    assert!(files.get(&server, "/metrics").await.is_err());
}

/// As in the toolkit: whoever signed it, the name counts.
#[tokio::test]
async fn any_certificate_still_needs_an_allowed_name() {
    let lines = "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [a.example]\n";
    let files = Files::new(&format!("{TLS}{lines}"));
    let server = files.start().await;
    for (name, expected) in [("a.example", true), ("b.example", false)] {
        let identity = Authority::new().sign(vec![dns(name)]);
        let client = files.authority.client(Some(&identity));
        let answer = get(&server, &client, "/metrics", "").await;
        assert_eq!(answer.is_ok(), expected, "{name}: {answer:?}");
    }
}

#[tokio::test]
async fn a_certificate_for_servers_or_out_of_date_is_wrong() {
    let clients = Authority::new();
    let files = Files::new(&format!("{TLS}{CLIENT_CA}"));
    files.write("ca.pem", &clients.pem);
    let server = files.start().await;
    for (change, expected) in [(0, true), (1, true), (2, false), (3, false)] {
        let identity = clients.sign_with(|params| {
            params.subject_alt_names = vec![dns("client")];
            match change {
                1 => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
                2 => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
                3 => params.not_after = rcgen::date_time_ymd(2020, 1, 1),
                _ => {}
            }
        });
        let client = files.authority.client(Some(&identity));
        let answer = get(&server, &client, "/metrics", "").await;
        assert_eq!(answer.is_ok(), expected, "{change}: {answer:?}");
    }
}

/// `openssl req -x509` makes a certificate that is its own authority; Go lets it in as such.
#[tokio::test]
async fn a_client_may_be_its_own_authority() {
    for is_ca in [true, false] {
        let [right, wrong, old] = [2060, 2060, 2020].map(|year| {
            Identity::self_signed(|params| {
                if is_ca {
                    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                }
                params.not_after = rcgen::date_time_ymd(year, 1, 1);
            })
        });
        let files = Files::new(&format!("{TLS}{CLIENT_CA}"));
        files.write("ca.pem", &format!("{}{}", right.pem, old.pem));
        let server = files.start().await;
        for (identity, expected) in [(&right, true), (&wrong, false), (&old, false)] {
            let client = files.authority.client(Some(identity));
            let answer = get(&server, &client, "/metrics", "").await;
            assert_eq!(answer.is_ok(), expected, "{is_ca}: {answer:?}");
        }
    }
}
