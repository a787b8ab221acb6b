//! Users, headers and the rate limit.

use cec_exporter::server::Settings;

use super::support::{Files, TLS, authorization, get};
use crate::support::server::{Answer, Server, start};

fn user(name: &str, password: &str) -> String {
    let hash = bcrypt::hash(password, 4).unwrap();
    format!("  {name}: {hash}\n")
}

async fn ask_as(server: &Server, name: &str, password: &str) -> Answer {
    let headers = authorization(name, password);
    server.ask_with("GET", "/metrics", &headers).await
}

fn two_users() -> String {
    let (alice, bob) = (user("alice", "alice's: secret"), user("bob", "two"));
    format!("basic_auth_users:\n{alice}{bob}")
}

#[tokio::test]
async fn users_right_wrong_and_missing() {
    let files = Files::new(&two_users());
    let server = files.start().await;
    // Twice, as the second time is not the first.
    for _ in 0..2 {
        assert_eq!(
            ask_as(&server, "alice", "alice's: secret").await.status,
            200
        );
        assert_eq!(ask_as(&server, "bob", "two").await.status, 200);
        for (name, password) in [
            ("alice", "two"),
            ("alice", ""),
            ("bob", "alice's: secret"),
            ("Bob", "two"),
            ("eve", "two"),
            ("", ""),
            ("bob\0", "two"),
        ] {
            let answer = ask_as(&server, name, password).await;
            assert_eq!(answer.status, 401, "{name} {password}");
            assert_eq!(answer.header("www-authenticate"), Some("Basic"));
            assert_eq!(answer.body, "Unauthorized.\n");
        }
        for headers in [
            "",
            "Authorization: Bearer x\r\n",
            "Authorization: Basic !\r\n",
        ] {
            let answer = server.ask_with("GET", "/metrics", headers).await;
            assert_eq!(answer.status, 401, "{headers}");
        }
    }
    assert_eq!(server.scrapes(), 4);
    // Nothing is behind the door that could be told apart from outside.
    for path in [
        "/",
        "/-/healthy",
        "/-/ready",
        "/-/style.css",
        "/nowhere",
        "/probe?target=a",
    ] {
        assert_eq!(server.ask("GET", path).await.status, 401, "{path}");
    }
    assert_eq!(server.ask("POST", "/-/reload").await.status, 401);
}

#[tokio::test]
async fn users_over_tls() {
    let files = Files::new(&format!("{TLS}{}", two_users()));
    let server = files.start().await;
    let client = files.authority.client(None);
    for (headers, status) in [
        (authorization("bob", "two"), 200),
        (authorization("bob", "three"), 401),
        (authorization("bob", "two"), 200),
        (String::new(), 401),
    ] {
        let answer = get(&server, &client, "/metrics", &headers).await.unwrap();
        assert_eq!(answer.status, status, "{headers}");
    }
}

#[tokio::test]
async fn health_checks_need_no_password_behind_a_flag() {
    let files = Files::new(&two_users());
    let settings = || Settings {
        healthy_without_auth: true,
        ..files.settings()
    };
    let server = start(settings()).await;
    assert_eq!(server.ask("GET", "/-/healthy").await.status, 200);
    assert_eq!(server.ask("HEAD", "/-/healthy").await.status, 200);
    for (method, path) in [
        ("POST", "/-/healthy"),
        ("GET", "/-/healthy/"),
        ("GET", "//-/healthy"),
        ("GET", "/-/%68ealthy"),
        ("GET", "/-/../-/healthy"),
        ("GET", "/-/ready"),
        ("GET", "/metrics"),
        ("GET", "/"),
    ] {
        assert_eq!(
            server.ask(method, path).await.status,
            401,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_health_check_goes_on_when_the_file_is_bad() {
    let files = Files::new(&two_users());
    let settings = Settings {
        healthy_without_auth: true,
        ..files.settings()
    };
    let server = start(settings).await;
    // Too late for the connection: that must be plain or not.
    let mut client = server.connect().await;
    assert_eq!(client.get("/-/healthy").await.status, 200);
    files.write("web.yml", "junk");
    assert_eq!(client.get("/-/healthy").await.status, 200);
    assert_eq!(client.get("/metrics").await.status, 500);
}

#[tokio::test]
async fn headers_are_on_every_answer() {
    let web = format!(
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
         X-Content-Type-Options: nosniff\n    X-XSS-Protection: '0'\n    \
         Content-Security-Policy: default-src 'self'\n    Strict-Transport-Security: ''\n{}",
        two_users()
    );
    let files = Files::new(&web);
    let server = files.start().await;
    let right = authorization("bob", "two");
    for (path, headers, status) in [
        ("/metrics", right.as_str(), 200),
        ("/", right.as_str(), 200),
        ("/nowhere", right.as_str(), 404),
        ("/metrics", "", 401),
    ] {
        let answer = server.ask_with("GET", path, headers).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-frame-options"), Some("deny"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-xss-protection"), Some("0"));
        assert_eq!(answer.header("strict-transport-security"), None);
        // The operator's, also where there is one already.
        let policy = answer.header("content-security-policy");
        assert_eq!(policy, Some("default-src 'self'"));
    }
}

#[tokio::test]
async fn too_many_requests_are_turned_away() {
    let web = "rate_limit: {burst: 2, interval: 1h}\nhttp_server_config: {headers: \
        {X-Frame-Options: deny}}\n";
    let files = Files::new(web);
    let server = files.start().await;
    let mut client = server.connect().await;
    assert_eq!(client.get("/metrics").await.status, 200);
    assert_eq!(server.ask("GET", "/-/healthy").await.status, 200);
    let refused = client.get("/metrics").await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (429, "Too many requests.\n")
    );
    assert_eq!(refused.header("x-frame-options"), Some("deny"));
    assert_eq!(server.ask("GET", "/-/healthy").await.status, 429);
    assert_eq!(server.scrapes(), 1);
    // No limit any more.
    files.write("web.yml", "rate_limit: {burst: 2, interval: 0}\n");
    for _ in 0..5 {
        assert_eq!(client.get("/metrics").await.status, 200);
    }
}
