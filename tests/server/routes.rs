//! What each path answers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cec_exporter::server::{Scope, Settings};

use crate::support::{Scrape, Server, start, start_held, until};

const METRICS: &str = "cec_up{target=\"a\"} 1\n";

async fn only_scrape(server: &Server) -> Scrape {
    let mut scrapes = server.site.scrapes.lock().unwrap();
    assert_eq!(scrapes.len(), 1, "{scrapes:?}");
    scrapes.remove(0)
}

#[tokio::test]
async fn a_scrape_of_everything() {
    let server = start(Settings::default()).await;
    let answer = server.ask("GET", "/metrics?collect[]=x&y").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, METRICS));
    let content_type = answer.header("content-type");
    assert_eq!(
        content_type,
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let scrape = only_scrape(&server).await;
    assert_eq!((scrape.targets, scrape.scope), (None, Scope::Everything));
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let server = start(Settings::default()).await;
    for path in ["/metrics", "/probe?target=a", "/", "/-/healthy", "/-/ready"] {
        let get = server.ask("GET", path).await;
        let head = server.ask("HEAD", path).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"));
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

#[tokio::test]
async fn targets_are_decoded_and_passed_on() {
    let server = start(Settings::default()).await;
    let path = "/metrics?target=b%2Fc+d&target=%E5%AE%A2%e6%9c%8d&target=b/c%20d";
    assert_eq!(server.ask("GET", path).await.status, 200);
    let scrape = only_scrape(&server).await;
    assert_eq!(scrape.targets.unwrap(), ["b/c d", "客服"]);
    assert_eq!(scrape.scope, Scope::Everything);

    assert_eq!(
        server.ask("GET", "/probe?module=m&target=a").await.status,
        200
    );
    let scrape = only_scrape(&server).await;
    assert_eq!(
        (scrape.targets.unwrap(), scrape.scope),
        (vec!["a".to_owned()], Scope::TargetOnly)
    );
}

#[tokio::test]
async fn an_unknown_target_is_answered_with_the_known_ones() {
    let server = start(Settings::default()).await;
    let unknown = "unknown target \"x<\"; known: a, b/c d, 客服\n";
    for path in ["/metrics?target=a&target=x%3C", "/probe?target=x%3C"] {
        let answer = server.ask("GET", path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (404, unknown),
            "{path}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(server.ask("GET", "/metrics?target=").await.status, 404);
}

#[tokio::test]
async fn a_probe_needs_exactly_one_target() {
    let server = start(Settings::default()).await;
    for query in [
        "",
        "?",
        "?target=",
        "?target",
        "?target=a&target=b",
        "?targets=a",
    ] {
        let answer = server.ask("GET", &format!("/probe{query}")).await;
        assert_eq!(answer.status, 400, "{query:?}");
        assert!(
            answer.body.contains("/probe?target=NAME"),
            "{}",
            answer.body
        );
    }
    assert!(server.site.scrapes.lock().unwrap().is_empty());
}

/// Only that the header and the offset arrive; the arithmetic has its own tests.
#[tokio::test]
async fn the_time_of_a_scrape_is_passed_on() {
    let timeout_offset = Duration::from_secs(20);
    let server = start(Settings {
        timeout_offset,
        ..Settings::default()
    })
    .await;
    let header = "X-Prometheus-Scrape-Timeout-Seconds: 320.5\r\n";
    for path in ["/metrics", "/probe?target=a"] {
        server.ask_with("GET", path, header).await;
        let wait = only_scrape(&server).await.wait.as_secs_f64();
        assert!(wait > 200.0 && wait <= 300.5, "{wait}");
    }
    server
        .ask_with(
            "GET",
            "/metrics",
            "X-Prometheus-Scrape-Timeout-Seconds: \u{e9}\r\n",
        )
        .await;
    let wait = only_scrape(&server).await.wait.as_secs_f64();
    assert!(
        wait <= 5.0,
        "half of the default, as the offset is longer: {wait}"
    );
}

#[tokio::test]
async fn the_telemetry_path_can_be_moved() {
    let telemetry_path = "/internal/cec".to_owned();
    let server = start(Settings {
        telemetry_path,
        ..Settings::default()
    })
    .await;
    assert_eq!(server.ask("GET", "/internal/cec").await.body, METRICS);
    assert_eq!(server.ask("GET", "/metrics").await.status, 404);
    let page = server.ask("GET", "/").await.body;
    assert!(page.contains("href=\"./internal/cec\""), "{page}");
}

#[tokio::test]
async fn the_status_page_is_locked_down() {
    let server = start(Settings::default()).await;
    let answer = server.ask("GET", "/?x=y").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.body.contains("Down: &lt;a&gt;."), "{}", answer.body);
    assert!(answer.body.contains("0.0.0-test"));

    assert!(
        answer.body.contains("href=\"./-/style.css\""),
        "{}",
        answer.body
    );
    let style = server.ask("GET", "/-/style.css").await;
    assert_eq!(
        (style.status, style.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
}

#[tokio::test]
async fn the_status_page_can_show_one_target() {
    let server = start(Settings::default()).await;
    let answer = server.ask("GET", "/?target=%3Ca%3E").await;
    assert_eq!(answer.status, 200);
    let link = "<a href=\"./\">all targets</a>";
    assert!(answer.body.contains(link), "{}", answer.body);
    assert!(!server.ask("GET", "/").await.body.contains(link));
    let answer = server.ask("GET", "/?target=%3Ca%3E&target=%3Cb%3E").await;
    let unknown = "unknown target \"<b>\"; known: <a>\n";
    assert_eq!((answer.status, answer.body.as_str()), (404, unknown));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
}

/// Only the counts of the server; the metrics made of them are in `tests/scrapes.rs`.
#[tokio::test]
async fn each_scrape_is_counted_by_how_it_ended() {
    let server = start_held(Settings {
        max_requests: 1,
        ..Settings::default()
    })
    .await;
    let mut first = server.connect().await;
    first.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until(|| server.site.begun.load(Ordering::SeqCst) == 1).await;
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
    assert_eq!(server.site.in_flight.load(Ordering::SeqCst), 1);
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
    assert_eq!(server.site.in_flight.load(Ordering::SeqCst), 0);
    let ended = server.site.answered.lock().unwrap().clone();
    let expected = [503, 503, 503, 200, 404, 400, 200].map(Some);
    assert_eq!(ended, expected);
}

#[tokio::test]
async fn a_scrape_whose_client_leaves_makes_room_and_counts_as_no_answer() {
    let server = start_held(Settings {
        max_requests: 1,
        ..Settings::default()
    })
    .await;
    let mut client = server.connect().await;
    client
        .send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    until(|| server.site.begun.load(Ordering::SeqCst) == 1).await;
    drop(client);
    until(|| server.site.in_flight.load(Ordering::SeqCst) == 0).await;
    assert_eq!(*server.site.answered.lock().unwrap(), [None]);
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
            let mut client = server.connect().await;
            client
                .send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                .await;
            clients.push(client);
        }
        until(|| server.site.begun.load(Ordering::SeqCst) == scrapes).await;
        let more = server.connect().await.get("/probe").await.status;
        assert_eq!(more, if max_requests == 0 { 400 } else { 503 });
        server.open_gate();
        for client in &mut clients {
            assert_eq!(client.answer().await.status, 200);
        }
    }
}

#[tokio::test]
async fn health_and_readiness() {
    let server = start(Settings::default()).await;
    let healthy = server.ask("GET", "/-/healthy").await;
    assert_eq!((healthy.status, healthy.body.trim()), (200, "Healthy."));
    assert_eq!(server.ask("GET", "/-/ready").await.status, 200);
    server.site.not_ready.store(true, Ordering::SeqCst);
    assert_eq!(server.ask("GET", "/-/ready").await.status, 503);
    assert_eq!(server.ask("GET", "/-/healthy").await.status, 200);
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
    assert_eq!(server.site.reloads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn reload_tells_how_it_went() {
    let server = start(Settings {
        enable_lifecycle: true,
        ..Settings::default()
    })
    .await;
    assert_eq!(server.ask("POST", "/-/reload").await.status, 200);
    assert_eq!(server.site.reloads.load(Ordering::SeqCst), 1);
    server.site.reload_fails.store(true, Ordering::SeqCst);
    let answer = server.ask("POST", "/-/reload").await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.contains("cec_exporter.yml:3:5: bad key"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn other_methods_are_told_which_to_use() {
    let server = start(Settings {
        enable_lifecycle: true,
        ..Settings::default()
    })
    .await;
    for path in ["/metrics", "/probe?target=a", "/", "/-/healthy", "/-/ready"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let answer = server.ask(method, path).await;
            let told = (answer.status, answer.header("allow"));
            assert_eq!(told, (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
    for method in ["GET", "HEAD", "PUT"] {
        let answer = server.ask(method, "/-/reload").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("POST")),
            "{method}"
        );
    }
    assert_eq!(server.site.reloads.load(Ordering::SeqCst), 0);
    assert!(server.site.scrapes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn all_else_is_not_found() {
    let server = start(Settings::default()).await;
    let paths = [
        "/nothing",
        "//metrics",
        "/metrics/",
        "/metrics/../",
        "/metrics/../metrics",
        "/./metrics",
        "/%6detrics",
        "/Metrics",
        "/metrics%00",
        "/metrics;x",
        "/-/",
        "/-/healthy/",
        "//",
        "/favicon.ico",
        "/etc/passwd",
        "/../../etc/passwd",
        "//evil.example/metrics",
    ];
    for path in paths {
        let answer = server.ask("GET", path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer
                .body
                .contains("/metrics, /probe?target=NAME, /sd, /,"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn a_uri_may_come_with_its_host() {
    let server = start(Settings::default()).await;
    let asked = [
        "http://elsewhere.example/metrics",
        "http://elsewhere.example:1/metrics?x=y",
    ];
    for uri in asked {
        assert_eq!(server.ask("GET", uri).await.body, METRICS, "{uri}");
    }
    assert_eq!(
        server.ask("GET", "http://elsewhere.example").await.status,
        200
    );
    assert_eq!(server.ask("OPTIONS", "*").await.status, 404);
    // The server is no proxy.
    let connect = server.ask("CONNECT", "elsewhere.example:443").await;
    assert!(connect.status >= 400, "{connect:?}");
}

#[tokio::test]
async fn a_prefix_stands_in_front_of_every_path() {
    let server = start(Settings {
        route_prefix: "/cec".to_owned(),
        ..Settings::default()
    })
    .await;
    for path in [
        "/metrics",
        "/probe?target=a",
        "/",
        "/sd",
        "/-/healthy",
        "/-/ready",
        "/-/style.css",
    ] {
        let answer = server.ask("GET", &format!("/cec{path}")).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    for path in ["/", "/cec"] {
        let answer = server.ask("GET", path).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some("/cec/")),
            "{path}"
        );
    }
    for path in [
        "/metrics",
        "/-/healthy",
        "/cecmetrics",
        "/cec/cec/metrics",
        "/cec//metrics",
    ] {
        let answer = server.ask("GET", path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains(" /cec/metrics,"), "{}", answer.body);
    }
}

#[tokio::test]
async fn targets_are_discovered() {
    let server = start(Settings::default()).await;
    let answer = server.ask("GET", "/sd").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let groups: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let expected = serde_json::json!([
        {"targets": ["<a>"], "labels": {"__param_target": "<a>"}},
    ]);
    assert_eq!(groups, expected);
    assert_eq!(server.ask("POST", "/sd").await.status, 405);
}
