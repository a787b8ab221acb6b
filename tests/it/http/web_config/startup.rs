//! The program itself with a web configuration.

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};

use super::support::{Files, TLS};
use crate::support::silent::free_address;

/// Runs the program with `web.yml`.
fn run(files: &Files, web_file: &str, address: SocketAddr) -> Output {
    files.write(
        "cec_exporter.yml",
        "targets:\n- name: a\n  endpoint: http://127.0.0.1:9\n  app_key: k\n  app_secret: s\n  \
         user_id: '1'\n",
    );
    let path = |name: &str| files.path(name).display().to_string();
    Command::new(env!("CARGO_BIN_EXE_cec_exporter"))
        .arg(format!("--config.file={}", path("cec_exporter.yml")))
        .arg(format!("--web.config.file={}", path(web_file)))
        .arg(format!("--web.listen-address={address}"))
        .arg("--storage.in-memory")
        .output()
        .unwrap()
}

#[test]
fn a_bad_file_is_one_line_and_the_end() {
    let files = Files::new("");
    let address = free_address();
    for (web, expected) in [
        (
            "junk",
            "web.yml:1:1: expected a mapping with keys such as tls_server_config",
        ),
        (
            "tls_config: {}",
            "web.yml:1:1: tls_config: unknown key; the keys here are ",
        ),
        (
            "tls_server_config: {key_file: key.pem}",
            "web.yml:1:20: tls_server_config.cert_file: expected cert_file or cert",
        ),
        (
            "tls_server_config: {cert_file: cert.pem}",
            "web.yml:1:20: tls_server_config.key_file: expected key_file or key",
        ),
        (
            "tls_server_config: {cert_file: gone.pem, key_file: key.pem}",
            "web.yml:1:32: tls_server_config.cert_file: expected a readable file",
        ),
        (
            "basic_auth_users: {alice: hunter2}",
            "web.yml:1:27: basic_auth_users.alice: expected a bcrypt hash",
        ),
        (
            &format!("{TLS}  min_version: TLS9\n"),
            "web.yml:4:16: tls_server_config.min_version: expected TLS12 or TLS13",
        ),
        (
            &format!("{TLS}  cipher_suites: [X]\n"),
            "web.yml:4:19: tls_server_config.cipher_suites[0]: expected one of TLS_AES_256_GCM_SHA384, ",
        ),
    ] {
        files.write("web.yml", web);
        let output = run(&files, "web.yml", address);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        let error = error.strip_suffix('\n').unwrap();
        assert!(!error.contains('\n'), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert!(TcpStream::connect(address).is_err());
    }
    let output = run(&files, "gone.yml", address);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("gone.yml: cannot be read: "), "{error}");
}

/// A key where its path belongs, as people paste it.
#[test]
fn a_pasted_key_is_not_shown() {
    let files = Files::new("");
    let key = files.authority.server().key.serialize_pem();
    let indented = key.replace('\n', "\n    ");
    let secret = key.lines().nth(1).unwrap();
    let whole = format!("|\n    {indented}\n");
    for (name, other, pasted) in [
        ("key_file", "cert_file: cert.pem", whole.as_str()),
        ("key_file", "cert_file: cert.pem", secret),
        ("cert_file", "key_file: key.pem", &whole),
        (
            "client_ca_file",
            "cert_file: cert.pem\n  key_file: key.pem",
            &whole,
        ),
    ] {
        let web = format!("tls_server_config:\n  {other}\n  {name}: {pasted}\n");
        files.write("web.yml", &web);
        let output = run(&files, "web.yml", free_address());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(!error.contains(secret), "{error}");
        let place = format!(": tls_server_config.{name}: expected the path of a file");
        let place = if pasted == secret {
            ": tls_server_config.key_file: "
        } else {
            &place
        };
        assert!(error.contains(place), "{error}");
    }
}
