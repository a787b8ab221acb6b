//! The sample configuration in a real Alertmanager: which alerts it inhibits, and which receivers it notifies.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::PATIENCE;
use crate::support::boards::{RULES, in_repository, rules, yaml};
use crate::support::prometheus_server::Running;
use crate::support::silent::free_address;
use crate::support::tools::is_installed;
use serde_json::{Value, json};

/// The program and the package of Debian.
const ALERTMANAGER: &str = "prometheus-alertmanager";

fn start(directory: &std::path::Path) -> Running {
    let address = free_address();
    let mut command = Command::new(ALERTMANAGER);
    command
        .arg(format!(
            "--config.file={}",
            in_repository(RULES).join("alertmanager.yml").display()
        ))
        .arg(format!("--storage.path={}", directory.display()))
        .arg(format!("--web.listen-address={address}"))
        // No cluster.
        .arg("--cluster.listen-address=");
    Running::start(&mut command, address, "/-/ready")
}

/// An alert in a place: name, severity, target.
fn alert(name: &str, severity: &str, target: &str, cluster: &str) -> Value {
    let mut labels = json!({"alertname": name, "severity": severity, "cluster": cluster});
    if !target.is_empty() {
        labels["target"] = json!(target);
    }
    json!({"labels": labels})
}

#[test]
fn the_cause_silences_what_follows_from_it_in_the_same_place() {
    if !is_installed(ALERTMANAGER) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let alertmanager = start(directory.path());
    let sent = json!([
        alert("CecTargetDown", "critical", "support", "east"),
        alert("CecFrontierBehind", "warning", "support", "east"),
        alert("CecPipelineStuck", "critical", "support", "east"),
        alert("CecPipelineStuck", "critical", "support", "west"),
        alert("CecFrontierBehind", "warning", "sales", "east"),
        alert("CecProcessingSlow", "critical", "support", "west"),
        alert("CecCallsExpired", "warning", "support", "west"),
        alert("CecQuotaExhausted", "critical", "sales", "west"),
        alert("CecFailureRatioHigh", "warning", "sales", "west"),
        alert("CecFailureRatioHigh", "warning", "chat", "west"),
        alert("CecProcessingSlow", "critical", "chat", "west"),
        alert("CecProcessingSlow", "warning", "chat", "west"),
        alert("CecExporterDown", "critical", "", "north"),
        alert("CecTargetVanished", "warning", "support", "north"),
        alert("CecTargetVanished", "warning", "support", "east"),
    ]);
    for one in sent.as_array().unwrap() {
        let labels = one["labels"].as_object().unwrap();
        let mut amtool = Command::new("amtool");
        amtool.arg(format!(
            "--alertmanager.url=http://{}",
            alertmanager.address
        ));
        amtool.args(["alert", "add"]);
        amtool.args(
            labels
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap())),
        );
        assert!(amtool.status().unwrap().success());
    }
    let expected: BTreeSet<&str> = [
        "CecFrontierBehind warning support east",
        "CecPipelineStuck critical support east",
        "CecProcessingSlow critical support west",
        "CecCallsExpired warning support west",
        "CecFailureRatioHigh warning sales west",
        "CecProcessingSlow warning chat west",
        "CecTargetVanished warning support north",
    ]
    .into();
    let begun = Instant::now();
    loop {
        let all: Value =
            serde_json::from_str(&alertmanager.demand("GET", "/api/v2/alerts", "")).unwrap();
        let all = all.as_array().unwrap();
        let inhibited: BTreeSet<String> = all
            .iter()
            .filter(|one| !one["status"]["inhibitedBy"].as_array().unwrap().is_empty())
            .map(|one| {
                let label = |name: &str| one["labels"][name].as_str().unwrap_or_default();
                ["alertname", "severity", "target", "cluster"]
                    .map(label)
                    .join(" ")
            })
            .collect();
        if all.len() == 15
            && inhibited
                .iter()
                .map(String::as_str)
                .collect::<BTreeSet<_>>()
                == expected
        {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{inhibited:#?}");
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn each_severity_has_a_receiver_and_each_name_is_an_alert() {
    let path = in_repository(RULES).join("alertmanager.yml");
    let names: BTreeSet<String> = rules()
        .into_iter()
        .filter(|rule| rule.is_alert)
        .map(|rule| rule.name)
        .collect();
    let config = yaml(&path);
    let mut seen = 0;
    for rule in config["inhibit_rules"].as_array().unwrap() {
        for matchers in ["source_matchers", "target_matchers"] {
            for matcher in rule[matchers].as_array().unwrap() {
                let Some(value) = matcher.as_str().unwrap().strip_prefix("alertname") else {
                    continue;
                };
                for name in value.trim_matches(['=', '~', '"']).split('|') {
                    assert!(names.contains(name), "{name}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 15);
    if !is_installed("amtool") {
        return;
    }
    let receivers = BTreeMap::from([
        ("CecTargetDown critical", "on-call"),
        ("CecFrontierBehind warning", "operators"),
        ("CecSpeechTooFast info", "quality"),
        ("CecCallsDriedUp critical", "on-call"),
    ]);
    for (alert, receiver) in receivers {
        let (name, severity) = alert.split_once(' ').unwrap();
        let output = Command::new("amtool")
            .args(["config", "routes", "test"])
            .arg(format!("--config.file={}", path.display()))
            .args([format!("alertname={name}"), format!("severity={severity}")])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            receiver,
            "{alert}"
        );
    }
}
