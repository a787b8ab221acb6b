//! What the file may say, and one line for each mistake in it.

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
        // Where the directory is has nothing to do with it.
        let here = format!("{}/", directory.path().display());
        error.replace(&here, "")
    })
}

/// Each a file's text and what is said of it.
fn assert_errors(cases: &[(&str, &str)]) {
    let directory = directory();
    for (text, expected) in cases {
        let error = open(&directory, text).err();
        let error = error.unwrap_or_else(|| panic!("nothing wrong with {text:?}"));
        assert!(
            error.starts_with(expected),
            "{text:?}\n{error}\n{expected} was expected"
        );
    }
}

/// A file with TLS and these lines in it.
fn with_tls(lines: &str) -> String {
    let lines = lines.replace('\n', "\n  ");
    format!("tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n  {lines}\n")
}

#[test]
fn an_empty_file_asks_for_nothing() {
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

/// What the toolkit serves is served, as long as something of it is left.
#[test]
fn what_only_go_has_is_left_out_with_a_warning() {
    let directory = directory();
    let open = |more: &str| {
        let text = format!("tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n  {more}\n");
        let file = open(&directory, &text).unwrap();
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
        "cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]",
    );
    assert_eq!(server.crypto_provider().cipher_suites.len(), 4);
    assert!(
        warnings.contains("lacks it: TLS_RSA_WITH_AES_128_CBC_SHA"),
        "{warnings}"
    );
    let (_, warnings) = open("client_auth_type: VerifyClientCertIfGiven");
    assert!(
        warnings.contains("treated as RequestClientCert"),
        "{warnings}"
    );
}

#[test]
fn http_2_is_offered_unless_it_is_turned_off() {
    let directory = directory();
    let offered = |more: &str| {
        let text = format!("tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n{more}");
        let server = open(&directory, &text).unwrap().tls().unwrap().unwrap();
        server.alpn_protocols.clone()
    };
    let both = [b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(offered(""), both);
    assert_eq!(offered("http_server_config: {http2: true}\n"), both);
    assert_eq!(offered("http_server_config: {http2: false}\n"), both[1..]);
}

#[test]
fn a_byte_order_mark_is_no_harm() {
    let directory = directory();
    for name in ["c.pem", "k.pem"] {
        let path = directory.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("\u{feff}{text}")).unwrap();
    }
    let text = "tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n";
    assert!(open(&directory, text).unwrap().tls().unwrap().is_some());
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
fn mistakes_of_structure() {
    assert_errors(&[
        (
            "junk",
            "web.yml:1:1: expected a mapping with keys such as tls_server_config",
        ),
        (
            "- a\n",
            "web.yml:1:1: expected a mapping with keys such as tls_server_config",
        ),
        (
            "rate_limit: b: c\n",
            "web.yml:1:13: rate_limit: expected a mapping",
        ),
        (
            "rate_limit:\n  burst: b: c\n",
            "web.yml:2:11: not valid YAML: ",
        ),
        (
            "tls_config:\n",
            "web.yml:1:1: tls_config: unknown key; the keys here are tls_server_config, \
             http_server_config, basic_auth_users, rate_limit",
        ),
        (
            "tls_server_config:\n  cert_filse: x\n",
            "web.yml:2:3: tls_server_config.cert_filse: unknown key; did you mean `cert_file`?",
        ),
        (
            "tls_server_config: x\n",
            "web.yml:1:20: tls_server_config: expected a mapping",
        ),
        (
            "http_server_config:\n  http3: true\n",
            "web.yml:2:3: http_server_config.http3: unknown key; ",
        ),
        (
            "rate_limit:\n  bust: 1\n",
            "web.yml:2:3: rate_limit.bust: unknown key; ",
        ),
        (
            "rate_limit: {burst: 1}\nrate_limit: {burst: 1}\n",
            "web.yml:2:1: rate_limit: expected only once, but it is already on line 1",
        ),
    ]);
}

#[test]
fn mistakes_with_certificates() {
    let both = "web.yml:5:10: tls_server_config.cert_file: expected a readable file, but gone.pem \
        cannot be read: ";
    assert_errors(&[
        (
            "tls_server_config:\n  key_file: k.pem\n",
            "web.yml:2:3: tls_server_config.cert_file: expected cert_file or cert, but the key is missing",
        ),
        (
            "tls_server_config:\n  cert_file: c.pem\n",
            "web.yml:2:3: tls_server_config.key_file: expected key_file or key, but the key is missing",
        ),
        (
            "tls_server_config:\n  cert_file: ''\n  key_file: ''\n",
            "web.yml:2:3: tls_server_config.cert_file: expected cert_file or cert, but the key is missing",
        ),
        (
            "tls_server_config: {min_version: TLS12}\n",
            "web.yml:1:20: tls_server_config.cert_file: expected cert_file or cert",
        ),
        (
            "tls_server_config: {cert_file: c.pem, cert: x, key_file: k.pem}\n",
            "web.yml:1:45: tls_server_config.cert: expected either cert_file or cert, got both",
        ),
        (
            "#\n#\n#\n#\ntls_server_config: {cert_file: gone.pem, key_file: k.pem}\n",
            &both.replace("5:10", "5:32"),
        ),
        (
            "tls_server_config: {cert_file: c.pem, key_file: gone.pem}\n",
            "web.yml:1:49: tls_server_config.key_file: expected a readable file, but that file cannot be read: ",
        ),
        (
            "tls_server_config: {cert_file: k.pem, key_file: k.pem}\n",
            "web.yml:1:32: tls_server_config.cert_file: expected a certificate in PEM, followed by \
             its chain, but in k.pem there is none",
        ),
        (
            "tls_server_config: {cert_file: junk.pem, key_file: k.pem}\n",
            "web.yml:1:32: tls_server_config.cert_file: expected a certificate in PEM, followed by \
             its chain, but in junk.pem it is broken",
        ),
        (
            "tls_server_config: {cert_file: c.pem, key_file: c.pem}\n",
            "web.yml:1:49: tls_server_config.key_file: expected the certificate's private key in \
             PEM, without a password, but in c.pem there is none",
        ),
        (
            "tls_server_config: {cert_file: c.pem, key_file: other.pem}\n",
            "web.yml:1:49: tls_server_config.key_file: expected the certificate's private key in \
             PEM, without a password, but in other.pem there is the key of another certificate",
        ),
        (
            "tls_server_config: {cert: hunter2, key: hunter2}\n",
            "web.yml:1:27: tls_server_config.cert: expected a certificate in PEM, followed by its \
             chain, but there is none",
        ),
    ]);
}

#[test]
fn mistakes_with_clients_certificates() {
    let cases = [
        (
            "client_auth_type: RequireClient",
            "client_auth_type: expected NoClientCert, RequestClientCert, RequireAnyClientCert, \
             VerifyClientCertIfGiven or RequireAndVerifyClientCert, got RequireClient",
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert",
            "client_auth_type: expected client_ca_file or client_ca with it",
        ),
        (
            "client_ca_file: c.pem",
            "client_ca_file: expected a client_auth_type that uses it",
        ),
        (
            "client_auth_type: NoClientCert\nclient_ca: x",
            "client_ca: expected a client_auth_type that uses it",
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: empty.pem",
            "client_ca_file: expected certificates in PEM that can be trusted, but in empty.pem \
             there are none",
        ),
        (
            "client_auth_type: RequireAnyClientCert\nclient_ca_file: junk.pem",
            "client_ca_file: expected certificates in PEM that can be trusted, but in junk.pem \
             number 1 is not one: ",
        ),
        (
            "client_auth_type: RequireAndVerifyClientCert\nclient_ca_file: gone.pem",
            "client_ca_file: expected a readable file, but gone.pem cannot be read: ",
        ),
        (
            "client_auth_type: RequestClientCert\nclient_allowed_sans: [a]",
            "client_allowed_sans: expected client_auth_type RequireAnyClientCert or \
             RequireAndVerifyClientCert with it",
        ),
        (
            "client_auth_type: RequireAnyClientCert\nclient_allowed_sans: []",
            "client_allowed_sans: expected at least one entry",
        ),
        (
            "client_auth_type: RequireAnyClientCert\nclient_allowed_sans: a",
            "client_allowed_sans: expected a list in [ ]",
        ),
    ];
    assert_tls_errors(&cases);
}

#[test]
fn mistakes_with_gos_words() {
    let cases = [
        (
            "min_version: TLS14",
            "min_version: expected TLS12 or TLS13, got TLS14",
        ),
        (
            "min_version: 1.2",
            "min_version: expected TLS12 or TLS13, got 1.2",
        ),
        (
            "max_version: TLS11",
            "max_version: expected TLS12 or TLS13: rustls, the TLS library here, has no older \
             version",
        ),
        (
            "min_version: TLS13\nmax_version: TLS12",
            "min_version: expected a version that is not above max_version",
        ),
        (
            "cipher_suites: [TLS_INVENTED]",
            "cipher_suites: expected at least one of TLS_AES_256_GCM_SHA384, ",
        ),
        (
            "cipher_suites: [TLS_AES_128_GCM_SHA256, aes]",
            "cipher_suites[1]: expected one of TLS_AES_256_GCM_SHA384, ",
        ),
        (
            "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]",
            "cipher_suites: expected at least one of TLS_AES_256_GCM_SHA384, \
             TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, \
             TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
             TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, \
             TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256; \
             rustls, the TLS library here, lacks TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        ),
        (
            "cipher_suites: [TLS_AES_128_GCM_SHA256]\nmax_version: TLS12",
            "cipher_suites: expected a suite of TLS 1.2",
        ),
        (
            "curve_preferences: [CurveP521]",
            "curve_preferences: expected at least one of CurveP256, CurveP384, X25519; rustls, the \
             TLS library here, lacks CurveP521",
        ),
        (
            "curve_preferences: [P256]",
            "curve_preferences[0]: expected one of CurveP256, CurveP384, X25519, got P256",
        ),
        (
            "prefer_server_cipher_suites: 2",
            "prefer_server_cipher_suites: expected true or false, got 2",
        ),
    ];
    assert_tls_errors(&cases);
}

fn assert_tls_errors(cases: &[(&str, &str)]) {
    let directory = directory();
    for (lines, expected) in cases {
        let error = open(&directory, &with_tls(lines)).unwrap_err();
        let expected = format!(": tls_server_config.{expected}");
        assert!(
            error.contains(&expected),
            "{error}\n{expected} was expected"
        );
        assert!(error.starts_with("web.yml:"), "{error}");
    }
}

#[test]
fn versions_below_those_there_are_only_warn() {
    let directory = directory();
    let file = open(&directory, &with_tls("min_version: TLS10")).unwrap();
    assert_eq!(
        file.config().unwrap().warnings,
        ["tls_server_config.min_version: TLS 1.0 and 1.1 are not supported; clients need TLS 1.2"]
    );
}

#[test]
fn mistakes_elsewhere() {
    assert_errors(&[
        (
            "http_server_config: {headers: {Server: x}}\n",
            "web.yml:1:32: http_server_config.headers.Server: unknown key; the keys here are \
             Content-Security-Policy, X-Frame-Options, X-Content-Type-Options, \
             X-XSS-Protection, Strict-Transport-Security",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}\n",
            "web.yml:1:49: http_server_config.headers.X-Frame-Options: expected deny or \
             sameorigin, got allow",
        ),
        (
            "http_server_config: {headers: {X-Content-Type-Options: sniff}}\n",
            "web.yml:1:56: http_server_config.headers.X-Content-Type-Options: expected nosniff",
        ),
        (
            "http_server_config: {headers: {X-XSS-Protection: \"a\\r\\nb\"}}\n",
            "web.yml:1:50: http_server_config.headers.X-XSS-Protection: expected printable ASCII",
        ),
        (
            "http_server_config: {http2: maybe}\n",
            "web.yml:1:29: http_server_config.http2: expected true or false",
        ),
        (
            "rate_limit: {interval: 1, burst: 1}\n",
            "web.yml:1:24: rate_limit.interval: expected a duration",
        ),
        (
            "rate_limit: {interval: 1d, burst: 1}\n",
            "web.yml:1:24: rate_limit.interval: expected a duration",
        ),
        (
            "rate_limit: {interval: 1s}\n",
            "web.yml:1:13: rate_limit.burst: expected a whole number from 1 up, but the key is missing",
        ),
        (
            "rate_limit: {interval: 1s, burst: 0}\n",
            "web.yml:1:35: rate_limit.burst: expected a whole number from 1 up, got 0",
        ),
        (
            "rate_limit: {interval: 1s, burst: -1}\n",
            "web.yml:1:35: rate_limit.burst: expected a whole number from 1 up",
        ),
    ]);
}

#[test]
fn mistakes_with_users_show_no_password() {
    let directory = directory();
    let cost = HASH.replace("$10$", "$19$");
    for user in [
        "alice: hunter2",
        "alice: $2y$10$hunter2",
        "alice: [hunter2]",
        "alice:",
        "alice:hunter2: x",
        "- hunter2",
        &format!("alice: {HASH}hunter2"),
        &format!("alice: {}", HASH.replace("$2y$", "$1$")),
        &format!("alice: {}", HASH.replace("$10$", "$03$")),
        &format!("alice: {cost}"),
    ] {
        let error = open(&directory, &format!("basic_auth_users:\n  {user}\n")).unwrap_err();
        assert!(error.starts_with("web.yml:2:"), "{user}: {error}");
        assert!(error.contains("basic_auth_users"), "{user}: {error}");
        assert!(!error.contains("hunter2"), "{user}: {error}");
    }
    let error = open(&directory, &format!("basic_auth_users:\n  alice: {cost}\n")).unwrap_err();
    assert!(
        error.contains("with a cost from 4 to 18, got one with 19"),
        "{error}"
    );
}

#[test]
fn an_unreadable_file_is_told() {
    let directory = directory();
    let error = WebFile::open(&directory.path().join("gone.yml")).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("gone.yml: cannot be read: "), "{error}");
    let error = WebFile::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains(": cannot be read: "), "{error}");
    assert!(WebFile::open(Path::new("/dev/zero")).is_err());
}

#[test]
fn what_is_swapped_is_seen_and_what_is_not_is_kept() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    let file = open(&directory, &with_tls("")).unwrap();
    let (tls, config) = (file.tls().unwrap().unwrap(), file.config().unwrap());
    assert!(Arc::ptr_eq(&tls, &file.tls().unwrap().unwrap()));
    assert!(Arc::ptr_eq(&config, &file.config().unwrap()));

    // A moment of a renewal in which key and certificate do not fit.
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
