//! What the client makes of odd answers.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cec_exporter::upstream::{ErrorKind, PageRequest, Upstream};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::scripted_vendor::{Reply, Vendor};
use crate::{
    APP_SECRET, DETAILS, REQUEST, Subject, TOKEN, assert_fails, assert_says, pages, self_signed,
    tokens,
};

/// Status 200 with a body that is no text.
fn bytes(headers: &str, body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}\r\n");
    Reply::Raw([head.as_bytes(), body].concat())
}

/// The sample, written by an encoder into a buffer.
macro_rules! compressed {
    ($encoder:ident, $text:expr) => {{
        let mut encoder = $encoder::new(Vec::new(), Compression::default());
        encoder.write_all($text).unwrap();
        encoder.finish().unwrap()
    }};
}

#[tokio::test]
async fn compressed_answers_are_read_whether_they_were_asked_for_or_not() {
    let sample = DETAILS.as_bytes();
    for (header, body) in [
        ("content-encoding: gzip\r\n", compressed!(GzEncoder, sample)),
        ("", compressed!(GzEncoder, sample)),
        (
            "content-encoding: deflate\r\n",
            compressed!(ZlibEncoder, sample),
        ),
        (
            "content-encoding: deflate\r\n",
            compressed!(DeflateEncoder, sample),
        ),
        ("content-encoding: gzip\r\n", sample.to_vec()),
    ] {
        let vendor = pages(move |_| bytes(header, &body)).await;
        let page = Subject::new(vendor.port).page().await.unwrap();
        assert_eq!(page.records.len(), 6, "{header}");
    }
    let unknown = bytes("content-encoding: br\r\n", b"\x0b\x02\x80");
    let says = ["compressed in an unknown way", "br"];
    assert_fails(unknown, ErrorKind::Body, "body", &says, 3).await;
    let mut cut = compressed!(GzEncoder, sample);
    cut.truncate(cut.len() - 9);
    let cut = bytes("content-encoding: gzip\r\n", &cut);
    assert_fails(cut, ErrorKind::Body, "body", &["decompressed"], 3).await;
}

