//! Dashboards, rules and runbooks are what their source in `mixin/` makes, in both languages.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::tools::{in_repository, is_installed, run};

/// Where nothing but generated files has these endings.
const GENERATED: [(&str, &str); 7] = [
    ("dashboards", "json"),
    ("dashboards/zh-CN", "json"),
    ("deploy/prometheus", "rules.yml"),
    ("deploy/prometheus/runbooks", "md"),
    ("deploy/prometheus/zh-CN", "rules.yml"),
    ("deploy/prometheus/zh-CN", "md"),
    ("deploy/prometheus/zh-CN/runbooks", "md"),
];

fn files(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for (directory, ending) in GENERATED {
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().ends_with(ending) {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn what_is_kept_is_what_the_source_makes() {
    if !is_installed("jsonnet") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    run(Command::new(in_repository("mixin/generate")).arg(directory.path()));
    let made = files(directory.path());
    let kept = files(&in_repository(""));
    assert!(made.len() > 60, "{}", made.len());
    let names: Vec<_> = made.keys().collect();
    assert_eq!(kept.keys().collect::<Vec<_>>(), names, "run mixin/generate");
    for (name, text) in made {
        assert!(
            text == kept[&name],
            "{}: run mixin/generate",
            name.display()
        );
    }
}

/// An installation's own configuration reaches what it is about.
#[test]
fn the_configuration_is_in_one_place() {
    if !is_installed("jsonnet") {
        return;
    }
    let own = r#"
        local mixin = (import 'files.libsonnet') + { config+:: {
            clusterLabel: 'region',
            job: 'calls',
            runbookUrlPrefix: 'https://wiki.example.com/',
            nativeHistograms: false,
            thresholds+: { failed_ratio: 0.25 },
        } };
        std.join('', std.objectValues(mixin.rules) + std.objectValues(mixin.dashboards))
    "#;
    let mut jsonnet = Command::new("jsonnet");
    jsonnet
        .args(["--string", "--jpath"])
        .arg(in_repository("mixin"));
    let made = run(jsonnet.args(["--exec", own]));
    assert!(!made.contains("$cluster, ") && made.contains("region=~\\\"$cluster\\\""));
    assert!(made.contains("label_values(cec_up, region)") && !made.contains("cluster=~"));
    assert!(made.contains("up{job=\"calls\"}") && !made.contains("job=\"cec_exporter\""));
    for function in ["count(", "sum(", "fraction("] {
        assert!(!made.contains(&format!("histogram_{function}")));
    }
    assert!(made.contains("https://wiki.example.com/runbooks/CecTargetDown.md"));
    assert!(made.contains("record: cec:failed_ratio:threshold\n        expr: vector(0.25)"));
}
