//! Where the way breaks off before the vendor is asked anything.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, SanType, date_time_ymd};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio_rustls::TlsAcceptor;

use super::checked::check_json;
use crate::support::certificates::Identity;
use crate::support::process::target;
use crate::support::scripted_vendor::Vendor;
use crate::support::silent::{Swallowing, free_address};
use crate::support::simulated::{SimulatedVendor, settled};

/// No resolver is asked for such a name, whatever this machine's is: it is too long to ask for.
fn unresolvable() -> String {
    format!("{}.invalid", "x".repeat(64))
}

#[test]
fn a_name_that_does_not_resolve() {
    let name = unresolvable();
    let checked = check_json(&[target("a", &format!("https://{name}"), "")]);
    let says = [&*name, "cannot be resolved"];
    let step = checked.assert_breaks_off("a", "dns", &says, &["endpoint", "misspelled", "DNS"]);
    assert_eq!(step.key, "endpoint");
}

#[test]
fn nobody_listens_or_nobody_answers() {
    let swallowing = Swallowing::start();
    let closed = format!("http://{}", free_address());
    let silent = format!("http://127.0.0.1:{}", swallowing.port);
    let checked = check_json(&[
        target("closed", &closed, ""),
        target("silent", &silent, "request_timeout: 500ms"),
    ]);
    let causes = ["nothing listens there", "host and port of endpoint"];
    checked.assert_breaks_off("closed", "connect", &["127.0.0.1:", "refused"], &causes);
    let causes = ["firewall", "host and port of endpoint"];
    checked.assert_breaks_off("silent", "connect", &["no response within 500"], &causes);
}

/// Whoever asks for tokens elsewhere learns which of the two places it is.
#[test]
fn the_token_s_own_host_is_a_way_of_its_own() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let lost = format!("token_endpoint: \"http://{}/token\"", unresolvable());
    let elsewhere = SimulatedVendor::frozen(settled(20));
    let token = format!(
        "token_endpoint: \"{}/apigovernance/api/oauth/tokenByAkSk\"",
        vendor.endpoint
    );
    let closed = format!("http://{}", free_address());
    let checked = check_json(&[
        target("no_tokens", &vendor.endpoint, &lost),
        target("no_pages", &closed, &token),
        target("refused", &elsewhere.endpoint, &token),
    ]);
    assert_eq!(checked.code, Some(1));
    let shown = |name: &str| -> Vec<(String, String, Option<bool>)> {
        let (_, steps) = checked.target(name);
        let steps = steps.into_iter();
        steps.map(|step| (step.step, step.key, step.ok)).collect()
    };
    let expected = |connect, token, page| {
        let [dns, token_connect] = connect;
        [
            ("dns", "token_endpoint", dns),
            ("connect", "token_endpoint", token_connect),
            ("tls", "token_endpoint", None),
            ("token", "token_endpoint", token),
            ("dns", "endpoint", None),
            ("connect", "endpoint", page),
            ("tls", "endpoint", None),
            ("page", "endpoint", None),
        ]
        .map(|(step, key, ok)| (step.to_owned(), key.to_owned(), ok))
    };
    let (ok, failed) = (Some(true), Some(false));
    assert_eq!(shown("no_tokens"), expected([failed, None], None, ok));
    assert_eq!(shown("no_pages"), expected([None, ok], ok, failed));
    // A vendor that does not know the other's tokens.
    let mut refused = expected([None, ok], ok, ok);
    refused[7].2 = failed;
    assert_eq!(shown("refused"), refused);
    let (_, steps) = checked.target("refused");
    steps[7].assert_failed(&["401"], &["token_endpoint belongs to another deployment"]);
    assert!(
        steps[7]
            .detail
            .contains("3 requests: page 401, token 200, page 401"),
        "{steps:?}"
    );
}

/// A server's certificate as a file for `ca_file`, and what shows it.
struct Shown {
    _directory: TempDir,
    pem: PathBuf,
    acceptor: TlsAcceptor,
}

