//! HTTP/2 over TLS.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;

use super::support::{Files, TLS, connect};
use crate::support::server::{Client, NEVER, SOON, Server, patiently, until};

/// A client that offers these protocols, the one that it likes best first.
fn client(files: &Files, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&files.authority.client(None));
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}

/// A connection whose windows have this size.
async fn open(files: &Files, server: &Server, window: u32) -> SendRequest<Empty<Bytes>> {
    let Client(stream) = connect(server, &client(files, &["h2", "http/1.1"]))
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(window)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    let uri = format!("https://localhost{path}");
    Request::get(uri).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn clients_choose_by_alpn() {
    let files = Files::new(TLS);
    let server = files.start().await;
    for (offered, expected) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let stream = connect(&server, &client(&files, offered)).await.unwrap();
        let protocol = stream.0.get_ref().1.alpn_protocol();
        assert_eq!(protocol, expected.map(str::as_bytes), "{offered:?}");
    }
    files.write(
        "web.yml",
        &format!("{TLS}http_server_config: {{http2: false}}\n"),
    );
    let stream = connect(&server, &client(&files, &["h2", "http/1.1"]))
        .await
        .unwrap();
    assert_eq!(stream.0.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let mut sender = open(&files, &server, 1 << 20).await;
    let first = patiently(sender.send_request(request("/-/healthy"))).await;
    assert_eq!(first.unwrap().status(), StatusCode::OK);
    // Requests that do not wait for a pull return what the last one has published.
    let pulled = patiently(sender.send_request(request("/metrics"))).await;
    assert_eq!(pulled.unwrap().status(), StatusCode::OK);
    // More than are answered at a time: the others wait.
    let asked: Vec<_> = (0..250)
        .map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move {
                let answer = sender.send_request(request("/metrics")).await.unwrap();
                let status = answer.status();
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                (status, body)
            })
        })
        .collect();
    for answer in asked {
        let (status, body) = patiently(answer).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("cec_up{target=\"a\"} 1\n"));
    }
    let unknown = patiently(sender.send_request(request("/nowhere")))
        .await
        .unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let long = Request::get("https://localhost/metrics")
        .header("x-long", "x".repeat(20 * 1024))
        .body(Empty::new())
        .unwrap();
    let refused = patiently(sender.send_request(long)).await;
    let is_refused = match &refused {
        Ok(answer) => answer.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Err(_) => true,
    };
    assert!(is_refused, "{refused:?}");
}

#[tokio::test]
async fn a_head_is_answered_without_a_body() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let mut sender = open(&files, &server, 1 << 20).await;
    for path in ["/-/healthy", "/metrics", "/nowhere"] {
        let uri = format!("https://localhost{path}");
        let head = Request::head(uri).body(Empty::new()).unwrap();
        let answer = patiently(sender.send_request(head)).await.unwrap();
        let length = answer.headers()["content-length"].to_str().unwrap();
        assert_ne!(length, "0", "{path}");
        let body = patiently(answer.into_body().collect()).await.unwrap();
        assert!(body.to_bytes().is_empty(), "{path}");
    }
}

/// Waits until the server has closed the connection.
async fn closed(sender: &SendRequest<Empty<Bytes>>) {
    until(|| sender.is_closed()).await;
}

#[tokio::test]
async fn a_client_that_takes_its_time_is_cut() {
    let files = Files::new(TLS);
    let server = files
        .start_with(|limits| {
            limits.header_read = SOON;
            limits.response_write = SOON;
            limits.idle = NEVER;
        })
        .await;
    // One that asks nothing, and one that asks and leaves the answer where it is.
    let silent = open(&files, &server, 1 << 20).await;
    closed(&silent).await;
    let mut greedy = open(&files, &server, 1024).await;
    let answer = patiently(greedy.send_request(request("/metrics")))
        .await
        .unwrap();
    closed(&greedy).await;
    drop(answer);
    // One that has its answer may stay.
    let mut idle = open(&files, &server, 1 << 20).await;
    for _ in 0..3 {
        let answer = patiently(idle.send_request(request("/metrics")))
            .await
            .unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty());
        tokio::time::sleep(2 * SOON).await;
    }
}

/// Asks a hundred times and takes nothing. Gives the connection, and the answers.
async fn ask_and_take_nothing(
    files: &Files,
    server: &Server,
) -> (SendRequest<Empty<Bytes>>, Vec<Response<Incoming>>) {
    let sender = open(files, server, 1024).await;
    let asked = (0..100).map(|_| {
        let mut sender = sender.clone();
        async move { sender.send_request(request("/metrics")).await }
    });
    let answers = patiently(join_all(asked)).await;
    (sender, answers.into_iter().filter_map(Result::ok).collect())
}

#[tokio::test]
async fn answers_that_nobody_takes_do_not_pile_up() {
    const ROOM: u64 = 32 << 20;
    let files = Files::new(TLS);
    let server = files
        .start_with(|limits| limits.response_write = NEVER)
        .await;
    let bytes = |answers: &[Response<Incoming>]| -> u64 {
        let answered = answers
            .iter()
            .filter(|answer| answer.status() == StatusCode::OK);
        let lengths = answered.filter_map(|answer| answer.body().size_hint().exact());
        lengths.sum()
    };
    let (mut greedy, mut answered) = (Vec::new(), 0);
    while answered < 2 * ROOM {
        let (connection, answers) = ask_and_take_nothing(&files, &server).await;
        answered += bytes(&answers);
        greedy.push((connection, answers));
        // Others are answered meanwhile.
        let mut other = open(&files, &server, 1 << 20).await;
        let answer = patiently(other.send_request(request("/metrics"))).await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    let open = greedy
        .iter()
        .filter(|(connection, _)| !connection.is_closed());
    let held: u64 = open.map(|(_, answers)| bytes(answers)).sum();
    assert!(held <= ROOM, "{held} of {answered} bytes");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end_and_at_the_shutdown() {
    let files = Files::new(TLS);
    let server = files.start_with(|limits| limits.idle = SOON).await;
    let mut idle = open(&files, &server, 1 << 20).await;
    let answer = patiently(idle.send_request(request("/-/healthy")))
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    drop(answer);
    closed(&idle).await;

    let mut server = files.start().await;
    let mut open = open(&files, &server, 1 << 20).await;
    let answer = patiently(open.send_request(request("/-/healthy")))
        .await
        .unwrap();
    drop(answer);
    server.shut_down();
    server.ended().await;
    closed(&open).await;
}
