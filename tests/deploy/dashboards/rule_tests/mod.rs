//! The unit tests of the rules: promtool runs them, and they cover every rule.

mod needed;

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::boards::{
    RULES, file_name, files, in_repository, metrics_in, rules, text, yaml,
};
use crate::support::tools::{is_installed, run};

/// promtool evaluates all rules that are loaded at each step of a test, which takes nearly all of its
/// time. So each test is run with the rules that its expectations depend on; `.ci/run` runs the tests
/// with all rules.
#[test]
fn promtool_finds_that_the_rules_do_what_their_tests_say() {
    if !is_installed("promtool") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let tests: Vec<_> = files(&format!("{RULES}/tests"), ".test.yml")
        .iter()
        .flat_map(|path| needed::write_tests(path, directory.path()))
        .collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for first in 0..cores.min(tests.len()) {
            let own: Vec<_> = tests.iter().skip(first).step_by(cores).collect();
            scope.spawn(move || {
                let mut promtool = Command::new("promtool");
                // It would collect garbage for a quarter of its time.
                promtool.env("GOGC", "400");
                let said = run(promtool.args(["test", "rules"]).args(&own));
                assert_eq!(said.matches("SUCCESS").count(), own.len(), "{said}");
            });
        }
    });
}

#[test]
fn every_alert_is_seen_to_fire_and_seen_not_to() {
    let mut fires: BTreeSet<String> = BTreeSet::new();
    let mut is_silent = BTreeSet::new();
    for path in files(&format!("{RULES}/tests"), ".test.yml") {
        for test in yaml(&path)["tests"].as_array().unwrap() {
            for case in test["alert_rule_test"].as_array().into_iter().flatten() {
                let expected = case["exp_alerts"].as_array().map_or(0, Vec::len);
                let seen = if expected > 0 {
                    &mut fires
                } else {
                    &mut is_silent
                };
                seen.insert(text(&case["alertname"]).to_owned());
            }
            // What is asked of the series ALERTS is seen as well.
            for case in test["promql_expr_test"].as_array().into_iter().flatten() {
                let samples = case["exp_samples"].as_array().unwrap();
                let names = samples.iter().filter_map(|sample| {
                    let (_, rest) = text(&sample["labels"]).split_once("alertname=\"")?;
                    rest.split_once('"').map(|(name, _)| name.to_owned())
                });
                fires.extend(names);
            }
        }
    }
    let alerts = rules().into_iter().filter(|rule| rule.is_alert);
    let all: BTreeSet<String> = alerts.map(|rule| rule.name).collect();
    assert_eq!(fires, all);
    assert_eq!(is_silent, all);
}

/// Thresholds are numbers already. The others are rounded, as the last bit of a value differs between
/// versions of Prometheus.
#[test]
fn every_recorded_value_is_tested_but_for_its_last_bit() {
    let mut tested = BTreeSet::new();
    for path in files(&format!("{RULES}/tests"), ".test.yml") {
        for test in yaml(&path)["tests"].as_array().unwrap() {
            for case in test["promql_expr_test"].as_array().into_iter().flatten() {
                assert!(!case["exp_samples"].as_array().unwrap().is_empty());
                let expr = text(&case["expr"]);
                let is_exact = ["round(", "count", "target:cec_up:count", "job:"]
                    .iter()
                    .any(|begin| expr.starts_with(begin));
                assert!(is_exact, "{}: {expr}", path.display());
                tested.extend(metrics_in(expr).into_iter().map(|used| used.name));
            }
        }
    }
    let recorded = rules().into_iter();
    let recorded = recorded.filter(|rule| !rule.is_alert && rule.file != "thresholds.rules.yml");
    let missing: Vec<String> = recorded
        .map(|rule| rule.name)
        .filter(|name| !tested.contains(name))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// promtool evaluates groups in any order that a test does not give, and values would lag.
#[test]
fn tests_evaluate_all_groups_in_order() {
    let mut groups: Vec<String> = Vec::new();
    for name in ["thresholds", "recording", "alerts"] {
        let file = yaml(&in_repository(RULES).join(format!("{name}.rules.yml")));
        let names = file["groups"].as_array().unwrap().iter();
        groups.extend(names.map(|group| text(&group["name"]).to_owned()));
    }
    for path in files(&format!("{RULES}/tests"), ".test.yml") {
        if file_name(&path) == "thresholds.test.yml" {
            // Is about a file that is not loaded.
            continue;
        }
        let file = yaml(&path);
        assert_eq!(
            file["group_eval_order"],
            serde_json::json!(groups),
            "{}",
            path.display()
        );
        assert_eq!(file["rule_files"].as_array().unwrap().len(), 3);
    }
}