impl Shown {
    fn new(
        versions: &[&'static SupportedProtocolVersion],
        change: fn(&mut CertificateParams),
    ) -> Self {
        let made = Identity::self_signed(|params| {
            params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
            change(params);
        });
        let directory = TempDir::new().unwrap();
        let pem = directory.path().join("ca.pem");
        std::fs::write(&pem, &made.pem).unwrap();
        Self {
            _directory: directory,
            pem,
            acceptor: made.acceptor_with(versions),
        }
    }

    async fn vendor(&self) -> Vendor {
        Vendor::of_samples(Some(self.acceptor.clone())).await
    }
}

fn trusting(pem: &Path) -> String {
    format!("ca_file: \"{}\"", pem.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_says_what_is_wrong_with_the_certificate() {
    let plain = Vendor::of_samples(None).await;
    let new = Shown::new(&[&TLS13, &TLS12], |_| ());
    let old = Shown::new(&[&TLS12], |_| ());
    let expired = Shown::new(&[&TLS13], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    });
    let early = Shown::new(&[&TLS13], |params| {
        params.not_before = date_time_ymd(2124, 5, 6);
        params.not_after = date_time_ymd(2125, 1, 1);
    });
    let vendors = [
        new.vendor().await,
        old.vendor().await,
        expired.vendor().await,
        early.vendor().await,
    ];
    let [to_new, to_old, to_expired, to_early] = vendors
        .each_ref()
        .map(|vendor| format!("https://127.0.0.1:{}", vendor.port));
    let other_name = format!("https://localhost:{}", vendors[0].port);
    let checked = block_in_place(|| {
        check_json(&[
            target("unknown", &to_new, ""),
            target("trusted", &to_new, &trusting(&new.pem)),
            target("old", &to_old, &trusting(&old.pem)),
            target("name", &other_name, &trusting(&new.pem)),
            target("expired", &to_expired, &trusting(&expired.pem)),
            target("early", &to_early, &trusting(&early.pem)),
            target("plain", &format!("https://127.0.0.1:{}", plain.port), ""),
        ])
    });
    for (name, version) in [("trusted", "TLS 1.3"), ("old", "TLS 1.2")] {
        let steps = checked.assert_well(name);
        assert_eq!((&*steps[2].step, &*steps[2].detail), ("tls", version));
        assert!(steps[2].seconds.is_some());
    }
    let breaks = |name, says: &[&str], causes: &[&str]| {
        checked.assert_breaks_off(name, "tls", says, causes);
    };
    breaks(
        "unknown",
        &["authority", "not trusted"],
        &["private", "ca_file"],
    );
    breaks(
        "name",
        &["another host name"],
        &["the host name in endpoint differs"],
    );
    breaks(
        "expired",
        &["expired on 2021-02-03T00:00:00Z"],
        &["not renewed", "clock"],
    );
    breaks("early", &["not valid before 2124-05-06"], &["clock"]);
    breaks(
        "plain",
        &["does not speak TLS"],
        &["scheme or port of endpoint"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_accepts_and_says_nothing() {
    // It sees bytes that are no request, and waits for the rest of one.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepting = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let more = "request_timeout: 300ms";
    let checked = block_in_place(|| {
        check_json(&[
            target("secure", &format!("https://127.0.0.1:{port}"), more),
            target("plain", &format!("http://127.0.0.1:{port}"), more),
        ])
    });
    let says = ["TLS", "no response", "within 300ms"];
    checked.assert_breaks_off("secure", "tls", &says, &["scheme and port of endpoint"]);
    let says = [
        "no response within 300ms",
        "3 requests: token timeout, token timeout, token timeout",
    ];
    checked.assert_breaks_off("plain", "token", &says, &["slow", "request_timeout"]);
    accepting.abort();
}

#[test]
fn a_setting_that_cannot_be_used_is_said_and_the_others_are_tried() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let directory = TempDir::new().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let checked = check_json(&[
        target("bad", &vendor.endpoint, &trusting(&empty)),
        target("good", &vendor.endpoint, ""),
    ]);
    assert_eq!(checked.code, Some(1));
    let (ok, steps) = checked.target("bad");
    assert!(!ok);
    assert_eq!((&*steps[0].step, &*steps[0].key), ("settings", "ca_file"));
    assert_eq!(steps[0].ok, Some(false));
    assert!(
        steps[0].detail.contains("no certificate in it"),
        "{steps:?}"
    );
    assert!(steps[1..].iter().all(|step| step.detail == "not tried"));
    checked.assert_well("good");
}
