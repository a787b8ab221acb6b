//! Starting with what cannot work.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::process::{Process, configuration, run, target};

pub(super) const SECRET: &str = "hush-hush-4711";

/// Runs `serve` to its end in a directory with this configuration. Exactly one line on stderr,
/// exit code 1; gives the line.
pub(super) fn refused(directory: &Path, config: &str, flags: &[&str]) -> String {
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

pub(super) fn a_target(more: &str) -> String {
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

/// What the program says that does not start, however much memory or time it would like.
pub(super) fn started_in_vain(directory: &Path, variable: (&str, &str), flags: &[&str]) -> String {
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
