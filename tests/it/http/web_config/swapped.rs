//! Files that change while the server runs.

use std::fs;

use rustls::version::TLS12;

use super::support::{CLIENT_CA, Files, TLS, authorization, connect, get};
use crate::support::certificates::Authority;
use crate::support::server::{Answer, Server};

async fn status(server: &Server) -> u16 {
    server.ask("GET", "/metrics").await.status
}

fn with_user(name: &str) -> (String, String) {
    let hash = bcrypt::hash("secret", 4).unwrap();
    let users = format!("basic_auth_users:\n  {name}: {hash}\n");
    (users, authorization(name, "secret"))
}

/// The certificate that a new connection sees.
async fn served(files: &Files, server: &Server) -> Vec<u8> {
    let client = files.authority.client(None);
    let stream = connect(server, &client).await.unwrap();
    let (_, tls) = stream.0.get_ref();
    tls.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_renewed_certificate_is_served_to_the_next_connection() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let mut seen = vec![served(&files, &server).await];
    for _ in 0..3 {
        let renewed = files.authority.server();
        files.write_identity(&renewed);
        let now = served(&files, &server).await;
        assert_eq!(now, *renewed.certificate);
        assert!(!seen.contains(&now));
        seen.push(now);
    }
    // Written over in place, the name and the inode the same.
    let renewed = files.authority.server();
    fs::write(files.path("cert.pem"), &renewed.pem).unwrap();
    fs::write(files.path("key.pem"), renewed.key.serialize_pem()).unwrap();
    assert_eq!(served(&files, &server).await, *renewed.certificate);
}

#[tokio::test]
async fn a_connection_outlives_a_renewal_and_a_bad_certificate() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let client = files.authority.client(None);
    let mut open = connect(&server, &client).await.unwrap();
    files.write("key.pem", "junk");
    assert_eq!(open.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn with_a_bad_certificate_connections_are_refused_and_never_plain() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let good = fs::read_to_string(files.path("key.pem")).unwrap();
    assert_eq!(files.get(&server, "/metrics").await.unwrap().status, 200);
    let other = Authority::new().server().key.serialize_pem();
    for bad in ["", "junk", other.as_str()] {
        files.write("key.pem", bad);
        let error = files.get(&server, "/metrics").await.unwrap_err();
        assert!(error.contains("InternalError"), "{error}");
        assert_eq!(
            status(&server).await,
            400,
            "plain is not spoken in its place"
        );
    }
    fs::remove_file(files.path("key.pem")).unwrap();
    assert!(files.get(&server, "/metrics").await.is_err());
    files.write("key.pem", &good);
    assert_eq!(files.get(&server, "/metrics").await.unwrap().status, 200);
}

#[tokio::test]
async fn tls_is_not_turned_off_while_running() {
    let files = Files::new(TLS);
    let server = files.start().await;
    assert_eq!(files.get(&server, "/metrics").await.unwrap().status, 200);
    for without in ["", "junk", "rate_limit: {}\n", "tls_server_config: {}\n"] {
        files.write("web.yml", without);
        assert!(files.get(&server, "/metrics").await.is_err(), "{without:?}");
        assert_eq!(status(&server).await, 400, "{without:?}");
        assert_eq!(server.say(b"\x16").await[5..], [2, 80], "{without:?}");
    }
    fs::remove_file(files.path("web.yml")).unwrap();
    assert_eq!(status(&server).await, 400);
    files.write("web.yml", TLS);
    assert_eq!(files.get(&server, "/metrics").await.unwrap().status, 200);
    assert!(server.scrapes() > 0);
}

#[tokio::test]
async fn tls_can_be_turned_on_while_running() {
    let files = Files::new("rate_limit: {}\n");
    let server = files.start().await;
    assert_eq!(status(&server).await, 200);
    files.write("web.yml", TLS);
    assert_eq!(files.get(&server, "/metrics").await.unwrap().status, 200);
    assert_eq!(status(&server).await, 400);
}

#[tokio::test]
async fn changed_settings_of_tls_hold_for_the_next_connection() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let old = files.authority.client_with(&[&TLS12], None);
    assert!(get(&server, &old, "/metrics", "").await.is_ok());
    files.write("web.yml", &format!("{TLS}  min_version: TLS13\n"));
    // Also one that remembers its session.
    assert!(get(&server, &old, "/metrics", "").await.is_err());
    files.write("ca.pem", &Authority::new().pem);
    files.write("web.yml", &format!("{TLS}{CLIENT_CA}"));
    assert!(get(&server, &old, "/metrics", "").await.is_err());
    assert!(files.get(&server, "/metrics").await.is_err());
}

