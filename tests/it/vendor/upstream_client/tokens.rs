//! Tokens and credentials.

use std::time::Duration;

use cec_exporter::upstream::ErrorKind;
use futures_util::future::join_all;

use super::{APP_KEY, APP_SECRET, DETAILS, TOKEN, TestClient, assert_says, pages, tokens};
use crate::support::scripted_vendor::{Reply, Vendor};

#[tokio::test]
async fn concurrent_requests_share_one_token() {
    let vendor = tokens(|_| Reply::Late(Duration::from_millis(100), TOKEN.into())).await;
    let client = TestClient::new(vendor.port);
    for page in join_all((0..20).map(|_| client.page())).await {
        page.unwrap();
    }
    assert_eq!(vendor.counts(), (1, 20));
}

#[tokio::test]
async fn an_expired_token_is_renewed() {
    let vendor = Vendor::start(|seen, before| {
        if seen.is_token() {
            return Reply::ok(format!(r#"{{"AccessToken": "t{before}", "expiresIn": 1}}"#));
        }
        Reply::ok(DETAILS)
    })
    .await;
    let client = TestClient::new(vendor.port);
    client.page().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    client.page().await.unwrap();
    let seen = vendor.seen();
    assert_eq!(vendor.counts(), (2, 2));
    assert_eq!(seen[3].header("authorization"), Some("Bearer t1"));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all_requests() {
    let vendor = Vendor::start(|seen, before| {
        if seen.is_token() {
            return Reply::ok(format!(
                r#"{{"AccessToken": "t{before}", "Expires": "600"}}"#
            ));
        }
        match seen.header("authorization") {
            Some("Bearer t0") => Reply::status(401, "{}"),
            _ => Reply::ok(DETAILS),
        }
    })
    .await;
    let client = TestClient::new(vendor.port);
    for page in join_all((0..10).map(|_| client.page())).await {
        page.unwrap();
    }
    assert_eq!(vendor.counts().0, 2);
    assert!(client.codes().contains(&"details 401".to_owned()));
}

#[tokio::test]
async fn a_token_that_is_refused_in_another_way_is_renewed_once_a_minute() {
    for (status, body) in [
        (
            403,
            r#"{"error_code":"APIG.0301","error_msg":"Incorrect IAM authentication information"}"#,
        ),
        (200, r#"{"error_code":"APIG.0301"}"#),
        (200, r#"{"resultCode":"401","resultDesc":"unauthorized"}"#),
        (
            200,
            r#"{"resultCode":"0401001","resultDesc":"Token expired"}"#,
        ),
        (400, r#"{"error_msg":"the token has expired"}"#),
    ] {
        let vendor = Vendor::start(move |seen, before| {
            if seen.is_token() {
                return Reply::ok(format!(r#"{{"AccessToken": "t{before}", "Expires": 600}}"#));
            }
            match seen.header("authorization") {
                Some("Bearer t0") if before > 0 => Reply::status(status, body),
                _ => Reply::ok(DETAILS),
            }
        })
        .await;
        let client = TestClient::new(vendor.port);
        client.page().await.unwrap();
        // A new one is not doubted.
        client.error().await;
        assert_eq!(vendor.counts().0, 1, "{status} {body}");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(61)).await;
        tokio::time::resume();
        client.page().await.unwrap();
        assert_eq!(vendor.counts().0, 2, "{status} {body}");
    }
}

#[tokio::test]
async fn a_persistent_401_is_an_error_after_one_renewal() {
    let vendor = pages(|_| Reply::status(401, r#"{"error": "unauthorized"}"#)).await;
    let client = TestClient::new(vendor.port);
    let error = client.error().await;
    assert_eq!(error.kind, ErrorKind::Auth);
    assert_says(
        &error,
        &["(page 3)", "401", "/appraisecall/details", "unauthorized"],
    );
    assert_eq!(vendor.counts(), (2, 2));
}

#[tokio::test]
async fn concurrent_requests_with_wrong_credentials_send_one_token_request() {
    let vendor = tokens(|_| {
        let text = format!("bad \r\n\u{1b}[31m {APP_KEY} and {APP_SECRET}");
        Reply::status(401, serde_json::json!({ "error_msg": text }).to_string())
    })
    .await;
    let client = TestClient::new(vendor.port);
    for result in join_all((0..20).map(|_| client.page())).await {
        let error = result.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Auth);
        assert_says(
            &error,
            &["tokenByAkSk", "app_secret is wrong", "bad", "*** and ***"],
        );
    }
    assert_eq!(vendor.counts(), (1, 0));
}

#[tokio::test]
async fn the_retry_after_of_the_token_service_is_obeyed() {
    let vendor = tokens(|_| Reply::status(429, "").with("Retry-After", "120")).await;
    let client = TestClient::new(vendor.port);
    for _ in 0..3 {
        assert!(client.error().await.retry_after.is_some());
    }
    assert_eq!(vendor.counts(), (1, 0));
}

#[tokio::test]
async fn a_refused_secret_is_read_again_from_its_file() {
    let vendor = Vendor::start(|seen, _| match seen.is_token() {
        true if seen.body.contains("new-s3cret-word") => Reply::ok(TOKEN),
        true => {
            let quoted = format!(r#"{{"error_msg":"bad {APP_SECRET} or new-s3cret-word"}}"#);
            Reply::status(401, quoted)
        }
        false => Reply::ok(DETAILS),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let with = |content: Option<&str>| {
        let file = directory.path().join("secret");
        TestClient::with(vendor.port, move |target| {
            // There was another one when the configuration was loaded.
            match content {
                Some(secret) => std::fs::write(&file, secret).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            target.app_secret_file = Some(file);
        })
    };
    let client = with(Some("new-s3cret-word"));
    client.page().await.unwrap();
    assert_eq!(client.codes(), ["token 401", "token 200", "details 200"]);

    // The same as before, another wrong one, none: one error, and no secret in it.
    for (content, requests) in [
        (Some(APP_SECRET), 1),
        (Some("other-s3cret-word"), 2),
        (None, 1),
    ] {
        let client = with(content);
        let error = client.error().await;
        assert_eq!(error.kind, ErrorKind::Auth);
        assert_says(&error, &["bad *** or"]);
        assert!(!error.to_string().contains("other"), "{error}");
        assert_eq!(client.codes(), vec!["token 401"; requests]);
    }
}
