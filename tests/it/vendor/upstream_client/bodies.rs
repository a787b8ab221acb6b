//! Compressed, oversized and invalid bodies.

use std::io::Write;

use cec_exporter::upstream::ErrorKind;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::{DETAILS, TestClient, assert_fails, assert_says, pages, tokens};
use crate::support::scripted_vendor::Reply;

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
async fn compressed_responses_are_read_even_if_not_requested() {
    let sample = DETAILS.as_bytes();
    let zlib = compressed!(ZlibEncoder, sample);
    // The tests of `decode` have the other formats.
    for (header, body) in [
        ("content-encoding: gzip\r\n", compressed!(GzEncoder, sample)),
        ("", compressed!(GzEncoder, sample)),
        ("content-encoding: deflate\r\n", zlib),
    ] {
        let vendor = pages(move |_| bytes(header, &body)).await;
        let page = TestClient::new(vendor.port).page().await.unwrap();
        assert_eq!(page.records.len(), 6, "{header}");
    }
    let unknown = bytes("content-encoding: br\r\n", b"\x0b\x02\x80");
    let says = ["unsupported Content-Encoding: br"];
    assert_fails(unknown, ErrorKind::Body, &says, 3).await;
    let mut cut = compressed!(GzEncoder, sample);
    cut.truncate(cut.len() - 9);
    let cut = bytes("content-encoding: gzip\r\n", &cut);
    assert_fails(cut, ErrorKind::Body, &["decompressed"], 3).await;
}

/// 55 MiB of the smallest rows there are, on one page of ten.
#[tokio::test]
async fn a_page_far_larger_than_requested_is_rejected() {
    let row = r#"{"call_id":1,"upload_time":5},"#;
    let rows = row.repeat((55 << 20) / row.len());
    let body = format!(r#"{{"data":[{{"calls":[{rows}{{}}]}}],"paging":{{"total":10}}}}"#);
    let bomb = compressed!(GzEncoder, body.as_bytes());
    let plain = Reply::ok(body);
    let says = ["larger than 1024 KiB", "page_size"];
    assert_fails(plain, ErrorKind::Body, &says, 3).await;
    let bomb = bytes("content-encoding: gzip\r\n", &bomb);
    assert_fails(bomb, ErrorKind::Body, &says, 3).await;
    // What fits the size may still be too many rows.
    let rows = row.repeat(5000);
    let body = format!(r#"{{"data":[{{"calls":[{rows}{{}}]}}],"paging":{{"total":10}}}}"#);
    let says = ["it lists more than 1200 calls"];
    assert_fails(Reply::ok(body), ErrorKind::Body, &says, 3).await;
}

#[tokio::test]
async fn an_invalid_value_does_not_fail_the_page() {
    let vendor = pages(|_| Reply::ok(DETAILS.replacen("164.22", "NaN", 1))).await;
    let page = TestClient::new(vendor.port).page().await.unwrap();
    assert_eq!((page.records.len(), page.rejected.len()), (6, 1));
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    // As a token: its limit is the same code and reached sooner.
    let vendor = tokens(|_| Reply::Endless).await;
    let client = TestClient::new(vendor.port);
    let error = client.error().await;
    assert_eq!(error.kind, ErrorKind::Body);
    assert_says(&error, &["larger than 64 KiB"]);
    assert_eq!(client.codes(), ["token body"; 3]);
}
