//! What the program takes from the environment: a target and certificates.

use super::bad_configuration::{SECRET, a_target, only_line, started_in_vain};
use crate::support::process::{Exporter, command, configured};
use crate::support::simulated::{SimulatedVendor, settled};

/// Trust anchors that are asked for and not there are not replaced by others.
#[test]
fn a_certificate_file_of_the_environment_must_be_there() {
    let directory = configured(&a_target(""));
    std::fs::write(directory.path().join("empty.pem"), "").unwrap();
    for (name, value) in [
        ("SSL_CERT_FILE", "gone.pem"),
        ("SSL_CERT_FILE", "empty.pem"),
        ("SSL_CERT_FILE", "/dev/zero"),
        ("SSL_CERT_DIR", "gone"),
        ("SSL_CERT_DIR", ".:gone:."),
    ] {
        let line = started_in_vain(directory.path(), (name, value), &[]);
        let culprit = value.split(':').find(|path| *path != ".").unwrap();
        assert!(line.contains(name) && line.contains(culprit), "{line}");
        // Scripts that read JSON get an object.
        let mut check = command(directory.path());
        let check = check.env(name, value).args(["check", "--format=json"]);
        let output = check.output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let error = report["error"].as_str().unwrap();
        assert!(error.contains(culprit), "{report}");
        assert_eq!(report["ok"], false);
    }
}

#[test]
fn certificate_directories_of_the_environment_are_a_list() {
    let directory = configured(&a_target(""));
    let anchor = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let second = directory.path().join("second");
    std::fs::create_dir(&second).unwrap();
    // By a name that OpenSSL gives.
    std::fs::write(second.join("01234567.0"), anchor.cert.pem()).unwrap();
    let mut check = command(directory.path());
    let output = check
        .env("SSL_CERT_DIR", ".::second")
        .args(["check", "--format=json"])
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["error"], serde_json::Value::Null, "{report}");
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
    let line = only_line(&incomplete);
    assert!(line.contains("CEC_APP_SECRET"), "{line}");
}