/// 55 MiB of the smallest rows there are, on one page of ten.
#[tokio::test]
async fn a_page_far_larger_than_asked_for_is_not_kept() {
    let row = r#"{"call_id":1,"upload_time":5},"#;
    let rows = row.repeat((55 << 20) / row.len());
    let body = format!(r#"{{"data":[{{"calls":[{rows}{{}}]}}],"paging":{{"total":10}}}}"#);
    let bomb = compressed!(GzEncoder, body.as_bytes());
    let plain = Reply::ok(body);
    let says = ["larger than 1024 KiB", "page_size"];
    assert_fails(plain, ErrorKind::Body, "body", &says, 3).await;
    let bomb = bytes("content-encoding: gzip\r\n", &bomb);
    assert_fails(bomb, ErrorKind::Body, "body", &says, 3).await;
    // What fits the size may still be too many rows.
    let rows = row.repeat(5000);
    let body = format!(r#"{{"data":[{{"calls":[{rows}{{}}]}}],"paging":{{"total":10}}}}"#);
    let says = ["it lists more than 1200 calls"];
    assert_fails(Reply::ok(body), ErrorKind::Body, "body", &says, 3).await;
}

#[tokio::test]
async fn a_value_that_is_not_json_does_not_cost_the_page() {
    let vendor = pages(|_| Reply::ok(DETAILS.replacen("164.22", "NaN", 1))).await;
    let page = Subject::new(vendor.port).page().await.unwrap();
    assert_eq!((page.records.len(), page.rejected.len()), (6, 1));
}

#[tokio::test]
async fn the_vendor_s_code_is_told_whatever_its_name_and_decides_the_cause() {
    let throttled = r#"{"error_code":"APIG.0308","error_msg":"The throttling threshold has been reached","request_id":"5f1c"}"#;
    let says = [
        "APIG.0308 The throttling threshold",
        "max_requests_per_second",
    ];
    assert_fails(
        Reply::ok(throttled),
        ErrorKind::Envelope,
        "envelope",
        &says,
        1,
    )
    .await;
    let reply = Reply::status(403, throttled.replace("0308", "0304"));
    assert_fails(
        reply,
        ErrorKind::Auth,
        "403",
        &["APIG.0304", "not authorised"],
        1,
    )
    .await;
    let empty =
        r#"{"returnCode":"0409028","returnDesc":"no operator","data":[],"paging":{"total":0}}"#;
    let says = [
        "0409028 no operator",
        "beside an empty list",
        "success_codes",
    ];
    assert_fails(Reply::ok(empty), ErrorKind::Envelope, "envelope", &says, 1).await;

    let vendor = pages(move |_| Reply::ok(empty)).await;
    let subject = Subject::with(vendor.port, |settings| {
        settings.success_codes = vec!["0409028".into()];
    });
    let first = PageRequest { page: 1, ..REQUEST };
    assert!(subject.client.page(first).await.unwrap().is_empty());

    let vendor = tokens(|_| Reply::ok(r#"{"retCode":"17","retMsg":"key is locked"}"#)).await;
    let error = Subject::new(vendor.port).error().await;
    assert_says(&error, &["17 key is locked", "app_key or app_secret"]);
    let vendor = tokens(|_| Reply::status(401, r#"{"error_code":"APIG.0303"}"#)).await;
    let error = Subject::new(vendor.port).error().await;
    assert_says(&error, &["APIG.0303", "does not take the key"]);
}

#[tokio::test]
async fn a_secret_that_was_replaced_is_read_anew_when_it_is_refused() {
    let vendor = Vendor::start(|seen, _| match seen.is_token() {
        true if seen.body.contains("new-s3cret-word") => Reply::ok(TOKEN),
        true => {
            let quoted = format!(r#"{{"error_msg":"bad {APP_SECRET} or new-s3cret-word"}}"#);
            Reply::status(401, quoted)
        }
        false => Reply::ok(DETAILS),
    })
    .await;
    let read = Arc::new(AtomicUsize::new(0));
    let with = |answer: Result<String, String>| {
        let read = Arc::clone(&read);
        Subject::with(vendor.port, move |settings| {
            settings.secret_source = Some(Arc::new(move || {
                read.fetch_add(1, Ordering::SeqCst);
                answer.clone()
            }));
        })
    };
    let subject = with(Ok("new-s3cret-word".into()));
    subject.page().await.unwrap();
    assert_eq!(subject.codes(), ["token 401", "token 200", "details 200"]);
    assert_eq!(read.load(Ordering::SeqCst), 1);

    // The same as before, another wrong one, none: one error, and no secret in it.
    for (answer, requests) in [
        (Ok(APP_SECRET.to_owned()), 1),
        (Ok("other-s3cret-word".to_owned()), 2),
        (Err("gone".to_owned()), 1),
    ] {
        let subject = with(answer);
        let error = subject.error().await;
        assert_eq!(error.kind, ErrorKind::Auth);
        assert_says(&error, &["bad *** or"]);
        assert!(!error.to_string().contains("other"), "{error}");
        assert_eq!(subject.codes(), vec!["token 401"; requests]);
    }
}

#[tokio::test]
async fn plain_http_to_a_port_for_tls_is_told() {
    let (_, acceptor) = self_signed();
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
    let error = Subject::new(tls.port).error().await;
    assert_says(&error, &["port speaks TLS", "write https://"]);
    for vendor in [&alert, &nginx, &go] {
        let error = Subject::new(vendor.port).error().await;
        assert_says(&error, &["the port speaks TLS: write https:// in endpoint"]);
        assert!(!error.to_string().contains("app_secret"), "{error}");
    }
}

#[tokio::test]
async fn another_web_server_is_told_apart_from_the_vendor_s() {
    for (status, body) in [
        (405, "not allowed"),
        (501, ""),
        (500, "<html><h1>500</h1></html>"),
    ] {
        let vendor = tokens(move |_| Reply::status(status, body)).await;
        let error = Subject::new(vendor.port).error().await;
        assert_says(&error, &["another web server", "host and port of endpoint"]);
    }
    let works = tokens(|_| Reply::ok("It works!")).await;
    let error = Subject::new(works.port).error().await;
    assert_says(
        &error,
        &["cannot be read", "another service than the vendor's"],
    );
}

/// One window that always fails must not take the retries of the others.
#[tokio::test]
async fn a_window_that_always_fails_leaves_the_others_their_retries() {
    let vendor = Vendor::start(|seen, before| match (seen.is_token(), before) {
        (true, _) => Reply::ok(TOKEN),
        (false, _) if seen.body.contains("\"page\":9") => Reply::status(500, ""),
        (false, before) if before.is_multiple_of(2) => Reply::status(503, ""),
        (false, _) => Reply::ok(DETAILS),
    })
    .await;
    let subject = Subject::new(vendor.port);
    let poison = PageRequest { page: 9, ..REQUEST };
    for _ in 0..10 {
        let error = subject.client.page(poison).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Server);
    }
    let (_, asked) = vendor.counts();
    assert!(asked < 30, "retries without end: {asked}");
    for _ in 0..3 {
        subject.page().await.unwrap();
    }
}
