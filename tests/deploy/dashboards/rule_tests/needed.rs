//! The unit tests of the rules, each with the rules that it needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::text;
use crate::support::boards::{Used, file_name, metrics_in, read, yaml};
use serde_json::{Value, json};

/// Writes every test of a file to a file of its own, beside a file with the rules that it needs.
pub(super) fn write_tests(path: &Path, directory: &Path) -> Vec<PathBuf> {
    let file = yaml(path);
    let tests = file["tests"].as_array().unwrap();
    // As text, because promtool reads another version of YAML: 0x60 are sixty samples.
    let content = read(path);
    let (_, content) = content.split_once("\ntests:\n").unwrap();
    let mut blocks = content.split("  - name: ");
    let comment = blocks.next().unwrap();
    assert!(comment.lines().all(|line| line.starts_with("  #")));
    let blocks: Vec<&str> = blocks.collect();
    assert_eq!(blocks.len(), tests.len(), "{}", path.display());

    let loaded: Vec<Value> = array(&file["rule_files"])
        .map(|name| yaml(&path.parent().unwrap().join(text(name))))
        .collect();
    let numbered = tests.iter().zip(blocks).enumerate();
    numbered
        .map(|(number, (test, block))| {
            let groups = with_dependencies(&loaded, expected(test));
            let name = format!("{number}.{}", file_name(path));
            let rules = format!("{name}.rules");
            fs::write(
                directory.join(&rules),
                json!({"groups": groups}).to_string(),
            )
            .unwrap();
            // promtool knows of no group that is not loaded.
            let is_loaded = |name: &&Value| groups.iter().any(|group| group["name"] == **name);
            let order: Vec<_> = array(&file["group_eval_order"]).filter(is_loaded).collect();
            let head = format!(
                "rule_files: [{rules}]\nevaluation_interval: {}\ngroup_eval_order: {}\n",
                text(&file["evaluation_interval"]),
                json!(order)
            );
            let written = directory.join(name);
            fs::write(&written, format!("{head}tests:\n  - name: {block}")).unwrap();
            written
        })
        .collect()
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What a test asks for: the alerts and series by their names, or all alerts.
enum Expected {
    Named(BTreeSet<String>),
    Everything,
}

fn expected(test: &Value) -> Expected {
    let alerts = array(&test["alert_rule_test"]).map(|case| text(&case["alertname"]).to_owned());
    let mut names: BTreeSet<String> = alerts.collect();
    for case in array(&test["promql_expr_test"]) {
        for used in metrics_in(text(&case["expr"])) {
            if used.name != "ALERTS" {
                names.insert(used.name);
            } else if let Some(alert) = alert_of(&used) {
                names.insert(alert);
            } else {
                return Expected::Everything;
            }
        }
    }
    Expected::Named(names)
}

/// The alert that a selector of `ALERTS` names, if it names one.
fn alert_of(used: &Used) -> Option<String> {
    let (_, rest) = used.matchers.split_once("alertname=\"")?;
    rest.split_once('"').map(|(name, _)| name.to_owned())
}

/// The groups with the rules of these names, and with those that they depend on.
fn with_dependencies(files: &[Value], expected: Expected) -> Vec<Value> {
    let mut groups: Vec<Value> = files
        .iter()
        .flat_map(|file| array(&file["groups"]))
        .cloned()
        .collect();
    let Expected::Named(mut names) = expected else {
        return groups;
    };
    let is_needed = |rule: &Value, names: &BTreeSet<String>| {
        let name = [&rule["alert"], &rule["record"]]
            .into_iter()
            .find_map(Value::as_str);
        names.contains(name.unwrap())
    };
    loop {
        let before = names.len();
        for rule in groups.iter().flat_map(|group| array(&group["rules"])) {
            if is_needed(rule, &names) {
                let used = metrics_in(text(&rule["expr"])).into_iter();
                names.extend(used.map(|used| used.name));
            }
        }
        if names.len() == before {
            break;
        }
    }
    for group in &mut groups {
        let rules = group["rules"].as_array_mut().unwrap();
        rules.retain(|rule| is_needed(rule, &names));
    }
    groups.retain(|group| group["rules"] != json!([]));
    groups
}
