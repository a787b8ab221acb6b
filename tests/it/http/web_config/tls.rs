//! TLS as such: what is spoken, and what is refused.

use std::fs;

use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

use super::support::{Files, TLS, connect, get};
use crate::support::certificates::Authority;
use crate::support::server::start;

#[tokio::test]
async fn an_empty_file_is_plain_http() {
    let files = Files::new("");
    let server = files.start().await;
    assert_eq!(server.ask("GET", "/metrics").await.status, 200);
    assert!(files.get(&server, "/metrics").await.is_err());
    // One that is gone is no empty one.
    fs::remove_file(files.path("web.yml")).unwrap();
    assert_eq!(server.ask("GET", "/metrics").await.status, 500);
    // Nor is one with TLS that cannot be spoken.
    files.write("web.yml", &TLS.replace("cert.pem", "gone.pem"));
    assert_eq!(server.ask("GET", "/metrics").await.status, 500);
    assert_eq!(server.scrapes(), 1);
}

#[tokio::test]
async fn no_file_is_plain_http() {
    let server = start(cec_exporter::server::Settings::default()).await;
    assert_eq!(server.ask("GET", "/metrics").await.status, 200);
}

#[tokio::test]
async fn requests_come_over_tls() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let answer = files.get(&server, "/metrics").await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("cec_up{target=\"a\"} 1\n"));
    // A client that does not trust the certificate finds that out itself.
    let stranger = Authority::new().client(None);
    let error = get(&server, &stranger, "/metrics", "").await.unwrap_err();
    assert!(error.contains("InvalidCertificate"), "{error}");
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let client = files.authority.client(None);
    let mut connection = connect(&server, &client).await.unwrap();
    for _ in 0..3 {
        let answer = connection.get("/-/healthy").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "Healthy.\n"));
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole() {
    let files = Files::new(TLS);
    let server = files.start().await;
    let answer = files.get(&server, "/metrics").await.unwrap();
    let length = answer.body.len();
    assert_eq!(answer.header("content-length"), Some(&*length.to_string()));
    assert!(length > 64 << 10, "more than one TLS record: {length}");
    assert!(answer.body.ends_with('\n'));
}

#[tokio::test]
async fn a_plain_client_is_told_in_plain() {
    let files = Files::new(TLS);
    let server = files.start().await;
    for method in ["GET", "HEAD", "POST", "OPTIONS"] {
        let answer = server.ask(method, "/metrics").await;
        let body = "Client sent an HTTP request to an HTTPS server.\n";
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (400, body),
            "{method}"
        );
        assert_eq!(
            answer.header("content-length"),
            Some(body.len().to_string().as_str())
        );
    }
    assert_eq!(server.scrapes(), 0);
}

/// A hello of a client that speaks TLS 1.1 at most, with suites of that time and of now.
fn hello_of_tls11() -> Vec<u8> {
    let mut body = vec![3, 2];
    body.extend([7; 32]);
    // No session; suites; no compression.
    body.push(0);
    body.extend([0, 8, 0xc0, 0x2f, 0xc0, 0x13, 0xc0, 0x0a, 0, 0x2f]);
    body.extend([1, 0]);
    let extensions: &[u8] = &[
        0, 10, 0, 6, 0, 4, 0, 29, 0, 23, // groups
        0, 11, 0, 2, 1, 0, // points
        0, 13, 0, 6, 0, 4, 4, 3, 8, 4, // signatures
    ];
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend((body.len() as u16).to_be_bytes());
    handshake.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend((handshake.len() as u16).to_be_bytes());
    record.extend(handshake);
    record
}

#[tokio::test]
async fn a_client_of_tls_1_1_is_refused() {
    // The second is what the toolkit would speak 1.1 with.
    for web in [TLS.to_owned(), format!("{TLS}  min_version: TLS10\n")] {
        let files = Files::new(&web);
        let server = files.start().await;
        let answer = server.say(hello_of_tls11()).await;
        // A fatal alert, protocol_version.
        assert_eq!(answer.get(..1), Some(&[21][..]), "{answer:?}");
        assert_eq!(answer.get(5..), Some(&[2, 70][..]), "{answer:?}");
        // The same, but for the versions, is one that is understood.
        let mut hello = hello_of_tls11();
        hello[10] = 3;
        let answer = server.say_and_leave(&hello).await;
        assert_ne!(answer.get(5..), Some(&[2, 70][..]), "{answer:?}");
    }
}

#[tokio::test]
async fn versions_are_those_that_were_chosen() {
    let cases = [
        ("", [true, true]),
        ("  min_version: TLS13\n", [false, true]),
        ("  max_version: TLS12\n", [true, false]),
        ("  min_version: TLS10\n", [true, true]),
    ];
    for (lines, [with_12, with_13]) in cases {
        let files = Files::new(&format!("{TLS}{lines}"));
        let server = files.start().await;
        for (version, expected) in [(&TLS12, with_12), (&TLS13, with_13)] {
            let client = files.authority.client_with(&[version], None);
            let answer = get(&server, &client, "/metrics", "").await;
            assert_eq!(answer.is_ok(), expected, "{lines} {version:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn suites_and_curves_are_those_that_were_chosen() {
    let files = Files::new(&format!(
        "{TLS}  cipher_suites:\n  - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\n  - \
         TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\n  curve_preferences: [CurveP384]\n"
    ));
    let server = files.start().await;
    let client = files.authority.client_with(&[&TLS12], None);
    let stream = connect(&server, &client).await.unwrap();
    let (_, tls) = stream.0.get_ref();
    let suite = tls.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(
        suite,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    );
    let group = tls.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::secp384r1);
    // Those of TLS 1.3 are not for choosing.
    let stream = connect(&server, &files.authority.client(None))
        .await
        .unwrap();
    let (_, tls) = stream.0.get_ref();
    assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}
