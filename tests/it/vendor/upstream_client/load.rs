//! Retries, rate limit and concurrency.

use std::time::Duration;

use cec_exporter::upstream::{ErrorKind, PageRequest, Upstream};
use futures_util::future::join_all;

use super::{DETAILS, REQUEST, TestClient, assert_says, pages};
use crate::support::scripted_vendor::{Reply, Vendor};

#[tokio::test]
async fn the_client_waits_for_a_short_retry_after() {
    let vendor = pages(|before| match before {
        0 => Reply::status(429, "").with("Retry-After", "1"),
        _ => Reply::ok(DETAILS),
    })
    .await;
    let client = TestClient::new(vendor.port);
    client.page().await.unwrap();
    let seen = vendor.seen();
    assert!(
        seen[2].at - seen[1].at >= Duration::from_millis(900),
        "came back too soon"
    );
    assert_eq!(client.codes(), ["token 200", "details 429", "details 200"]);
}

#[tokio::test]
async fn a_long_retry_after_is_an_error_for_all_requests() {
    let vendor = pages(|_| Reply::status(429, "slow down").with("Retry-After", "120")).await;
    let client = TestClient::new(vendor.port);
    for _ in 0..3 {
        let error = client.error().await;
        assert_eq!(error.kind, ErrorKind::RateLimit);
        let wait = error.retry_after.unwrap();
        assert!((60..=120).contains(&wait.as_secs()), "{wait:?}");
        assert_says(&error, &["429", "max_requests_per_second"]);
    }
    assert_eq!(vendor.counts(), (1, 1));
}

#[tokio::test]
async fn temporary_failures_are_retried() {
    let vendor = pages(|before| match before {
        0 => Reply::status(502, "<html><title>Bad Gateway</title></html>"),
        1 => Reply::HangUp,
        2 => Reply::ok(DETAILS),
        3 => Reply::Cut(DETAILS.into()),
        _ => Reply::ok(DETAILS),
    })
    .await;
    let client = TestClient::new(vendor.port);
    client.page().await.unwrap();
    client.page().await.unwrap();
    let expected = [
        "token 200",
        "details 502",
        "details connect",
        "details 200",
        "details body",
        "details 200",
    ];
    assert_eq!(client.codes(), expected);
}

#[tokio::test]
async fn an_outage_reduces_the_number_of_requests() {
    let vendor = pages(|_| Reply::status(503, "")).await;
    let client = TestClient::new(vendor.port);
    for _ in 0..20 {
        assert_eq!(client.error().await.kind, ErrorKind::Unavailable);
    }
    // Twenty requests, ten retries in reserve, and a tenth of the twenty-one that were sent.
    let (_, details) = vendor.counts();
    assert!((30..=32).contains(&details), "{details}");
}

#[tokio::test]
async fn the_number_of_concurrent_requests_is_limited() {
    for allowed in [1, 3] {
        let vendor = pages(|_| Reply::Late(Duration::from_millis(30), DETAILS.into())).await;
        let client = TestClient::with(vendor.port, |target| {
            target.max_concurrent_requests = allowed;
        });
        for page in join_all((0..15).map(|_| client.page())).await {
            page.unwrap();
        }
        assert_eq!(vendor.busiest(), allowed as usize);
    }
}

#[tokio::test]
async fn the_rate_limit_includes_token_requests() {
    let vendor = pages(|_| Reply::ok(DETAILS)).await;
    let client = TestClient::with(vendor.port, |target| target.max_requests_per_second = 5.0);
    for page in join_all((0..9).map(|_| client.page())).await {
        page.unwrap();
    }
    // With the token ten: five at once, five a second later.
    let seen = vendor.seen();
    assert_eq!(seen.len(), 10);
    assert!(
        seen[9].at - seen[0].at >= Duration::from_millis(900),
        "too fast"
    );
}

/// One window that always fails must not take the retries of the others.
#[tokio::test]
async fn a_window_that_always_fails_does_not_use_up_the_retries_of_others() {
    let vendor = Vendor::with_pages(|seen, before| match before {
        _ if seen.body.contains("\"page\":9") => Reply::status(500, ""),
        before if before.is_multiple_of(2) => Reply::status(503, ""),
        _ => Reply::ok(DETAILS),
    })
    .await;
    let client = TestClient::new(vendor.port);
    let poison = PageRequest { page: 9, ..REQUEST };
    for _ in 0..10 {
        let error = client.client.page(poison).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Server);
    }
    let (_, asked) = vendor.counts();
    assert!(asked < 30, "retries without end: {asked}");
    for _ in 0..3 {
        client.page().await.unwrap();
    }
}
