//! Mistakes outside `tls_server_config`, each one line.

use super::{HASH, directory, open};
use crate::config::tests::cases;

/// A table of files and the starts of their errors.
pub(super) fn assert_errors(table: &str) {
    let directory = directory();
    for (text, expected) in cases(table) {
        let error = open(&directory, &text).err();
        let error = error.unwrap_or_else(|| panic!("nothing wrong with {text:?}"));
        assert!(
            error.starts_with(expected),
            "{text:?}\n{error}\n{expected} was expected"
        );
    }
}

#[test]
fn mistakes_of_structure() {
    assert_errors(
        r#"
junk
=> web.yml:1:1: expected a mapping with keys such as tls_server_config
- a
=> web.yml:1:1: expected a mapping with keys such as tls_server_config
rate_limit: b: c
=> web.yml:1:13: rate_limit: expected a mapping
rate_limit:
  burst: b: c
=> web.yml:2:11: not valid YAML: mapping values are not allowed in this context
tls_config:
=> web.yml:1:1: tls_config: unknown key; the keys here are tls_server_config, http_server_config, basic_auth_users, rate_limit
tls_server_config:
  cert_filse: x
=> web.yml:2:3: tls_server_config.cert_filse: unknown key; did you mean `cert_file`?
tls_server_config: x
=> web.yml:1:20: tls_server_config: expected a mapping
http_server_config:
  http3: true
=> web.yml:2:3: http_server_config.http3: unknown key; did you mean `http2`?
rate_limit:
  bust: 1
=> web.yml:2:3: rate_limit.bust: unknown key; did you mean `burst`?
rate_limit: {burst: 1}
rate_limit: {burst: 1}
=> web.yml:2:1: rate_limit: expected only once, but it is already on line 1
"#,
    );
}

#[test]
fn mistakes_elsewhere() {
    assert_errors(
        r#"
http_server_config: {headers: {Server: x}}
=> web.yml:1:32: http_server_config.headers.Server: unknown key; the keys here are Content-Security-Policy, X-Frame-Options, X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security
http_server_config: {headers: {X-Frame-Options: allow}}
=> web.yml:1:49: http_server_config.headers.X-Frame-Options: expected deny or sameorigin, got allow
http_server_config: {headers: {X-Content-Type-Options: sniff}}
=> web.yml:1:56: http_server_config.headers.X-Content-Type-Options: expected nosniff
http_server_config: {headers: {X-XSS-Protection: "a\r\nb"}}
=> web.yml:1:50: http_server_config.headers.X-XSS-Protection: expected printable ASCII
http_server_config: {http2: maybe}
=> web.yml:1:29: http_server_config.http2: expected true or false
rate_limit: {interval: 1, burst: 1}
=> web.yml:1:24: rate_limit.interval: expected a duration
rate_limit: {interval: 1d, burst: 1}
=> web.yml:1:24: rate_limit.interval: expected a duration
rate_limit: {interval: 1s}
=> web.yml:1:13: rate_limit.burst: expected a whole number from 1 up, but the key is missing or has no value
rate_limit: {interval: 1s, burst: 0}
=> web.yml:1:35: rate_limit.burst: expected a whole number from 1 up, got 0
rate_limit: {interval: 1s, burst: -1}
=> web.yml:1:35: rate_limit.burst: expected a whole number from 1 up
"#,
    );
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
        "[hunter2]: x",
        "{hunter2: 1}: x",
        "!hunter2 alice: x",
        "!!int hunter2: x",
        "alice: !!int hunter2",
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
