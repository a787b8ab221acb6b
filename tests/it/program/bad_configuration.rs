//! Starting with what cannot work, and keeping secrets out of sight.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::process::{Exporter, Process, command, configuration, run, target};
use crate::support::scripted_vendor::{Reply, Vendor};
use crate::support::simulated::{SimulatedVendor, settled};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const SECRET: &str = "hush-hush-4711";
const KEY: &str = "key-of-the-app-0815";
const TOKEN: &str = "token-for-nobody-else-1234";
const PASSWORD: &str = "pa55word-of-the-proxy";

/// Runs `serve` to its end in a directory with this configuration. Exactly one line on stderr,
/// exit code 1; gives the line.
fn refused(directory: &Path, config: &str, flags: &[&str]) -> String {
    std::fs::write(directory.join("cec_exporter.yml"), config).unwrap();
    let always = ["--storage.in-memory", "--web.listen-address=127.0.0.1:0"];
    let output = run(directory, &[&always, flags].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{config}\n{stderr}");
    assert!(output.stdout.is_empty(), "{config}");
    assert_eq!(stderr.lines().count(), 1, "{config}\n{stderr}");
    assert!(stderr.ends_with('\n'), "{stderr:?}");
    assert!(!stderr.contains("listening"), "{stderr}");
    assert!(!stderr.contains(SECRET), "{stderr}");
    stderr
}

fn a_target(more: &str) -> String {
    configuration(&[target("a", "http://127.0.0.1:1", more)])
}

#[test]
fn a_bad_configuration_is_one_line_and_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("empty.pem"), "").unwrap();
    let twice = configuration(&[
        target("a", "http://127.0.0.1:1", ""),
        target("a", "http://127.0.0.1:2", ""),
    ]);
    let in_the_clear = format!("app_secret: [{SECRET}]");
    for (config, parts) in [
        // The whole file.
        (String::new(), &["cec_exporter.yml:", "targets"][..]),
        ("targets: []".into(), &["cec_exporter.yml:1:10: targets: "]),
        ("targets:\n  - {a: [\n".into(), &["cec_exporter.yml:"]),
        (
            "targets: 7".into(),
            &["cec_exporter.yml:1:10: targets: ", "list"],
        ),
        (
            "targgets: []".into(),
            &["cec_exporter.yml:1:1: targgets: ", "unknown key", "targets"],
        ),
        (twice, &["cec_exporter.yml:10:10: targets[1].name: "]),
        // What a target says.
        (
            a_target("page_sise: 7"),
            &[
                "cec_exporter.yml:9:",
                "targets[0].page_sise: unknown key",
                "page_size",
            ],
        ),
        (
            a_target("page_size: 0"),
            &["targets[0].page_size: ", "from 1 to 10000", "got 0"],
        ),
        (
            a_target("page_size: 10001"),
            &["targets[0].page_size: ", "from 1 to 10000"],
        ),
        (
            a_target("overlap: 3h"),
            &["targets[0].overlap: ", "at most lookback (2h)", "got 3h"],
        ),
        (
            a_target("lookback: yesterday"),
            &["targets[0].lookback: ", "90s, 1h30m or 1d"],
        ),
        (
            a_target("call_types: [voice, video]"),
            &["targets[0].call_types[1]: ", "voice, text"],
        ),
        (
            a_target("app_secret_file: absent"),
            &["targets[0].app_secret_file: ", "No such file"],
        ),
        (
            a_target("user_id: \"${NOT_SET}\""),
            &["targets[0].user_id: ", "NOT_SET to be set"],
        ),
        (
            a_target("proxy_url: \"socks5://h\""),
            &["targets[0].proxy_url: ", "http:// or https://"],
        ),
        (a_target("ca_file: empty.pem"), &["ca_file", "certificate"]),
        (
            a_target(&in_the_clear),
            &["targets[0].app_secret: ", "single value"],
        ),
        (
            configuration(&[target("a", "service.example.com", "")]),
            &["cec_exporter.yml:9:", "targets[0].endpoint: ", "a host"],
        ),
        (
            "targets:\n- name: a\n  endpoint: http://h\n".into(),
            &["cec_exporter.yml:2:", "targets[0].app_key: "],
        ),
    ] {
        let line = refused(directory.path(), &config, &[]);
        for part in parts {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
    }
}

