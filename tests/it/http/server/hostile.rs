//! Clients that are slow, greedy or out of their minds, beside one that is not.

use std::sync::atomic::Ordering;

use cec_exporter::server::Settings;
use tokio::io::AsyncWriteExt;

use crate::support::server::{
    Answer, NEVER, SOON, Server, patiently, start, start_held, with_lifecycle, with_limits,
};

pub(super) async fn assert_serves(server: &Server) {
    assert_eq!(server.ask("GET", "/metrics").await.status, 200);
}

#[tokio::test]
async fn headers_that_never_end_are_cut_while_others_are_served() {
    let server = start(with_limits(|limits| {
        limits.header_read = SOON;
        limits.idle = NEVER;
    }))
    .await;
    let mut silent = server.connect().await;
    let mut first = server.connect().await;
    first.send("GET /metrics HTTP/1.1\r\nX-Slow: ").await;
    // With a request that was well made before, the other clock runs first.
    let mut second = server.connect().await;
    assert_eq!(second.get("/metrics").await.status, 200);
    second.send("GET /metrics HTTP/1.1\r\nX-Slow: ").await;
    assert_serves(&server).await;
    first.drip().await;
    second.drip().await;
    assert_eq!(silent.until_closed().await, b"");
    assert_serves(&server).await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_time_for_headers() {
    let server = start(with_limits(|limits| {
        limits.header_read = SOON;
        limits.response_write = SOON;
        limits.idle = NEVER;
    }))
    .await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        assert_eq!(client.get("/metrics").await.status, 200);
        tokio::time::sleep(2 * SOON).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let server = start(with_limits(|limits| {
        limits.header_read = NEVER;
        limits.response_write = NEVER;
        limits.idle = SOON;
    }))
    .await;
    let mut client = server.connect().await;
    assert_eq!(client.get("/metrics").await.status, 200);
    assert_eq!(client.until_closed().await, b"");
}

#[tokio::test]
async fn a_scrape_may_take_longer_than_any_wait_for_a_client() {
    let server = start_held(with_limits(|limits| {
        limits.header_read = SOON;
        limits.idle = SOON;
        limits.response_write = SOON;
    }))
    .await;
    let mut client = server.connect().await;
    client.request("/metrics").await;
    tokio::time::sleep(3 * SOON).await;
    server.open_gate();
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_cut() {
    let server = start(with_limits(|limits| {
        limits.response_write = SOON;
        limits.idle = NEVER;
    }))
    .await;
    let mut client = server.connect().await;
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    // More answers than the buffers of the system hold.
    patiently(async { while client.0.write_all(request.as_bytes()).await.is_ok() {} }).await;
    drop(client);
    assert_serves(&server).await;
}

#[tokio::test]
async fn headers_beyond_measure_are_refused() {
    let server = start(Settings::default()).await;
    let long = "x".repeat(17 * 1024);
    let many = "A: b\r\n".repeat(500);
    let requests = [
        format!("GET /metrics?{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /metrics HTTP/1.1\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /metrics HTTP/1.1\r\n{many}\r\n"),
        format!("GET /metrics HTTP/1.1\r\nX-Endless: {long}"),
    ];
    for request in requests {
        // The answer may be lost to the reset that closing with unread bytes brings.
        if let Some(answer) = Answer::parse(&server.say(&request).await) {
            assert!([414, 431].contains(&answer.status), "{answer:?}");
        }
    }
    assert_eq!(server.scrapes(), 0);
    // What a real client may send: tokens of proxies are long.
    let long = format!("Authorization: {}\r\n", "x".repeat(12 * 1024));
    assert_eq!(server.ask_with("GET", "/metrics", &long).await.status, 200);
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let server = start(Settings::default()).await;
    let garbage: [&[u8]; 8] = [
        b"\0\xff\xfe\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET /metrics\r\n\r\n",
        b"GET /\xff\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n",
        b"GET metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    for bytes in garbage {
        if let Some(answer) = Answer::parse(&server.say_and_leave(bytes).await) {
            assert!([400, 404].contains(&answer.status), "{bytes:?}: {answer:?}");
        }
    }
    assert_eq!(server.scrapes(), 0);

    let requests = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2) + "\0garbage\r\n\r\n";
    let answers = String::from_utf8(server.say(requests).await).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 400").count(), 1, "{answers}");
    assert_serves(&server).await;
}

#[tokio::test]
async fn a_body_is_not_waited_for() {
    let server = start(with_lifecycle()).await;
    let endless = [
        "Content-Length: 1000000000000\r\n\r\nx",
        "Transfer-Encoding: chunked\r\n\r\nfffffff\r\nx",
        "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
    ];
    for body in endless {
        let request = format!("POST /-/reload HTTP/1.1\r\nHost: x\r\n{body}");
        let answer = Answer::parse(&server.say(request).await).unwrap();
        assert_eq!(answer.status, 200, "{body:?}");
    }
    // One that is all there is no reason to close.
    let mut client = server.connect().await;
    client
        .send("POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=b")
        .await;
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn a_request_that_panics_takes_nothing_with_it() {
    let server = start(Settings::default()).await;
    // Without a pull, which looks at the clock too.
    assert_serves(&server).await;
    let mut client = server.connect().await;
    server.panics.store(true, Ordering::SeqCst);
    client.request("/metrics").await;
    assert_eq!(client.until_closed().await, b"");
    assert_eq!(server.in_flight(), 0);
    assert_serves(&server).await;
}

#[tokio::test]
async fn a_request_has_one_host() {
    let server = start(Settings::default()).await;
    for headers in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nHost: b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: user@a\r\n",
        "Host: a:port\r\n",
        "Host: a, b\r\n",
    ] {
        for path in ["/metrics", "/-/healthy", "/nowhere"] {
            let request = format!("GET {path} HTTP/1.1\r\n{headers}\r\n");
            let answer = Answer::parse(&server.say_and_leave(request).await);
            assert_eq!(answer.map(|answer| answer.status), Some(400), "{headers:?}");
        }
    }
    assert_eq!(server.scrapes(), 0);
    for (version, headers) in [
        ("1.0", ""),
        ("1.1", "Host:\r\n"),
        ("1.1", "Host: [::1]:10042\r\n"),
        ("1.1", "Host: exporter.example\r\n"),
    ] {
        let request = format!("GET /metrics HTTP/{version}\r\n{headers}Connection: close\r\n\r\n");
        let answer = String::from_utf8(server.say(request).await).unwrap();
        assert!(answer.contains(" 200 OK"), "{headers:?}: {answer}");
    }
}
