//! What is written where, and the exit code.

use std::fs::File;

use super::super::bad_configuration::only_line;
use super::checked::{Checked, check, check_json, check_text};
use crate::support::process::{command, configuration, configured, target};
use crate::support::simulated::{SimulatedVendor, settled};

/// One that is slow, so that the ones behind it are done before it.
fn three() -> ([SimulatedVendor; 3], Vec<String>) {
    let vendors = [1, 2, 3].map(|_| SimulatedVendor::frozen(settled(20)));
    vendors[0].set_faults(|faults| faults.latency_ms = 300);
    vendors[1].set_faults(|faults| faults.down = true);
    let targets = ["slow", "down", "good"]
        .iter()
        .zip(&vendors)
        .map(|(name, vendor)| target(name, &vendor.endpoint, ""))
        .collect();
    (vendors, targets)
}

#[test]
fn people_get_lines_in_the_order_of_the_configuration() {
    let (_vendors, targets) = three();
    let Checked {
        code,
        stdout,
        stderr,
    } = check(&targets, &[]);
    assert_eq!(code, Some(1), "{stdout}");
    assert_eq!(stderr, "");
    let heads: Vec<&str> = stdout
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(' '))
        .collect();
    let expected = [
        "configuration: ok, 3 targets, from cec_exporter.yml",
        "slow: ok",
        "down: FAILED",
        "good: ok",
        "result: FAILED, 1 of 3 targets: down",
    ];
    assert_eq!(heads, expected, "{stdout}");
    let (_, down) = stdout.split_once("down: FAILED\n").unwrap();
    let down: Vec<&str> = down.lines().take(7).collect();
    assert!(down[3].starts_with("  token    FAILED  "), "{stdout}");
    assert!(down[3].contains(" s  POST 127.0.0.1:"), "{stdout}");
    assert!(
        down[4].starts_with("  likely cause: the vendor's gateway"),
        "{stdout}"
    );
    assert_eq!(down[5], "  page     -                 not tried");
    assert_eq!(down[6], "");
}

#[test]
fn scripts_get_one_object_in_the_order_of_the_configuration() {
    let (_vendors, targets) = three();
    let checked = check_json(&targets);
    assert_eq!((checked.code, &*checked.stderr), (Some(1), ""));
    let json = checked.json();
    assert_eq!((&json["ok"], &json["error"]), (&false.into(), &().into()));
    let names: Vec<&str> = json["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["slow", "down", "good"]);
    checked.assert_well("slow");
    let good = check_json(&targets[2..]);
    assert_eq!(good.code, Some(0));
    assert_eq!(good.json()["ok"], true);
}

#[test]
fn a_bad_configuration_is_a_line_for_people_and_an_object_for_scripts() {
    let bad = check_text("targets: []", &[]);
    assert_eq!((bad.code, &*bad.stdout), (Some(1), ""));
    assert_eq!(bad.stderr.lines().count(), 1, "{bad:?}");
    let json = check_text("targets: []", &["--format=json"]);
    assert_eq!((json.code, &json.stderr), (Some(1), &bad.stderr));
    let expected = serde_json::json!({
        "ok": false, "error": bad.stderr.trim_end(), "configuration": null, "warnings": [],
        "targets": [],
    });
    assert_eq!(json.json(), expected);
}

/// A result that nobody can have read must not pass for well.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let config = configuration(&[target("a", &vendor.endpoint, "")]);
    let directory = configured(&config);
    for format in ["--format=text", "--format=json"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = command(directory.path());
        let output = command
            .args(["check", format])
            .stdout(full)
            .output()
            .unwrap();
        let line = only_line(&output);
        assert!(line.contains("No space left"), "{line}");
    }
}
