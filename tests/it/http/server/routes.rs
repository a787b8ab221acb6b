//! What each path answers.

use std::sync::atomic::Ordering;

use cec_exporter::server::Settings;

use crate::support::server::{Answer, KNOWN, Server, start, with_lifecycle};

/// The targets with call metrics in an answer, in its order.
pub(super) fn targets(answer: &Answer) -> Vec<String> {
    let up = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("cec_up{target=\""));
    let up = up.filter_map(|rest| rest.strip_suffix("\"} 1"));
    up.map(str::to_owned).collect()
}

pub(super) async fn get(server: &Server, path: &str) -> Answer {
    let answer = server.ask("GET", path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer
}

/// A series of the process, and not of a target.
const PROCESS: &str = "\ncec_exporter_build_info{";

#[tokio::test]
async fn a_scrape_of_everything() {
    let server = start(Settings::default()).await;
    let answer = get(&server, "/metrics?collect[]=x&y").await;
    let content_type = answer.header("content-type");
    assert_eq!(
        content_type,
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(targets(&answer), ["<a>", "a", "b/c d", "客服"]);
    assert!(answer.body.contains(PROCESS));
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let server = start(Settings::default()).await;
    for path in ["/metrics", "/probe?target=a", "/", "/-/healthy", "/-/ready"] {
        // What the system says of the process may get another digit between the two.
        let mut has_same_length = false;
        for _ in 0..5 {
            let get = server.ask("GET", path).await;
            let head = server.ask("HEAD", path).await;
            assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"));
            has_same_length |= head.header("content-length") == get.header("content-length");
        }
        assert!(has_same_length, "{path}");
    }
}

#[tokio::test]
async fn targets_are_decoded_and_restrict_the_answer() {
    let server = start(Settings::default()).await;
    let path = "/metrics?target=b%2Fc+d&target=%E5%AE%A2%e6%9c%8d&target=b/c%20d";
    let answer = get(&server, path).await;
    assert_eq!(targets(&answer), ["b/c d", "客服"]);
    assert!(answer.body.contains(PROCESS));

    let answer = get(&server, "/probe?module=m&target=a").await;
    assert_eq!(targets(&answer), ["a"]);
    assert!(!answer.body.contains(PROCESS));
}

#[tokio::test]
async fn an_unknown_target_is_answered_with_the_known_ones() {
    let server = start(Settings::default()).await;
    let unknown = format!("unknown target \"x<\"; known: {KNOWN}\n");
    for path in ["/metrics?target=a&target=x%3C", "/probe?target=x%3C"] {
        let answer = server.ask("GET", path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (404, &*unknown),
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
    assert_eq!(server.answered(), [("400".to_owned(), 6)].into());
}

#[tokio::test]
async fn the_telemetry_path_can_be_moved() {
    let telemetry_path = "/internal/cec".parse().unwrap();
    let server = start(Settings {
        telemetry_path,
        ..Settings::default()
    })
    .await;
    assert_eq!(targets(&get(&server, "/internal/cec").await).len(), 4);
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
    assert!(answer.body.contains(", &#60;a&#62;."), "{}", answer.body);
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
    let unknown = format!("unknown target \"<b>\"; known: {KNOWN}\n");
    assert_eq!((answer.status, &*answer.body), (404, &*unknown));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
}

#[tokio::test]
async fn other_methods_are_told_which_to_use() {
    let server = start(with_lifecycle()).await;
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
    assert_eq!(server.reloads.load(Ordering::SeqCst), 0);
    assert_eq!(server.scrapes(), 0);
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
        assert_eq!(targets(&get(&server, uri).await).len(), 4, "{uri}");
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
        route_prefix: "/cec".parse().unwrap(),
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
    let expected = ["a", "b/c d", "客服", "<a>"]
        .map(|name| serde_json::json!({"targets": [name], "labels": {"__param_target": name}}));
    assert_eq!(groups, serde_json::Value::from(expected.to_vec()));
    assert_eq!(server.ask("POST", "/sd").await.status, 405);
}
