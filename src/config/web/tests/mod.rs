//! What the web configuration accepts, and how changes of the file are noticed.

mod mistakes;
mod tls_mistakes;

use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

/// A directory with a certificate, its key and another key.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let [key, other] = [(), ()].map(|()| KeyPair::generate().unwrap());
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("c.pem", &certificate);
    write("k.pem", &key.serialize_pem());
    write("other.pem", &other.serialize_pem());
    write("empty.pem", "");
    write(
        "junk.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    directory
}

fn open(directory: &TempDir, text: &str) -> Result<WebFile, String> {
    let path = directory.path().join("web.yml");
    fs::write(&path, text).unwrap();
    WebFile::open(&path).map_err(|error| {
        let error = error.to_string();
        assert!(!error.contains('\n'), "{error}");
        // The directory differs on every run.
        let here = format!("{}/", directory.path().display());
        error.replace(&here, "")
    })
}

/// A file with TLS and these lines.
fn with_tls(lines: &str) -> String {
    let lines = lines.replace('\n', "\n  ");
    format!("tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n  {lines}\n")
}

#[test]
fn an_empty_file_changes_nothing() {
    let directory = directory();
    for text in [
        "",
        "\n",
        "# nothing\n",
        "{}",
        "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n",
        "tls_server_config: {}\nbasic_auth_users: {}\n",
        "rate_limit: {burst: 7, interval: 0}\n",
    ] {
        let file = open(&directory, text).unwrap();
        assert!(file.tls().unwrap().is_none(), "{text:?}");
        let config = file.config().unwrap();
        assert!(config.users.is_empty() && config.headers.is_empty());
        assert_eq!(config.rate_limit, None);
        assert!(config.warnings.is_empty());
    }
}

#[test]
fn every_key_is_read() {
    let directory = directory();
    let text = format!(
        "tls_server_config:\n  \
           cert_file: c.pem\n  \
           key_file: k.pem\n  \
           client_ca_file: c.pem\n  \
           client_auth_type: RequireAndVerifyClientCert\n  \
           client_allowed_sans: [a, 192.0.2.1]\n  \
           min_version: TLS12\n  \
           max_version: TLS13\n  \
           cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n  \
           curve_preferences: [CurveP256, CurveP384, X25519]\n  \
           prefer_server_cipher_suites: false\n\
         http_server_config:\n  \
           http2: false\n  \
           headers:\n    \
             Content-Security-Policy: default-src 'self'\n    \
             X-Frame-Options: deny\n    \
             X-Content-Type-Options: nosniff\n    \
             X-XSS-Protection: '1'\n    \
             Strict-Transport-Security: max-age=1\n\
         basic_auth_users:\n  \
           alice: {HASH}\n  \
           客服: '{HASH}'\n\
         rate_limit: {{burst: 5, interval: 1m30s}}\n"
    );
    let file = open(&directory, &text).unwrap();
    let tls = file.tls().unwrap().unwrap();
    assert!(!tls.ignore_client_order);
    assert!(
        !tls.session_storage.can_cache() && tls.send_tls13_tickets == 0,
        "a resumed session would skip the client's certificate"
    );
    assert_eq!(tls.alpn_protocols, [b"http/1.1"]);
    let provider = tls.crypto_provider();
    assert_eq!(provider.cipher_suites.len(), 4);
    let curves: Vec<_> = provider.kx_groups.iter().map(|g| g.name()).collect();
    assert_eq!(format!("{curves:?}"), "[secp256r1, secp384r1, X25519]");
    let config = file.config().unwrap();
    let users: Vec<_> = config.users.iter().collect();
    assert_eq!(users[0].0, "alice");
    assert_eq!(users[0].1.expose(), HASH);
    assert_eq!(users[1].0, "客服");
    assert_eq!(config.headers.len(), 5);
    assert_eq!(config.headers["x-xss-protection"], "1");
    let limit = config.rate_limit.unwrap();
    assert_eq!(limit.burst, 5);
    assert_eq!(limit.interval, Duration::from_secs(90));
    assert!(!format!("{file:?}").contains(HASH), "{file:?}");
}

/// A file of the toolkit is accepted, as long as something of a list is left.
#[test]
fn what_rustls_lacks_is_ignored_with_a_warning() {
    let directory = directory();
    let open = |more: &str| {
        let file = open(&directory, &with_tls(more)).unwrap();
        let server = file.tls().unwrap().unwrap();
        (server, file.config().unwrap().warnings.join("\n"))
    };
    let (server, warnings) = open("curve_preferences: [X25519MLKEM768, CurveP256, CurveP521]");
    assert_eq!(server.crypto_provider().kx_groups.len(), 1);
    assert_eq!(
        warnings,
        "tls_server_config.curve_preferences: ignored, as rustls, the TLS library here, lacks it: \
         X25519MLKEM768, CurveP521"
    );
    let (server, warnings) = open(
        "cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, \
         TLS_INVENTED]",
    );
    assert_eq!(server.crypto_provider().cipher_suites.len(), 4);
    assert!(
        warnings.ends_with("lacks it: TLS_RSA_WITH_AES_128_CBC_SHA, TLS_INVENTED"),
        "{warnings}"
    );
    let (_, warnings) = open("client_auth_type: VerifyClientCertIfGiven");
    assert!(
        warnings.contains("treated as RequestClientCert"),
        "{warnings}"
    );
}

