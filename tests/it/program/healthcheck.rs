//! The health check of containers, against the program itself and against what is not it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Output;
use std::thread;

use crate::support::certificates::Identity;
use crate::support::process::{Exporter, configuration, run, target};
use crate::support::silent::free_address;
use tempfile::TempDir;

fn check(address: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let flag = format!("--web.listen-address={address}");
    run(directory.path(), &["healthcheck", &flag])
}

fn text(output: &Output) -> String {
    let all = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8(all).unwrap()
}

/// An exporter whose only target cannot be reached; that is no matter of its health.
fn exporter(web: &str) -> (Exporter, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let made = Identity::self_signed(|_| ());
    std::fs::write(path("cert.pem"), &made.pem).unwrap();
    std::fs::write(path("key.pem"), made.key.serialize_pem()).unwrap();
    std::fs::write(path("web.yml"), web).unwrap();
    let flag = format!("--web.config.file={}", path("web.yml").display());
    let config = configuration(&[target("a", "http://127.0.0.1:9", "")]);
    // The files are read anew for each connection.
    (Exporter::start_with(&config, &[&flag]), directory)
}

#[test]
fn an_exporter_that_answers_is_healthy_whatever_it_asks_of_clients() {
    let tls = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n";
    let clients = "tls_server_config: {cert_file: cert.pem, key_file: key.pem, \
        client_ca_file: cert.pem, client_auth_type: RequireAndVerifyClientCert}\n";
    let hash = bcrypt::hash("right", 4).unwrap();
    let users = format!("basic_auth_users: {{alice: {hash}}}\n");
    for (web, status) in [
        ("", 200),
        (tls, 400),
        (clients, 400),
        (&users, 401),
        (&format!("{tls}{users}"), 400),
    ] {
        let (exporter, _files) = exporter(web);
        let output = check(&exporter.address);
        let expected = format!("healthy: {} answered {status}\n", exporter.address);
        assert_eq!(text(&output), expected, "{web}");
        assert!(output.status.success(), "{web}");
        // As the exporter was told: on all addresses.
        let (_, port) = exporter.address.rsplit_once(':').unwrap();
        assert!(check(&format!(":{port}")).status.success(), "{web}");
    }
}

/// A server that gives everyone this answer, and closes.
fn saying(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer);
        }
    });
    address
}

#[test]
fn whatever_else_is_there_is_not() {
    for (answer, expected) in [
        (&b"HTTP/1.1 502 Bad Gateway\r\n\r\n"[..], "answered 502"),
        (b"HTTP/1.1 199 ", "answered 199"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "is not HTTP"),
        (b"HTTP/1.1 2", "early eof"),
        (b"", "early eof"),
    ] {
        let output = check(&saying(answer));
        let told = text(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with("unhealthy: 127.0.0.1:"), "{told}");
        assert!(told.contains(expected), "{told}");
    }
    let nobody = free_address();
    let told = text(&check(&nobody.to_string()));
    assert!(told.contains("refused"), "{told}");
    // Both families are tried.
    let told = text(&check(&format!(":{}", nobody.port())));
    assert!(told.contains("; [::1]:"), "{told}");
}

/// One that accepts and says nothing: the kernel answers for it, it does not.
#[test]
fn one_that_hangs_is_not_waited_for_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = check(&listener.local_addr().unwrap().to_string());
    assert!(text(&output).contains("timed out"), "{}", text(&output));
    assert_eq!(output.status.code(), Some(1));
}
