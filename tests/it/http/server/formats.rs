//! In which format and encoding a scrape is answered.

use std::io::Read;

use cec_exporter::server::Settings;
use flate2::read::GzDecoder;

use crate::support::server::{Server, start};

const PROTO: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

#[tokio::test]
async fn the_format_is_the_one_that_is_asked_for_and_the_answer_says_so() {
    let server = start(Settings::default()).await;
    let text = "text/plain; version=0.0.4; charset=utf-8";
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    for path in ["/metrics", "/metrics?target=a", "/probe?target=a"] {
        for (accept, content_type) in [
            ("", text),
            ("Accept: */*\r\n", text),
            ("Accept: nonsense\r\nAccept: \u{ff}\r\n", text),
            (
                "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n",
                openmetrics,
            ),
            (
                "accept: text/plain;q=0.5\r\naccept: application/openmetrics-text;version=1.0.0\r\n",
                openmetrics,
            ),
            (
                // A byte that is no ASCII spoils nothing but its own item.
                "Accept: application/openmetrics-text;version=1.0.0, x/\u{ff};q=0.1\r\n",
                openmetrics,
            ),
            (&format!("Accept: {PROTO}\r\n"), PROTO),
        ] {
            let answer = server.ask_with("GET", path, accept).await;
            assert_eq!(answer.status, 200);
            assert_eq!(
                answer.header("content-type"),
                Some(content_type),
                "{accept}"
            );
            assert_eq!(answer.header("vary"), Some("accept, accept-encoding"));
            assert_eq!(answer.header("content-encoding"), None);
            assert!(answer.body.contains("cec_up"), "{accept}: {}", answer.body);
            let is_text = answer.body.contains("# TYPE cec_up gauge");
            assert_eq!(is_text, content_type != PROTO, "{accept}");
            let is_openmetrics = content_type.starts_with("application/openmetrics-text");
            assert_eq!(answer.body.ends_with("# EOF\n"), is_openmetrics, "{accept}");
        }
    }
    let unknown = "/probe?target=x";
    let unknown = server
        .ask_with("GET", unknown, &format!("Accept: {PROTO}\r\n"))
        .await;
    let content_type = Some("text/plain; charset=utf-8");
    assert_eq!(
        (unknown.status, unknown.header("content-type")),
        (404, content_type)
    );
}

/// Head and body of an answer, as bytes.
async fn bytes(server: &Server, request: &str) -> (String, Vec<u8>) {
    let all = server.say(request).await;
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    (head, all[end + 4..].to_vec())
}

#[tokio::test]
async fn gzip_is_what_it_says() {
    let server = start(Settings::default()).await;
    // After the pull a probe is answered the same each time.
    server.ask("GET", "/metrics").await;
    let path = "/probe?target=a";
    let plain = server.ask("GET", path).await.body;
    let request = |method: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Accept-Encoding: br;q=1, gzip;q=0.8\r\n\r\n"
        )
    };
    let (head, body) = bytes(&server, &request("GET")).await;
    assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
    let length = format!("content-length: {}", body.len());
    assert!(head.contains(&length), "{head}");
    assert!(body.len() < plain.len() / 5, "{}", body.len());
    let mut text = String::new();
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert!(text == plain, "{text}");
    let (head, body) = bytes(&server, &request("HEAD")).await;
    assert!(head.contains(&length) && head.contains("gzip"), "{head}");
    assert!(body.is_empty());
    for refused in [
        "",
        "Accept-Encoding: br\r\n",
        "Accept-Encoding: gzip;q=0\r\n",
    ] {
        let answer = server.ask_with("GET", path, refused).await;
        assert_eq!(answer.header("content-encoding"), None);
        assert!(answer.body == plain);
    }
    // Pages for people and one-line answers are left as they are.
    let page = server
        .ask_with("GET", "/", "Accept-Encoding: gzip\r\n")
        .await;
    assert_eq!(page.header("content-encoding"), None);
}

#[tokio::test]
async fn headers_as_long_as_may_be_are_answered() {
    let server = start(Settings::default()).await;
    for part in [
        "a/b;q=0.1,",
        "*/*;q=0,",
        ",;=\"",
        "application/openmetrics-text;q=,",
    ] {
        let long = part.repeat(12_000 / part.len());
        let accept = format!("Accept: {long}\r\n");
        let answer = server.ask_with("GET", "/metrics", &accept).await;
        assert_eq!(answer.status, 200, "{part}");
        let content_type = answer.header("content-type").unwrap();
        assert!(content_type.starts_with("text/plain"), "{part}");
        let encoding = format!("Accept-Encoding: {long}\r\n");
        let answer = server.ask_with("GET", "/metrics", &encoding).await;
        let encoding = answer.header("content-encoding");
        assert_eq!((answer.status, encoding), (200, None), "{part}");
    }
}