#[test]
fn an_empty_policy_is_none_as_in_the_toolkit() {
    let directory = directory();
    let file = open(&directory, &with_tls("client_auth_type: ''")).unwrap();
    assert!(file.tls().unwrap().is_some());
}

#[test]
fn http_2_is_offered_unless_disabled() {
    let directory = directory();
    let offered = |more: &str| {
        let file = open(&directory, &(with_tls("") + more)).unwrap();
        file.tls().unwrap().unwrap().alpn_protocols.clone()
    };
    let both = [b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(offered(""), both);
    assert_eq!(offered("http_server_config: {http2: true}\n"), both);
    assert_eq!(offered("http_server_config: {http2: false}\n"), both[1..]);
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let directory = directory();
    for name in ["c.pem", "k.pem"] {
        let path = directory.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("\u{feff}{text}")).unwrap();
    }
    let file = open(&directory, &with_tls("")).unwrap();
    assert!(file.tls().unwrap().is_some());
}

#[test]
fn certificates_can_be_in_the_file_itself() {
    let directory = directory();
    let read = |name: &str| {
        let text = fs::read_to_string(directory.path().join(name)).unwrap();
        text.replace('\n', "\n    ")
    };
    let text = format!(
        "tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n  client_ca: |\n    {}\n  \
         client_auth_type: VerifyClientCertIfGiven\n",
        read("c.pem"),
        read("k.pem"),
        read("c.pem"),
    );
    assert!(open(&directory, &text).unwrap().tls().unwrap().is_some());
    let error = open(&directory, &text.replace("BEGIN PRIVATE", "BEGIN A")).unwrap_err();
    assert!(
        error.contains("tls_server_config.key: expected the certificate's private key"),
        "{error}"
    );
    assert!(!error.contains("MIG"), "{error}");
}

#[test]
fn old_versions_only_warn() {
    let directory = directory();
    let file = open(&directory, &with_tls("min_version: TLS10")).unwrap();
    assert_eq!(
        file.config().unwrap().warnings,
        ["tls_server_config.min_version: TLS 1.0 and 1.1 are not supported; clients need TLS 1.2"]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let directory = directory();
    let error = WebFile::open(&directory.path().join("gone.yml")).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("gone.yml: cannot be read: "), "{error}");
    let error = WebFile::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains(": cannot be read: "), "{error}");
    assert!(WebFile::open(Path::new("/dev/zero")).is_err());
}

#[test]
fn a_changed_file_is_noticed_and_an_unchanged_one_is_reused() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    let file = open(&directory, &with_tls("")).unwrap();
    let (tls, config) = (file.tls().unwrap().unwrap(), file.config().unwrap());
    assert!(Arc::ptr_eq(&tls, &file.tls().unwrap().unwrap()));
    assert!(Arc::ptr_eq(&config, &file.config().unwrap()));

    // During a renewal, key and certificate do not match for a moment.
    let key = fs::read(path("k.pem")).unwrap();
    fs::copy(path("other.pem"), path("k.pem")).unwrap();
    assert!(file.tls().is_err());
    assert!(file.config().is_ok(), "requests are not hurt by that");
    fs::write(path("k.pem"), key).unwrap();
    assert!(file.tls().is_ok());

    fs::write(path("web.yml"), with_tls("min_version: TLS13")).unwrap();
    assert!(!Arc::ptr_eq(&tls, &file.tls().unwrap().unwrap()));
    assert!(!Arc::ptr_eq(&config, &file.config().unwrap()));

    for bad in ["", "\n", "junk"] {
        fs::write(path("web.yml"), bad).unwrap();
        assert!(file.tls().is_err(), "{bad:?}");
        assert!(file.config().is_err(), "{bad:?}");
    }
    fs::write(path("web.yml"), "rate_limit: {}\n").unwrap();
    let error = file.tls().unwrap_err().to_string();
    assert!(
        error.ends_with("TLS is not turned off without a restart"),
        "{error}"
    );
    assert!(file.config().is_ok());
    fs::remove_file(path("web.yml")).unwrap();
    assert!(file.config().is_err());
    fs::write(path("web.yml"), with_tls("")).unwrap();
    assert!(file.tls().is_ok());
}
