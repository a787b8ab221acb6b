//! How many scrapes are answered at once, and how each is counted.

use cec_exporter::server::Settings;

use crate::support::server::{start_held, until};

#[tokio::test]
async fn each_scrape_is_counted_by_how_it_ended() {
    let server = start_held(Settings {
        max_requests: 1,
        ..Settings::default()
    })
    .await;
    let mut first = server.begin_scrape().await;
    for path in ["/metrics", "/probe?target=a", "/probe"] {
        let refused = server.ask("GET", path).await;
        let told = (refused.status, refused.body.as_str());
        let reason = "Too many scrapes at once; --web.max-requests allows 1.\n";
        assert_eq!(told, (503, reason), "{path}");
    }
    // People and health checks are no scrapes.
    for path in ["/", "/-/healthy", "/-/ready"] {
        assert_eq!(server.ask("GET", path).await.status, 200);
    }
    assert_eq!(server.in_flight(), 1);
    server.open_gate();
    assert_eq!(first.answer().await.status, 200);
    for (method, path, status) in [
        ("GET", "/metrics?target=x", 404),
        ("GET", "/probe", 400),
        ("HEAD", "/probe?target=a", 200),
        ("POST", "/metrics", 405),
    ] {
        assert_eq!(server.ask(method, path).await.status, status);
    }
    assert_eq!(server.in_flight(), 0);
    let expected = [("200", 2), ("400", 1), ("404", 1), ("503", 3)];
    let expected = expected.map(|(code, count)| (code.to_owned(), count));
    assert_eq!(server.answered(), expected.into());
}

#[tokio::test]
async fn a_scrape_whose_client_leaves_makes_room_and_counts_as_no_answer() {
    let server = start_held(Settings {
        max_requests: 1,
        ..Settings::default()
    })
    .await;
    drop(server.begin_scrape().await);
    until(|| server.in_flight() == 0).await;
    assert!(server.answered().is_empty());
    server.open_gate();
    assert_eq!(server.ask("GET", "/metrics").await.status, 200);
}

#[tokio::test]
async fn without_a_limit_any_number_of_scrapes_is_answered() {
    for (max_requests, scrapes) in [(0, 60), (40, 40)] {
        let server = start_held(Settings {
            max_requests,
            ..Settings::default()
        })
        .await;
        let mut clients = Vec::new();
        for _ in 0..scrapes {
            clients.push(server.begin_scrape().await);
        }
        let more = server.connect().await.get("/probe").await.status;
        assert_eq!(more, if max_requests == 0 { 400 } else { 503 });
        server.open_gate();
        for client in &mut clients {
            assert_eq!(client.answer().await.status, 200);
        }
    }
}