/// A secret where its path belongs, a password without the `@`, and the like.
#[test]
fn a_misplaced_secret_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let good = a_target("");
    let exporter = Exporter::start_with(&good, &["--web.enable-lifecycle"]);
    for (key, value) in [
        ("app_secret_file", SECRET.to_owned()),
        (
            "app_secret",
            format!("pre${{{}}}", SECRET.replace('-', "_")),
        ),
        ("app_key", format!("{SECRET}\\t")),
        ("proxy_url", SECRET.to_owned()),
        ("proxy_url", format!("user:{SECRET}:3128")),
        ("proxy_url", format!("http:/user:{SECRET}")),
        ("proxy_url", format!("socks5://user:{SECRET}")),
        ("ca_file", format!("-----BEGIN CERTIFICATE-----\\n{SECRET}")),
    ] {
        let config = a_target(&format!("{key}: \"{value}\""));
        let line = refused(directory.path(), &config, &[]);
        let hidden = SECRET.replace('-', "_");
        let place = format!("targets[0].{key}: ");
        assert!(line.contains("cec_exporter.yml:9:"), "{line}");
        assert!(line.contains(&place) && !line.contains(&hidden), "{line}");
        for format in ["--format=text", "--format=json"] {
            let output = run(directory.path(), &["check", format]);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert!(said.contains(&place), "{said}");
            assert!(!said.contains(SECRET) && !said.contains(&hidden), "{said}");
        }
        exporter.configure(&config);
        let answer = exporter.post("/-/reload");
        assert_eq!(answer.status, 500);
        assert!(!answer.body.contains(SECRET), "{}", answer.body);
        assert!(!answer.body.contains(&hidden), "{}", answer.body);
    }
    assert!(!exporter.log().contains(SECRET), "{}", exporter.log());

    let output = command(tempfile::tempdir().unwrap().path())
        .envs([
            ("CEC_ENDPOINT", "http://127.0.0.1:1"),
            ("CEC_APP_SECRET_FILE", SECRET),
        ])
        .arg("--storage.in-memory")
        .output()
        .unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(
        line.contains("CEC_APP_SECRET_FILE: ") && !line.contains(SECRET),
        "{line}"
    );
}

/// What the program says that does not start, however much memory or time it would like.
fn started_in_vain(directory: &Path, variable: (&str, &str), flags: &[&str]) -> String {
    let mut command = Command::new("sh");
    command
        .current_dir(directory)
        .env_clear()
        .env(variable.0, variable.1)
        .args(["-c", "ulimit -v 2000000; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_cec_exporter"))
        .args(["--storage.in-memory", "--web.listen-address=127.0.0.1:0"])
        .args(flags);
    let mut process = Process::spawn(&mut command);
    let code = process.ended().code();
    let line = process.stderr();
    assert_eq!(code, Some(1), "{flags:?} {variable:?}: {line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

#[test]
fn every_file_has_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    for key in ["ca_file", "app_secret_file"] {
        let config = a_target(&format!("{key}: /dev/zero"));
        std::fs::write(directory.path().join("cec_exporter.yml"), config).unwrap();
        let line = started_in_vain(directory.path(), ("A", "b"), &[]);
        assert!(line.contains(key) && line.contains("larger than"), "{line}");
    }
    for flag in ["--config.file=/dev/zero", "--web.config.file=/dev/zero"] {
        std::fs::write(directory.path().join("cec_exporter.yml"), a_target("")).unwrap();
        let line = started_in_vain(directory.path(), ("A", "b"), &[flag]);
        assert!(line.contains("larger than"), "{line}");
    }
}

/// Trust anchors that are asked for and not there are not replaced by others.
#[test]
fn a_certificate_file_of_the_environment_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("cec_exporter.yml"), a_target("")).unwrap();
    std::fs::write(directory.path().join("empty.pem"), "").unwrap();
    for (name, value) in [
        ("SSL_CERT_FILE", "gone.pem"),
        ("SSL_CERT_FILE", "empty.pem"),
        ("SSL_CERT_FILE", "/dev/zero"),
        ("SSL_CERT_DIR", "gone"),
    ] {
        let line = started_in_vain(directory.path(), (name, value), &[]);
        assert!(line.contains(name) && line.contains(value), "{line}");
    }
}

#[test]
fn what_the_flags_name_must_be_there_too() {
    let directory = tempfile::tempdir().unwrap();
    let good = a_target("");
    let line = refused(directory.path(), &good, &["--config.file=other.yml"]);
    assert!(
        line.contains("other.yml") && line.contains("No such file"),
        "{line}"
    );

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flag = format!("--web.listen-address={address}");
    let line = refused(directory.path(), &good, &[&flag]);
    assert!(line.contains(&address), "{line}");

    let empty = tempfile::tempdir().unwrap();
    let output = run(empty.path(), &["--storage.in-memory"]);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1));
    for part in ["cec_exporter.yml", "--config.file", "CEC_ENDPOINT", "demo"] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn bad_usage_is_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["--no.such.flag"][..],
        &["nonsense"],
        &["--web.listen-address=nowhere"],
        &["--web.timeout-offset=soon"],
        &["--log.level=loud"],
        &["--config.file=x", "check"],
        &["demo", "--seed=many"],
        &["simulate", "--text-share=2"],
    ] {
        let output = run(directory.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("error: "), "{arguments:?}: {stderr}");
    }
    let output = run(directory.path(), &["--version"]);
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for part in ["cec_exporter, version ", "revision: ", "rustc"] {
        assert!(version.contains(part), "{version}");
    }
}

