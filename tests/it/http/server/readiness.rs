//! Health, readiness and reloads over HTTP.

use std::sync::atomic::Ordering;

use cec_exporter::server::Settings;

use super::routes::{get, targets};
use crate::support::server::{start, start_not_ready, with_lifecycle};

#[tokio::test]
async fn health_does_not_wait_for_readiness() {
    let server = start_not_ready(Settings::default(), 1).await;
    let healthy = server.ask("GET", "/-/healthy").await;
    assert_eq!((healthy.status, healthy.body.trim()), (200, "Healthy."));
    // An empty list of targets would make Prometheus forget them.
    for path in ["/-/ready", "/sd"] {
        let answer = server.ask("GET", path).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("1"))
        );
        assert!(answer.body.starts_with("Not ready"), "{}", answer.body);
    }
    let page = get(&server, "/").await.body;
    assert!(
        page.contains("Loading configuration and storage."),
        "{page}"
    );
    let timeout = "X-Prometheus-Scrape-Timeout-Seconds: 0.01\r\n";
    assert_eq!(
        server.ask_with("GET", "/metrics", timeout).await.status,
        503
    );
    // A scrape with time left waits for it.
    let mut waiting = server.begin_scrape().await;
    server.load().await;
    let answer = waiting.answer().await;
    assert_eq!((answer.status, targets(&answer).len()), (200, 4));
    assert_eq!(server.ask("GET", "/-/ready").await.status, 200);
}

#[tokio::test]
async fn reload_is_off_unless_enabled() {
    let server = start(Settings::default()).await;
    let answer = server.ask("POST", "/-/reload").await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.body.contains("--web.enable-lifecycle"),
        "{}",
        answer.body
    );
    assert_eq!(server.reloads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn reload_tells_how_it_went() {
    let server = start(with_lifecycle()).await;
    assert_eq!(server.ask("POST", "/-/reload").await.status, 200);
    assert_eq!(server.reloads.load(Ordering::SeqCst), 1);
    server.reload_fails.store(true, Ordering::SeqCst);
    let answer = server.ask("POST", "/-/reload").await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.contains("targets[0].nonsense"),
        "{}",
        answer.body
    );
}
