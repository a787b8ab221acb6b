//! Requests that two servers in a row would cut apart at different places: what one of them takes
//! for a body, the other takes for a request that nobody has looked at. Nothing that comes behind
//! such a request is answered.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cec_exporter::server::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::server::{Server, start, with_lifecycle};

/// What is hidden: a scrape, which would be counted.
const HIDDEN: &str =
    "GET /metrics?target=b%2Fc%20d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// Heads of requests with a body, each with what comes before the hidden request.
const SHAPES: [(&str, &str); 24] = [
    // Two lengths.
    (
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n",
    ),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "0\r\n\r\n",
    ),
    (
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "abcd",
    ),
    ("Content-Length: 0\r\nContent-Length: 5\r\n", ""),
    ("Content-Length: 5\r\nContent-Length: 0\r\n", "abcde"),
    ("Content-Length: 0, 5\r\n", ""),
    // Lengths that are none.
    ("Content-Length: +0\r\n", ""),
    ("Content-Length: -1\r\n", ""),
    ("Content-Length: 0x0\r\n", ""),
    ("Content-Length: 18446744073709551616\r\n", ""),
    ("Content-Length: \r\n", ""),
    // Codings that are none, or not the last.
    ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: identity\r\n", "0\r\n\r\n"),
    (
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "0\r\n\r\n",
    ),
    // Headers that some see and others do not.
    ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
    (" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("Transfer-Encoding: \0chunked\r\n", "0\r\n\r\n"),
    ("Content\0-Length: 0\r\n", ""),
    // Chunks that are cut apart in more than one way.
    ("Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "ffffffffffffffff1\r\n"),
    ("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
];

/// A server that answers what is hidden does so at once. Too short a time would hide that, and
/// fail the comparison at the end of the test.
const TIME_FOR_AN_ANSWER: Duration = Duration::from_millis(300);

async fn answers(server: &Server, request: &str) -> Vec<u16> {
    let mut client = server.connect().await;
    client.send(request).await;
    let mut bytes = Vec::new();
    // Half a connection would cancel a scrape: first there is time for its answer.
    let answered = async {
        while client
            .0
            .read_buf(&mut bytes)
            .await
            .is_ok_and(|read| read > 0)
        {}
    };
    let _ = tokio::time::timeout(TIME_FOR_AN_ANSWER, answered).await;
    // The server may have closed already.
    let _ = client.0.shutdown().await;
    bytes.extend(client.until_closed().await);
    let text = String::from_utf8(bytes).unwrap();
    let heads = text.split("HTTP/1.1 ").skip(1);
    heads.map(|head| head[..3].parse().unwrap()).collect()
}

#[tokio::test]
async fn nothing_behind_an_ambiguous_request_is_answered() {
    let server = start(with_lifecycle()).await;
    // With the pull done, what is hidden would be answered at once.
    assert_eq!(server.ask("GET", "/metrics").await.status, 200);
    for (line, path) in [("POST", "/-/reload"), ("GET", "/-/healthy")] {
        for (headers, body) in SHAPES {
            let request =
                format!("{line} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}{HIDDEN}");
            let answers = answers(&server, &request).await;
            let shape = format!("{line} {headers:?} {body:?}: {answers:?}");
            assert!(answers.len() <= 1, "{shape}");
            assert!(
                answers.iter().all(|code| [200, 400, 501].contains(code)),
                "{shape}"
            );
            assert_eq!(server.scrapes(), 1, "{shape}");
        }
    }
    // The same where nothing is ambiguous is answered, so this test would see it.
    for (number, body) in [
        "\r\n",
        "Content-Length: 4\r\n\r\nabcd",
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        let plain = format!("POST /-/reload HTTP/1.1\r\nHost: x\r\n{body}{HIDDEN}");
        assert_eq!(answers(&server, &plain).await, [200, 200], "{body:?}");
        assert_eq!(server.scrapes(), number + 2);
    }
}

/// The first line in forms that proxies and servers read differently.
#[tokio::test]
async fn a_strange_request_line_leads_to_no_other_path() {
    let server = start(Settings::default()).await;
    for line in [
        "GET  /metrics HTTP/1.1",
        "GET /metrics  HTTP/1.1",
        "GET\t/metrics HTTP/1.1",
        "GET /metrics\tHTTP/1.1",
        "GET /metrics HTTP/1.1 ",
        "GET /metrics HTTP/1.10",
        "GET /metrics HTTP/2.0",
        "GET /metrics http/1.1",
        "GET /metrics\0 HTTP/1.1",
        "GET /\0metrics HTTP/1.1",
        "GET /metrics\rHTTP/1.1",
        "GET \\metrics HTTP/1.1",
        "GET metrics HTTP/1.1",
        "GET x:80 HTTP/1.1",
        "GET http:/metrics HTTP/1.1",
        "GET http:///metrics HTTP/1.1",
        "GET //x/metrics HTTP/1.1",
        "GET /x/../metrics HTTP/1.1",
        "GET /%2e/metrics HTTP/1.1",
        "GET /metrics%2f HTTP/1.1",
        "GET /metrics;a=b HTTP/1.1",
        "GET /metrics%3ftarget=a HTTP/1.1",
        "GET /metrics%0d%0a HTTP/1.1",
        "CONNECT /metrics HTTP/1.1",
        "CONNECT x:443 HTTP/1.1",
        "GE\0T /metrics HTTP/1.1",
        "get /metrics HTTP/1.1",
    ] {
        let answers = answers(&server, &format!("{line}\r\nHost: x\r\n\r\n")).await;
        let refusals = [400, 404, 405, 501, 505];
        assert!(
            answers.len() <= 1 && answers.iter().all(|code| refusals.contains(code)),
            "{line:?}: {answers:?}"
        );
        assert_eq!(server.scrapes(), 0, "{line:?}");
    }
    assert_eq!(server.ask("GET", "/metrics").await.status, 200);
    assert_eq!(server.reloads.load(Ordering::SeqCst), 0);
}
