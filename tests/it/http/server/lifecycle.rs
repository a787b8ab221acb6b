//! The shutdown, and clients that leave early.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cec_exporter::metrics::catalog;
use cec_exporter::server::Settings;
use tokio::net::TcpStream;

use crate::support::server::{NEVER, start, start_held, until, with_lifecycle, with_limits};

#[tokio::test]
async fn a_shutdown_answers_what_is_in_flight_and_closes_the_rest() {
    let mut server = start_held(Settings::default()).await;
    let mut idle = server.connect().await;
    assert_eq!(idle.get("/-/healthy").await.status, 200);
    let mut fresh = server.connect().await;
    let mut working = server.begin_scrape().await;

    server.shut_down();
    assert_eq!(idle.until_closed().await, b"");
    assert_eq!(fresh.until_closed().await, b"");
    assert!(TcpStream::connect(server.address).await.is_err());
    server.open_gate();
    let answer = working.answer().await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert_eq!(working.until_closed().await, b"");
    server.ended().await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let mut server = start_held(with_limits(|limits| {
        limits.shutdown = Duration::from_millis(100);
        limits.header_read = NEVER;
    }))
    .await;
    let mut slow = server.connect().await;
    slow.send("GET /met").await;
    let mut stuck = server.begin_scrape().await;
    server.shut_down();
    server.ended().await;
    assert_eq!(stuck.until_closed().await, b"");
    assert_eq!(slow.until_closed().await, b"");
}

#[tokio::test]
async fn a_shutdown_of_an_idle_server_is_immediate() {
    let mut server = start(with_limits(|limits| limits.shutdown = NEVER)).await;
    assert_eq!(server.ask("GET", "/metrics").await.status, 200);
    server.shut_down();
    server.ended().await;
}

#[tokio::test]
async fn a_reload_continues_when_its_client_leaves() {
    let server = start_held(with_lifecycle()).await;
    let references = Arc::strong_count(&server.registry);
    let mut client = server.connect().await;
    client
        .send("POST /-/reload HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    // The reload's own task holds one.
    until(|| Arc::strong_count(&server.registry) > references).await;
    drop(client);
    // Cancelled with its client it would be gone before the gate opens.
    assert_eq!(server.ask("GET", "/-/healthy").await.status, 200);
    server.open_gate();
    until(|| server.reloads.load(Ordering::SeqCst) == 1).await;
    until(|| Arc::strong_count(&server.registry) == references).await;
    assert_eq!(server.own(catalog::RELOAD_OK), 1.0);
}