#[tokio::test]
async fn changed_users_hold_for_the_next_request() {
    let (alice, as_alice) = with_user("alice");
    let (bob, as_bob) = with_user("bob");
    let files = Files::new(&alice);
    let server = files.start().await;
    let ask = |headers: String| {
        let server = &server;
        async move { server.ask_with("GET", "/metrics", &headers).await.status }
    };
    assert_eq!(ask(as_alice.clone()).await, 200);
    assert_eq!(ask(as_bob.clone()).await, 401);
    // On a connection that was open before, too.
    let mut client = server.connect().await;
    files.write("web.yml", &bob);
    assert_eq!(client.get("/metrics").await.status, 401);
    assert_eq!(ask(as_alice).await, 401);
    assert_eq!(ask(as_bob).await, 200);
}

#[tokio::test]
async fn a_bad_file_lets_nobody_in() {
    let (alice, as_alice) = with_user("alice");
    let files = Files::new(&alice);
    let server = files.start().await;
    let mut client = server.connect().await;
    assert_eq!(client.get("/metrics").await.status, 401);
    for bad in ["", "junk", "basic_auth_users:\n  alice: secret\n"] {
        files.write("web.yml", bad);
        let answer: Answer = client.get("/metrics").await;
        assert_eq!(answer.status, 500, "{bad:?}");
        assert!(!answer.body.contains("web.yml"), "{}", answer.body);
        client
            .send(format!(
                "GET /metrics HTTP/1.1\r\nHost: x\r\n{as_alice}\r\n"
            ))
            .await;
        assert_eq!(client.answer().await.status, 500, "{bad:?}");
    }
    assert_eq!(server.scrapes(), 0);
    files.write("web.yml", &alice);
    let answer = server.ask_with("GET", "/metrics", &as_alice).await;
    assert_eq!(answer.status, 200);
}

/// An editor that writes in place leaves a file without its end for a moment.
#[tokio::test]
async fn users_are_not_turned_off_while_running() {
    let (alice, as_alice) = with_user("alice");
    let files = Files::new(&format!("rate_limit: {{}}\n{alice}"));
    let server = files.start().await;
    for without in ["rate_limit: {}\n", "rate_limit: {}\nbasic_auth_users:\n"] {
        fs::write(files.path("web.yml"), without).unwrap();
        assert_eq!(status(&server).await, 500, "{without:?}");
        let answer = server.ask_with("GET", "/metrics", &as_alice).await;
        assert_eq!(answer.status, 500, "{without:?}");
    }
    assert_eq!(server.scrapes(), 0);
    files.write("web.yml", &alice);
    assert_eq!(status(&server).await, 401);
    let answer = server.ask_with("GET", "/metrics", &as_alice).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn certificates_of_clients_are_not_turned_off_while_running() {
    let files = Files::new(TLS);
    files.write("ca.pem", &files.authority.pem);
    files.write("web.yml", &format!("{TLS}{CLIENT_CA}"));
    let server = files.start().await;
    let identity = files.authority.server();
    let known = files.authority.client(Some(&identity));
    assert!(get(&server, &known, "/metrics", "").await.is_ok());
    // Also in two steps: a file that is written in place may end before the TLS section, and then
    // within it.
    for before in [None, Some("rate_limit: {}\n")] {
        for weaker in ["", "  client_auth_type: RequestClientCert\n"] {
            if let Some(before) = before {
                fs::write(files.path("web.yml"), before).unwrap();
                assert!(files.get(&server, "/metrics").await.is_err());
            }
            fs::write(files.path("web.yml"), format!("{TLS}{weaker}")).unwrap();
            assert!(files.get(&server, "/metrics").await.is_err(), "{weaker}");
        }
    }
    files.write("web.yml", &format!("{TLS}{CLIENT_CA}"));
    assert!(get(&server, &known, "/metrics", "").await.is_ok());
}

#[tokio::test]
async fn names_of_clients_are_not_turned_off_while_running() {
    let files = Files::new(TLS);
    files.write("ca.pem", &files.authority.pem);
    let named = format!("{TLS}{CLIENT_CA}  client_allowed_sans: [prometheus]\n");
    files.write("web.yml", &named);
    let server = files.start().await;
    let other = files.authority.client(Some(&files.authority.server()));
    assert!(get(&server, &other, "/metrics", "").await.is_err());
    fs::write(files.path("web.yml"), format!("{TLS}{CLIENT_CA}")).unwrap();
    assert!(get(&server, &other, "/metrics", "").await.is_err());
    assert_eq!(server.scrapes(), 0);
    // Other names may take their place.
    files.write(
        "web.yml",
        &named.replace("prometheus", "127.0.0.1, localhost"),
    );
    assert!(get(&server, &other, "/metrics", "").await.is_ok());
}