#[test]
fn one_target_comes_from_the_environment() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let always = [
        ("CEC_ENDPOINT", &*vendor.endpoint),
        ("CEC_APP_KEY", "key"),
        ("CEC_USER_ID", "user"),
    ];
    for secret in [
        ("CEC_APP_SECRET", SECRET),
        ("CEC_APP_SECRET_FILE", file.to_str().unwrap()),
    ] {
        let exporter = Exporter::start_with_variables(&[&always[..], &[secret]].concat());
        let samples = exporter.scrape();
        let label = [("target", "default")];
        assert_eq!(samples.one("cec_up", &label), 1.0);
        assert!(samples.sum("cec_calls_total", &label) > 0.0);
    }

    let incomplete = command(directory.path())
        .envs(always)
        .args(["--storage.in-memory", "--web.listen-address=127.0.0.1:0"])
        .output()
        .unwrap();
    let line = String::from_utf8(incomplete.stderr).unwrap();
    assert_eq!(incomplete.status.code(), Some(1), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains("CEC_APP_SECRET"), "{line}");
}

fn is_secret(value: &str) -> bool {
    value.starts_with("Basic ")
        || [SECRET, KEY, TOKEN]
            .iter()
            .any(|secret| value.contains(secret))
}

/// A vendor that repeats whatever it is told, in the places where it would be quoted.
async fn gossip(status: u16, pages_only: bool) -> Vendor {
    Vendor::start(move |seen, _| {
        if seen.is_token() && pages_only {
            let token = serde_json::json!({ "AccessToken": TOKEN, "Expires": "600" });
            return Reply::ok(token.to_string());
        }
        let headers = seen.headers.iter().map(|(_, value)| &**value);
        // A message quotes only the beginning of a long text, so what is secret comes first.
        let (secret, other): (Vec<_>, Vec<_>) = headers.partition(|value| is_secret(value));
        let told = format!("{} {} {}", secret.join(" "), seen.body, other.join(" "));
        match status {
            200 => {
                let error = serde_json::json!({ "resultCode": told, "resultDesc": told });
                Reply::ok(error.to_string())
            }
            403 => Reply::status(403, format!("<html><title>{told}</title></html>")),
            302 => Reply::status(302, told.clone()).with("location", format!("http://h/{SECRET}")),
            _ => Reply::status(status, told),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_output() {
    let mut vendors = Vec::new();
    for status in [200, 302, 400, 401, 403, 500] {
        for pages_only in [false, true] {
            let name = format!("v{status}{}", if pages_only { "pages" } else { "" });
            vendors.push((name, gossip(status, pages_only).await));
        }
    }
    let targets = vendors.iter().map(|(name, vendor)| {
        let endpoint = format!("http://127.0.0.1:{}", vendor.port);
        target(
            name,
            &endpoint,
            &format!("app_key: {KEY}, app_secret: {SECRET}"),
        )
    });
    // A proxy gets another secret, and repeats it as well.
    let through = |port| format!("proxy_url: \"http://user:{PASSWORD}@127.0.0.1:{port}\"");
    let proxies = [gossip(403, false).await, gossip(407, false).await];
    let [forbidding, asking] = proxies.each_ref().map(|proxy| through(proxy.port));
    let targets = targets
        .chain([
            target("proxied", "http://127.0.0.1:1", &through(1)),
            target("p403", "http://vendor.invalid", &forbidding),
            target("p407", "http://vendor.invalid", &asking),
            target("tunnel", "https://vendor.invalid", &asking),
        ])
        .collect::<Vec<_>>();
    let config = configuration(&targets);
    let seen = |output: &str, place: &str| {
        let sent = BASE64_STANDARD.encode(format!("user:{PASSWORD}"));
        for secret in [SECRET, KEY, TOKEN, PASSWORD, &sent] {
            assert!(!output.contains(secret), "{secret} in {place}: {output}");
        }
    };
    tokio::task::block_in_place(|| {
        let flags = ["--log.level=debug", "--web.enable-lifecycle"];
        let mut exporter = Exporter::start_with(&config, &flags);
        let samples = exporter.scrape();
        assert_eq!(samples.sum("cec_up", &[]), 0.0);
        let failures = samples.sum("cec_exporter_pull_failures_total", &[]);
        assert_eq!(failures, targets.len() as f64);
        seen(&samples.text, "the metrics");
        let page = exporter.get("/").body;
        assert!(page.contains("***"), "nothing was quoted: {page}");
        seen(&page, "the status page");
        seen(&exporter.get("/probe?target=v401").body, "the probe");
        exporter.configure(&config.replace("app_secret:", "app_sekret:"));
        let answer = exporter.post("/-/reload");
        assert_eq!(answer.status, 500);
        seen(&answer.body, "the reload");
        exporter.process.signal("TERM");
        exporter.process.ended();
        let log = exporter.log();
        assert!(log.contains("level=debug"), "{log}");
        seen(&log, "the log");
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("cec_exporter.yml"), &config).unwrap();
        for format in ["--format=text", "--format=json"] {
            let output = run(directory.path(), &["check", format, "--log.level=debug"]);
            let stdout = String::from_utf8_lossy(&output.stdout);
            // Both places that quote a vendor, of the token and of the page, and a proxy's.
            assert!(stdout.matches("***").count() >= 5, "{stdout}");
            seen(&stdout, "the check");
            seen(&String::from_utf8_lossy(&output.stderr), "the check's log");
        }
    });
}
