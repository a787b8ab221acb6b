//! The inspection result of a call.

use std::time::Duration;

use cec_exporter::model::Inspection;
use cec_exporter::upstream::{Error, ErrorKind, Upstream};
use futures_util::future::join_all;

use super::{DETAILS, TestClient, assert_api_headers, assert_says, code};
use crate::support::scripted_vendor::{Reply, Vendor};

const CREDIT: &str = include_str!("../../../fixtures/credit-response.json");
const CALL: &str = "0a4c6f2e-7b1d-4c1e-9d8a-1f2e3d4c5b6a";

/// A vendor with valid tokens and pages, and scripted results by the number of earlier requests.
async fn vendor(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Vendor {
    Vendor::with_pages(move |seen, before| match seen.target.ends_with("/credit") {
        true => script(before),
        false => Reply::ok(DETAILS),
    })
    .await
}

impl TestClient {
    async fn inspection(&self) -> Result<Inspection, Error> {
        let result = self.client.inspection(CALL).await;
        if let Err(error) = &result {
            self.assert_presentable(error);
        }
        result
    }
}

#[tokio::test]
async fn request_and_response_match_the_vendor_sample() {
    let vendor = vendor(|_| Reply::ok(CREDIT)).await;
    let client = TestClient::new(vendor.port);
    let inspection = client.inspection().await.unwrap();
    let scores = inspection.scenarios.iter().map(|scenario| scenario.score);
    let scores: Vec<f64> = scores.flatten().map(|score| score.units()).collect();
    assert_eq!(scores, [75.0, 77.0]);

    let [_, seen] = vendor.seen().try_into().unwrap();
    let path = "/apiaccess/CCISQM/rest/ccisqm/v1/appraisecall/credit";
    assert_eq!(seen.target, path);
    assert_eq!(seen.body, format!(r#"{{"call_uuid":"{CALL}"}}"#));
    assert_api_headers(&seen);
    assert_eq!(client.codes(), ["token 200", "credit 200"]);
}

#[tokio::test]
async fn each_failure_is_one_request_and_says_what_to_do() {
    use ErrorKind::{Auth, BadRequest, Body, Connect, Envelope, RateLimit, Server, Unavailable};
    let html = "<html><title>no</title></html>";
    let envelope = r#"{"resultCode": "0300028", "resultDesc": "query failed"}"#;
    let empty = r#"{"retCode": "5", "data": [], "paging": {"total": 0}}"#;
    let gateway = r#"{"error_code": "APIG.0308", "error_msg": "limit"}"#;
    let large = format!(r#"{{"credit": [], "x": "{}"}}"#, "x".repeat(4 << 20));
    let ok = |body: &str| Reply::ok(body);
    let status = |status, body: &str| Reply::status(status, body);
    for (reply, kind, says) in [
        (status(400, envelope), BadRequest, "the call or user_id"),
        (status(403, html), Auth, "allow list"),
        (status(404, envelope), Unavailable, "disable results"),
        (
            status(429, gateway),
            RateLimit,
            "results.max_requests_per_second",
        ),
        (status(500, envelope), Server, "does not know the call"),
        (status(502, html), Unavailable, "usually temporary"),
        (status(503, html), Unavailable, "usually temporary"),
        (Reply::HangUp, Connect, "broke before a response"),
        (Reply::Cut(CREDIT.into()), Body, "broke after"),
        (ok(&CREDIT[..500]), Body, "truncated"),
        (ok("null"), Body, "not an inspection result"),
        (ok(html), Body, "HTML"),
        (ok(&large), Body, "larger than 4096 KiB"),
        (Reply::Endless, Body, "larger than 4096 KiB"),
        (ok(envelope), Envelope, "0300028 query failed"),
        (ok(empty), Envelope, "does not know the call"),
        (ok("{}"), Envelope, "without an inspection result"),
    ] {
        let code = code(&reply, kind);
        let shown = format!("{code}: {says}");
        let vendor = vendor(move |_| reply.clone()).await;
        let client = TestClient::new(vendor.port);
        let error = client.inspection().await.unwrap_err();
        assert_eq!(error.kind, kind, "{shown}: {error}");
        assert_says(&error, &[says]);
        assert_eq!(
            client.codes(),
            ["token 200", &format!("credit {code}")],
            "{shown}"
        );
        assert_eq!(client.retries(), 0, "{shown}");
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let expired = vendor(|before| match before {
        0 => Reply::status(401, ""),
        _ => Reply::ok("[]"),
    })
    .await;
    let client = TestClient::new(expired.port);
    assert_eq!(client.inspection().await, Ok(Inspection::default()));
    let codes = ["token 200", "credit 401", "token 200", "credit 200"];
    assert_eq!(client.codes(), codes);

    let refused = vendor(|_| Reply::status(401, "")).await;
    let client = TestClient::new(refused.port);
    let error = client.inspection().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Auth);
    assert_says(&error, &["lacks the permission"]);
    let codes = ["token 200", "credit 401", "token 200", "credit 401"];
    assert_eq!(client.codes(), codes);
}

#[tokio::test]
async fn a_pause_of_the_results_does_not_slow_the_list() {
    let vendor = vendor(|_| Reply::status(429, "").with("Retry-After", "120")).await;
    let client = TestClient::new(vendor.port);
    for _ in 0..3 {
        let error = client.inspection().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::RateLimit);
        let wait = error.retry_after.unwrap();
        assert!((60..=120).contains(&wait.as_secs()), "{wait:?}");
    }
    client.page().await.unwrap();
    assert_eq!(client.codes(), ["token 200", "credit 429", "details 200"]);
}

#[tokio::test]
async fn a_pause_of_the_list_pauses_the_results() {
    let vendor = Vendor::with_pages(|seen, _| match seen.target.ends_with("/credit") {
        true => Reply::ok("[]"),
        false => Reply::status(429, "").with("Retry-After", "120"),
    })
    .await;
    let client = TestClient::new(vendor.port);
    client.error().await;
    let error = client.inspection().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimit);
    assert_eq!(client.codes(), ["token 200", "details 429"]);
}

#[tokio::test]
async fn the_results_have_a_rate_limit_of_their_own() {
    let vendor = vendor(|_| Reply::ok("[]")).await;
    let client = TestClient::with(vendor.port, |target| {
        let results = target.results.as_mut().unwrap();
        results.max_requests_per_second = 2.0;
    });
    client.client.take_token().await.unwrap();
    let results = join_all((0..4).map(|_| client.inspection()));
    let pages = join_all((0..20).map(|_| client.page()));
    let (results, pages) = futures_util::future::join(results, pages).await;
    assert!(results.iter().all(Result::is_ok) && pages.iter().all(Result::is_ok));
    let seen = vendor.seen();
    let times = |api: &str| {
        let seen = seen.iter().filter(|seen| seen.target.ends_with(api));
        seen.map(|seen| seen.at).collect::<Vec<_>>()
    };
    let (credit, details) = (times("/credit"), times("/details"));
    assert_eq!((credit.len(), details.len()), (4, 20));
    // Two at once, two a second later; all pages meanwhile.
    assert!(
        credit[3] - credit[0] >= Duration::from_millis(900),
        "too fast"
    );
    assert!(details.iter().all(|page| *page < credit[3]), "pages waited");
    assert_eq!(client.retries(), 0);
}
