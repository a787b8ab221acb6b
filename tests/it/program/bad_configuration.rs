//! Starting with what cannot work.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::process::{Process, configuration, configure, run, target};

pub(super) const SECRET: &str = "hush-hush-4711";

/// What a program says that ends with exit code 1: exactly one line on stderr.
pub(super) fn only_line(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.ends_with('\n'), "{stderr:?}");
    stderr
}

/// Runs `serve` in vain in a directory with this configuration. Gives what it says.
pub(super) fn refused(directory: &Path, config: &str, flags: &[&str]) -> String {
    configure(directory, config);
    let always = ["--storage.in-memory", "--web.listen-address=127.0.0.1:0"];
    let output = run(directory, &[&always, flags].concat());
    assert!(output.stdout.is_empty(), "{config}");
    let line = only_line(&output);
    assert!(!line.contains("listening"), "{line}");
    assert!(!line.contains(SECRET), "{line}");
    line
}

pub(super) fn a_target(more: &str) -> String {
    configuration(&[target("a", "http://127.0.0.1:1", more)])
}

/// The tests of `config` have the text of every mistake.
#[test]
fn a_bad_configuration_is_one_line_and_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("empty.pem"), "").unwrap();
    let in_the_clear = format!("app_secret: [{SECRET}]");
    for (config, parts) in [
        (String::new(), &["cec_exporter.yml: ", "targets"][..]),
        ("targets:\n  - {a: [\n".into(), &["cec_exporter.yml:"]),
        (
            a_target("page_sise: 7"),
            &[
                "cec_exporter.yml:9:",
                "targets[0].page_sise: unknown key",
                "page_size",
            ],
        ),
        (a_target("ca_file: empty.pem"), &["ca_file", "certificate"]),
        (
            a_target(&in_the_clear),
            &["targets[0].app_secret: ", "single value"],
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
        configure(directory.path(), &config);
        let line = started_in_vain(directory.path(), ("A", "b"), &[]);
        assert!(line.contains(key) && line.contains("larger than"), "{line}");
    }
    configure(directory.path(), &a_target(""));
    for flag in ["--config.file=/dev/zero", "--web.config.file=/dev/zero"] {
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
    let line = only_line(&run(empty.path(), &["--storage.in-memory"]));
    for part in ["cec_exporter.yml", "--config.file", "CEC_ENDPOINT", "demo"] {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn output_that_cannot_be_written_is_one_line_and_exit_code_1() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let program = || Command::new(env!("CARGO_BIN_EXE_cec_exporter"));
    let mut simulate = program();
    simulate.args(["simulate", "--web.listen-address=127.0.0.1:0"]);
    let line = only_line(&simulate.stdout(full()).output().unwrap());
    assert!(line.starts_with("cec_exporter: "), "{line}");
    let mut missing = program();
    missing.arg("--config.file=/nonexistent.yml").stderr(full());
    assert_eq!(missing.output().unwrap().status.code(), Some(1));
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
        &["check", "--format=xml"],
        &["demo", "--seed=many"],
        &["simulate", "--text-share=2"],
        &["--web.external-url=http://admin:hush-hush-4711@gate/"],
    ] {
        let output = run(directory.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("error: "), "{arguments:?}: {stderr}");
        assert!(!stderr.contains(SECRET), "{arguments:?}: {stderr}");
    }
    let output = run(directory.path(), &["--version"]);
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for part in ["cec_exporter, version ", "revision: ", "rustc"] {
        assert!(version.contains(part), "{version}");
    }
}
