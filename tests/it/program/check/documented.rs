//! What the documentation shows of `check` is what it prints, up to numbers.

use std::collections::BTreeSet;

use cec_exporter::simulator::faults::Faults;
use serde_json::Value;
use tempfile::TempDir;

use super::checked::check;
use crate::support::process::{command, configuration, configured, target};
use crate::support::silent::free_address;
use crate::support::simulated::{SimulatedVendor, settled};

// The other language has the same code, which `tests/docs` checks.
const PAGES: [&str; 2] = [
    include_str!("../../../../docs/cli.md"),
    include_str!("../../../../docs/troubleshooting.md"),
];

/// Every number is the same number.
fn numberless(text: &str) -> String {
    let mut out = String::new();
    for c in text.trim().chars() {
        match c {
            '0'..='9' if out.ends_with('0') => {}
            '0'..='9' => out.push('0'),
            c => out.push(c),
        }
    }
    out
}

/// The code blocks that contain this.
fn blocks(part: &str) -> Vec<&'static str> {
    let blocks = PAGES
        .iter()
        .flat_map(|page| page.split("\n```").skip(1).step_by(2));
    let blocks = blocks.map(|block| block.split_once('\n').unwrap().1);
    blocks.filter(|block| block.contains(part)).collect()
}

/// The faults that the page sets in a shell, between single quotes.
fn faults() -> Faults {
    let command = blocks("-d '{\"details\"")[0];
    let json = command.split('\'').nth(1).unwrap();
    Faults::parse(json.as_bytes()).unwrap()
}

#[test]
fn the_examples_of_a_check_are_what_it_prints() {
    let vendor = SimulatedVendor::frozen(settled(200));
    let directory = TempDir::new().unwrap();
    let variables = [
        ("CEC_ENDPOINT", &*vendor.endpoint),
        ("CEC_APP_KEY", "any-app-key"),
        ("CEC_APP_SECRET", "any-app-secret"),
        ("CEC_USER_ID", "1"),
    ];
    let printed = |flags: &[&str]| {
        let mut command = command(directory.path());
        let command = command.envs(variables).arg("check").args(flags);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let [well, refused, night] = blocks("configuration: ok, ").try_into().unwrap();
    assert_eq!(numberless(&printed(&[])), numberless(well));

    vendor.simulator.set_faults(faults());
    assert_eq!(numberless(&printed(&[])), numberless(refused));

    let json: Value = serde_json::from_str(&printed(&["--format", "json"])).unwrap();
    let steps = json["targets"][0]["steps"].as_array().unwrap();
    let failed = steps.iter().find(|step| step["ok"] == false).unwrap();
    let shown: Value = serde_json::from_str(blocks("\"likely_cause\": ")[0]).unwrap();
    assert_eq!(
        numberless(&failed.to_string()),
        numberless(&shown.to_string())
    );

    vendor.set_faults(|faults| {
        use cec_exporter::simulator::faults::{Answer, Fault};
        faults.token.troubles = vec![Fault::share(Answer::Http(401), 1.0)];
    });
    let closed = format!("http://{}", free_address());
    let checked = check(
        &[
            target("support", &vendor.endpoint, ""),
            target("sales", &closed, ""),
        ],
        &[],
    );
    assert_eq!(numberless(&checked.stdout), numberless(night));
}

/// The paths of all fields of a value, as the page writes them.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                let dot = if path.is_empty() { "" } else { "." };
                fields(value, &format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(inner) => {
            // Nothing to say of it here.
            if inner.is_empty() {
                found.insert(format!("{path}[]"));
            }
            for value in inner {
                fields(value, &format!("{path}[]"), found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn the_fields_for_scripts_are_those_of_the_table() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let config = configuration(&[target("a", &vendor.endpoint, "")]);
    let directory = configured(&config);
    // With something to warn of.
    let output = command(directory.path())
        .env("CEC_USER_ID", "not used")
        .args(["check", "--format=json"])
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let warnings = json["warnings"].to_string();
    for part in [
        "cec_exporter.yml holds a secret",
        "the variable CEC_USER_ID is set but not used",
    ] {
        assert!(warnings.contains(part), "{warnings}");
    }
    let mut found = BTreeSet::new();
    fields(&json, "", &mut found);
    for page in [PAGES[0], include_str!("../../../../docs/cli.zh-CN.md")] {
        let (_, table) = page.split_once("<!-- check -->\n\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let told: BTreeSet<String> = rows
            .skip(2)
            .map(|row| row.split('`').nth(1).unwrap().to_owned())
            .collect();
        assert_eq!(told, found);
    }
}
