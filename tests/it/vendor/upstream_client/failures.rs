//! Error responses.

use cec_exporter::upstream::ErrorKind::{
    Auth, BadRequest, Body, Connect, Envelope, Server, Unavailable,
};
use cec_exporter::upstream::{PageRequest, Upstream};

use super::{DETAILS, REQUEST, TOKEN_TEXT, TestClient, assert_fails, assert_says, pages, tokens};
use crate::support::scripted_vendor::Reply;

#[tokio::test]
async fn each_failure_has_its_kind_and_message() {
    let page = "<!DOCTYPE html><head><title>Access\ndenied</title></head>".to_owned();
    let html = Reply::status(403, &*page);
    assert_fails(html, Auth, &["HTML", "allow list", "Access denied"], 1).await;
    let refused = Reply::status(400, r#"{"resultDesc": "limit too large"}"#);
    assert_fails(refused, BadRequest, &["limit too large", "page_size"], 1).await;
    let lost = Reply::status(404, "");
    assert_fails(lost, Unavailable, &["check endpoint"], 1).await;
    let failed = serde_json::json!({ "retMsg": format!("business failure {TOKEN_TEXT}") });
    let failed = Reply::status(500, failed.to_string());
    assert_fails(failed, Server, &["business failure ***"], 3).await;

    let envelope = Reply::ok(r#"{"resultCode": "0300028", "resultDesc": "no right"}"#);
    assert_fails(envelope, Envelope, &["0300028", "no right"], 1).await;
    let half = Reply::ok(&DETAILS[..DETAILS.len() / 2]);
    assert_fails(half, Body, &["cannot parse the response"], 3).await;
    let html = Reply::ok(page);
    assert_fails(html, Body, &["HTML page instead of JSON"], 3).await;
    let cut = Reply::Cut(DETAILS.into());
    assert_fails(cut, Body, &["broke after"], 3).await;
    assert_fails(Reply::HangUp, Connect, &["before a response"], 3).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_only_its_host_is_quoted() {
    let to = "https://login.example:8443/session/8c1f?ticket=8c1f";
    let vendor = pages(move |_| Reply::status(302, "").with("Location", to)).await;
    let client = TestClient::new(vendor.port);
    let error = client.error().await;
    assert_eq!(error.kind, Unavailable);
    assert_says(
        &error,
        &["302", "redirects to login.example:8443", "endpoint"],
    );
    assert!(!error.message.contains("8c1f"), "{error}");
    assert_eq!(client.codes(), ["token 200", "details 302"]);
}

#[tokio::test]
async fn the_error_code_is_quoted_and_determines_the_cause() {
    let throttled = r#"{"error_code":"APIG.0308","error_msg":"The throttling threshold has been reached","request_id":"5f1c"}"#;
    let says = [
        "APIG.0308 The throttling threshold",
        "max_requests_per_second",
    ];
    assert_fails(Reply::ok(throttled), Envelope, &says, 1).await;
    let reply = Reply::status(403, throttled.replace("0308", "0304"));
    assert_fails(reply, Auth, &["APIG.0304", "not authorised"], 1).await;
    let empty =
        r#"{"returnCode":"0409028","returnDesc":"no operator","data":[],"paging":{"total":0}}"#;
    let says = ["0409028 no operator", "with an empty list", "success_codes"];
    assert_fails(Reply::ok(empty), Envelope, &says, 1).await;

    let vendor = pages(move |_| Reply::ok(empty)).await;
    let client = TestClient::with(vendor.port, |target| {
        target.success_codes = vec!["0409028".into()];
    });
    let first = PageRequest { page: 1, ..REQUEST };
    assert!(client.client.page(first).await.unwrap().is_empty());

    let vendor = tokens(|_| Reply::ok(r#"{"retCode":"17","retMsg":"key is locked"}"#)).await;
    let error = TestClient::new(vendor.port).error().await;
    assert_says(&error, &["17 key is locked", "app_key or app_secret"]);
    let vendor = tokens(|_| Reply::status(401, r#"{"error_code":"APIG.0303"}"#)).await;
    let error = TestClient::new(vendor.port).error().await;
    assert_says(&error, &["APIG.0303", "does not accept the key"]);
}

#[tokio::test]
async fn another_web_server_is_distinguished_from_the_vendor() {
    for (status, body) in [
        (405, "not allowed"),
        (501, ""),
        (500, "<html><h1>500</h1></html>"),
    ] {
        let vendor = tokens(move |_| Reply::status(status, body)).await;
        let error = TestClient::new(vendor.port).error().await;
        assert_says(&error, &["another web server", "host and port of endpoint"]);
    }
    let works = tokens(|_| Reply::ok("It works!")).await;
    let error = TestClient::new(works.port).error().await;
    assert_says(
        &error,
        &[
            "cannot parse the response",
            "another service than the vendor's",
        ],
    );
}
