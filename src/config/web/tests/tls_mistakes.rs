//! Mistakes in `tls_server_config`.

use super::mistakes::assert_errors;
use super::{directory, open, with_tls};
use crate::config::tests::cases;

#[test]
fn mistakes_with_certificates() {
    assert_errors(
        r#"
tls_server_config:
  key_file: k.pem
=> web.yml:2:3: tls_server_config.cert_file: expected cert_file or cert, but the key is missing or has no value
tls_server_config:
  cert_file: c.pem
=> web.yml:2:3: tls_server_config.key_file: expected key_file or key, but the key is missing or has no value
tls_server_config:
  cert_file: ''
  key_file: ''
=> web.yml:2:3: tls_server_config.cert_file: expected cert_file or cert, but the key is missing or has no value
tls_server_config: {min_version: TLS12}
=> web.yml:1:20: tls_server_config.cert_file: expected cert_file or cert
tls_server_config: {cert_file: c.pem, cert: x, key_file: k.pem}
=> web.yml:1:45: tls_server_config.cert: expected either cert_file or cert, got both
#
#
#
#
tls_server_config: {cert_file: gone.pem, key_file: k.pem}
=> web.yml:5:32: tls_server_config.cert_file: expected a readable file, but gone.pem cannot be read: No such file or directory (os error 2)
tls_server_config: {cert_file: c.pem, key_file: gone.pem}
=> web.yml:1:49: tls_server_config.key_file: expected a readable file, but that file cannot be read: No such file or directory (os error 2)
tls_server_config: {cert_file: k.pem, key_file: k.pem}
=> web.yml:1:32: tls_server_config.cert_file: expected a certificate in PEM, followed by its chain, but in k.pem there is none
tls_server_config: {cert_file: junk.pem, key_file: k.pem}
=> web.yml:1:32: tls_server_config.cert_file: expected a certificate in PEM, followed by its chain, but in junk.pem it is broken
tls_server_config: {cert_file: c.pem, key_file: c.pem}
=> web.yml:1:49: tls_server_config.key_file: expected the certificate's private key in PEM, without a password, but in c.pem there is none
tls_server_config: {cert_file: c.pem, key_file: other.pem}
=> web.yml:1:49: tls_server_config.key_file: expected the certificate's private key in PEM, without a password, but in other.pem there is the key of another certificate
tls_server_config: {cert: hunter2, key: hunter2}
=> web.yml:1:27: tls_server_config.cert: expected a certificate in PEM, followed by its chain, but there is none
"#,
    );
}

#[test]
fn mistakes_with_clients_certificates() {
    assert_tls_errors(
        r#"
client_auth_type: RequireClient
=> client_auth_type: expected NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert, got RequireClient
client_auth_type: RequireAndVerifyClientCert
=> client_auth_type: expected client_ca_file or client_ca with it
client_ca_file: c.pem
=> client_ca_file: expected a client_auth_type that uses it
client_auth_type: NoClientCert
client_ca: x
=> client_ca: expected a client_auth_type that uses it
client_auth_type: RequireAndVerifyClientCert
client_ca_file: empty.pem
=> client_ca_file: expected certificates in PEM that can be trusted, but in empty.pem there are none
client_auth_type: RequireAnyClientCert
client_ca_file: junk.pem
=> client_ca_file: expected certificates in PEM that can be trusted, but in junk.pem number 1 is not one:
client_auth_type: RequireAndVerifyClientCert
client_ca_file: gone.pem
=> client_ca_file: expected a readable file, but gone.pem cannot be read: No such file or directory (os error 2)
client_auth_type: RequestClientCert
client_allowed_sans: [a]
=> client_allowed_sans: expected client_auth_type RequireAnyClientCert or RequireAndVerifyClientCert with it
client_auth_type: RequireAnyClientCert
client_allowed_sans: []
=> client_allowed_sans: expected at least one entry
client_auth_type: RequireAnyClientCert
client_allowed_sans: a
=> client_allowed_sans: expected a list: [a, b], or a line with - for each entry
"#,
    );
}

#[test]
fn mistakes_in_gos_notation() {
    assert_tls_errors(
        r#"
min_version: TLS14
=> min_version: expected TLS12 or TLS13, got TLS14
min_version: 1.2
=> min_version: expected TLS12 or TLS13, got 1.2
max_version: TLS11
=> max_version: expected TLS12 or TLS13: rustls, the TLS library here, has no older version
min_version: TLS13
max_version: TLS12
=> min_version: expected a version that is not above max_version
cipher_suites: [TLS_INVENTED]
=> cipher_suites: expected at least one of TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256
cipher_suites: [TLS_AES_128_GCM_SHA256, aes]
=> cipher_suites[1]: expected one of TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256
cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]
=> cipher_suites: expected at least one of TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256; rustls, the TLS library here, lacks TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
cipher_suites: [TLS_AES_128_GCM_SHA256]
max_version: TLS12
=> cipher_suites: expected a suite of TLS 1.2
curve_preferences: [CurveP521]
=> curve_preferences: expected at least one of CurveP256, CurveP384, X25519; rustls, the TLS library here, lacks CurveP521
curve_preferences: [P256]
=> curve_preferences[0]: expected one of CurveP256, CurveP384, X25519, got P256
prefer_server_cipher_suites: 2
=> prefer_server_cipher_suites: expected true or false, got 2
"#,
    );
}

/// A table of lines of the section and the starts of their errors after its name.
fn assert_tls_errors(table: &str) {
    let directory = directory();
    for (lines, expected) in cases(table) {
        let error = open(&directory, &with_tls(&lines)).unwrap_err();
        let expected = format!(": tls_server_config.{expected}");
        assert!(
            error.contains(&expected),
            "{error}\n{expected} was expected"
        );
        assert!(error.starts_with("web.yml:"), "{error}");
    }
}
