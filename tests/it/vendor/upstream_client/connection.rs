//! Timeouts, DNS, TLS and proxies.

use std::time::Duration;

use cec_exporter::config::{Proxy, Target};
use cec_exporter::upstream::ErrorKind;
use rcgen::SanType;
use url::Url;

use super::{DETAILS, TestClient, assert_says, pages, target};
use crate::support::certificates::Identity;
use crate::support::scripted_vendor::{Reply, Vendor};
use crate::support::silent::{Swallowing, free_address};

/// A certificate of its own making for 127.0.0.1.
fn self_signed() -> Identity {
    Identity::self_signed(|params| {
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    })
}

#[tokio::test]
async fn a_slow_response_is_a_timeout_in_head_and_body() {
    for reply in [
        Reply::Late(Duration::from_secs(60), "{}".into()),
        Reply::Drip,
    ] {
        let vendor = pages(move |_| reply.clone()).await;
        let client = TestClient::with(vendor.port, |target| {
            target.request_timeout = Duration::from_secs(1);
        });
        let error = client.error().await;
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert_says(&error, &["within 1s", "request_timeout"]);
        assert_eq!(client.codes().last().unwrap(), "details timeout");
        assert_eq!(vendor.counts().1, 3);
    }
}

#[tokio::test]
async fn a_connect_timeout_differs_from_a_response_timeout() {
    let swallowing = Swallowing::start();
    let client = TestClient::with(swallowing.port, |target| {
        target.request_timeout = Duration::from_millis(500);
    });
    let error = client.error().await;
    assert_eq!(error.kind, ErrorKind::Timeout);
    let says = [
        "could not connect in time (request_timeout is 500ms)",
        "firewall",
        "host and port",
    ];
    assert_says(&error, &says);
    assert_eq!(client.codes(), ["token timeout"; 3]);
}

#[tokio::test]
async fn a_refused_connection_differs_from_an_unresolvable_name() {
    let port = free_address().port();
    let client = TestClient::new(port);
    let error = client.error().await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_says(&error, &["refused", "host and port of endpoint"]);
    assert_eq!(client.codes(), ["token connect"; 3]);

    let client = TestClient::with(port, |target| {
        target.token_endpoint = Url::parse("http://no-such-host.invalid/token").unwrap();
    });
    assert_says(&client.error().await, &["cannot be resolved", "DNS"]);
}

#[tokio::test]
async fn a_private_authority_is_trusted_only_with_ca_file() {
    let made = self_signed();
    let vendor = Vendor::of_samples(Some(made.acceptor())).await;
    let secure = target(&format!("https://127.0.0.1:{}", vendor.port));

    let error = TestClient::of(secure.clone()).error().await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_says(&error, &["TLS", "certificate", "ca_file"]);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, &made.pem).unwrap();
    let trusting = |target| {
        TestClient::of(Target {
            ca_file: Some(path.clone()),
            ..target
        })
    };
    trusting(secure).page().await.unwrap();

    // Trust is in the certificate, not in the name that the host goes by.
    let elsewhere = target(&format!("https://localhost:{}", vendor.port));
    let error = trusting(elsewhere).error().await;
    assert_says(&error, &["another host name"]);
}

#[tokio::test]
async fn plain_http_on_an_https_endpoint_is_diagnosed() {
    let vendor = pages(|_| Reply::ok(DETAILS)).await;
    let secure = target(&format!("https://127.0.0.1:{}", vendor.port));
    let error = TestClient::of(secure).error().await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_says(&error, &["TLS", "does not speak TLS", "scheme or port"]);
}

/// A target of which each request goes through this proxy.
fn through(proxy_url: &str, endpoint: &str) -> Target {
    let proxy = Some(Proxy::new("proxy_url", proxy_url.parse().unwrap()));
    Target {
        token_proxy: proxy.clone(),
        proxy,
        ..target(endpoint)
    }
}

#[tokio::test]
async fn requests_go_through_the_configured_proxy() {
    let proxy_server = pages(|_| Reply::ok(DETAILS)).await;
    let proxy_url = format!("http://user:pa55word@127.0.0.1:{}", proxy_server.port);
    let with_proxy = through(&proxy_url, "http://vendor.invalid:8080");
    let client = TestClient::of(with_proxy.clone());
    client.page().await.unwrap();
    let seen = proxy_server.seen();
    let expected = "http://vendor.invalid:8080/apigovernance/api/oauth/tokenByAkSk";
    assert_eq!(seen[0].target, expected);
    assert!(seen[0].header("proxy-authorization").is_some());
    assert_eq!(seen.len(), 2);

    proxy_server.stop().await;
    let error = TestClient::of(with_proxy).error().await;
    assert_says(&error, &["vendor.invalid:8080", "refused", "proxy_url"]);
    assert!(!error.message.contains("pa55word"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_refuses_a_tunnel_is_blamed() {
    let proxy_server = Vendor::start(|_, _| Reply::status(403, "")).await;
    let proxy_url = format!("http://127.0.0.1:{}", proxy_server.port);
    let refused = TestClient::of(through(&proxy_url, "https://vendor.invalid"));
    let error = refused.error().await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert_says(
        &error,
        &["POST vendor.invalid/", "the proxy refused", "proxy_url"],
    );
    assert_eq!(proxy_server.seen()[0].target, "vendor.invalid:443");
}

#[tokio::test]
async fn plain_http_to_a_tls_port_is_diagnosed() {
    let acceptor = self_signed().acceptor();
    let tls = Vendor::start_with(Some(acceptor), |_, _| Reply::HangUp).await;
    let alert = Vendor::start(|_, _| Reply::Raw(b"\x15\x03\x01\x00\x02\x02\x46".to_vec())).await;
    let nginx = Vendor::start(|_, _| {
        let title = "400 The plain HTTP request was sent to HTTPS port";
        Reply::status(
            400,
            format!("<html><head><title>{title}</title></head></html>"),
        )
    })
    .await;
    let go = Vendor::start(|_, _| {
        Reply::status(400, "Client sent an HTTP request to an HTTPS server.\n")
    })
    .await;
    // Not every server says a word before it closes.
    let error = TestClient::new(tls.port).error().await;
    assert_says(&error, &["port speaks TLS", "write https://"]);
    for vendor in [&alert, &nginx, &go] {
        let error = TestClient::new(vendor.port).error().await;
        assert_says(&error, &["the port speaks TLS: write https:// in endpoint"]);
        assert!(!error.to_string().contains("app_secret"), "{error}");
    }
}
