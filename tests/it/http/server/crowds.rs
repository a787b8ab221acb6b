//! More clients than there is room for: who has to go, who waits, and who is always answered.

use std::sync::atomic::Ordering;

use cec_exporter::server::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::hostile::assert_serves;
use crate::support::server::{
    Answer, Client, NEVER, Server, patiently, start, start_held, until, with_limits,
};

/// Far more connections than there is room for, none of which says anything.
#[tokio::test]
async fn silent_connections_lock_nobody_out() {
    let server = start(with_limits(|limits| {
        limits.connections = 64;
        limits.header_read = NEVER;
        limits.idle = NEVER;
    }))
    .await;
    let mut silent = Vec::new();
    // Client and server share the files of one process, of which many systems allow 1,024.
    for round in 0..8 {
        for _ in 0..100 {
            silent.push(server.connect().await);
        }
        // A request as it goes over its own connection, and one as it was opened before.
        assert_serves(&server).await;
        assert_eq!(
            silent.last_mut().unwrap().get("/metrics").await.status,
            200,
            "{round}"
        );
    }
    assert_eq!(
        silent[0].until_closed().await,
        b"",
        "the longest silent had to go"
    );
}

/// Clients that take all the room and never stop asking: none of them is waited for as long as
/// others would be.
#[tokio::test(flavor = "multi_thread")]
async fn busy_connections_lock_nobody_out_and_hold_up_no_end() {
    let mut server = start(with_limits(|limits| limits.connections = 4)).await;
    let address = server.address;
    let busy: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(mut stream) = TcpStream::connect(address).await {
                    let request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
                    while stream.write_all(request).await.is_ok()
                        && stream
                            .read(&mut buffer)
                            .await
                            .is_ok_and(|length| length > 0)
                    {}
                }
            })
        })
        .collect();
    for _ in 0..5 {
        // It may itself be the one to go, or find no room; but not again and again.
        patiently(async {
            loop {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let request = b"GET /metrics HTTP/1.0\r\n\r\n";
                let mut answer = Vec::new();
                let asked = stream.write_all(request).await.is_ok();
                if asked
                    && stream.read_to_end(&mut answer).await.is_ok()
                    && answer.starts_with(b"HTTP/1.0 200 ")
                {
                    break;
                }
            }
        })
        .await;
    }
    server.shut_down();
    server.ended().await;
    busy.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_request_in_work_is_never_the_one_to_go() {
    let server = start_held(with_limits(|limits| limits.connections = 2)).await;
    let mut working = server.begin_scrape().await;
    for _ in 0..10 {
        assert_eq!(server.connect().await.get("/-/healthy").await.status, 200);
    }
    let mut also_working = server.begin_scrape().await;
    let refused = server.connect().await.until_closed().await;
    let refused = Answer::parse(&refused).unwrap();
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (503, "too many connections\n")
    );
    assert_eq!(refused.header("content-length"), Some("21"));
    server.open_gate();
    assert_eq!(working.answer().await.status, 200);
    assert_eq!(also_working.answer().await.status, 200);
    assert_serves(&server).await;
}

const PATIENT: &str = "X-Prometheus-Scrape-Timeout-Seconds: 600\r\n";

/// How many of these have been answered with this status.
fn answered(clients: &[Client], status: u16) -> usize {
    let expected = format!("HTTP/1.1 {status}");
    let is_answered = |client: &&Client| {
        let mut begin = [0; 12];
        let read = client.0.try_read(&mut begin);
        matches!(read, Ok(12)) && begin == *expected.as_bytes()
    };
    clients.iter().filter(is_answered).count()
}

/// Sends a request over each of many connections.
async fn send_all(server: &Server, number: usize, request: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..number {
        let mut client = server.connect().await;
        client.send(request).await;
        clients.push(client);
    }
    clients
}

/// Scrapes of patient clients while pulls hang.
#[tokio::test]
async fn a_scrape_that_finds_too_many_waiting_is_answered_at_once() {
    let server = start_held(Settings::default()).await;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{PATIENT}\r\n");
    let clients = send_all(&server, 70, &request).await;
    until(|| server.answered().get("200") == Some(&6)).await;
    assert_eq!(server.in_flight(), 64);
    for path in ["/metrics", "/probe?target=a"] {
        let answer = server.ask_with("GET", path, PATIENT).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    assert_eq!(server.ask("GET", "/-/healthy").await.status, 200);
    assert_eq!(server.in_flight(), 64);
    server.open_gate();
    until(|| server.in_flight() == 0).await;
    assert_eq!(server.answered(), [("200".to_owned(), 72)].into());
    let mut all = 0;
    until(|| {
        all += answered(&clients, 200);
        all == 70
    })
    .await;
}

#[tokio::test]
async fn reloads_that_hang_leave_room_for_health_checks() {
    let server = start_held(Settings {
        enable_lifecycle: true,
        ..with_limits(|limits| limits.connections = 80)
    })
    .await;
    let request = "POST /-/reload HTTP/1.1\r\nHost: x\r\n\r\n";
    let clients = send_all(&server, 70, request).await;
    let mut refused = 0;
    until(|| {
        refused += answered(&clients, 503);
        refused == 6
    })
    .await;
    assert_eq!(server.ask("GET", "/-/healthy").await.status, 200);
    server.open_gate();
    let mut reloaded = 0;
    until(|| {
        reloaded += answered(&clients, 200);
        reloaded == 64
    })
    .await;
    // The first one, and one for all that waited.
    assert!(server.reloads.load(Ordering::SeqCst) <= 2);
}
