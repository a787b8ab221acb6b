//! The chart and its examples, rendered by Helm.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::tools::{in_repository, is_there};

pub(crate) const CHART: &str = "deploy/helm/cec-exporter";
pub(crate) const EXAMPLES: [&str; 5] = ["account", "demo", "monitoring", "protected", "shards"];

pub(crate) fn has_helm() -> bool {
    let examples = in_repository(CHART).join("examples");
    assert_eq!(
        file_names(&examples, ".yaml"),
        EXAMPLES.map(|name| format!("{name}.yaml"))
    );
    let remedy = "go install helm.sh/helm/v3/cmd/helm@v3.22.0";
    is_there("helm", &["version"], remedy)
}

pub(crate) fn example(name: &str) -> PathBuf {
    in_repository(CHART).join(format!("examples/{name}.yaml"))
}

/// Names of files with this ending, in order.
pub(crate) fn file_names(directory: &Path, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
}

pub(crate) fn render(chart: &Path, values: &Path, arguments: &[&str]) -> Output {
    Command::new("helm")
        .args(["template", "cec-exporter", "--kube-version", "1.30"])
        .arg(chart)
        .arg("--values")
        .arg(values)
        .args(arguments)
        .output()
        .unwrap()
}

/// What becomes of an example.
pub(crate) fn template(name: &str, arguments: &[&str]) -> String {
    let output = render(&in_repository(CHART), &example(name), arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// Why it does not become anything.
pub(crate) fn refusal(name: &str, argument: &str) -> String {
    let output = render(&in_repository(CHART), &example(name), &[argument]);
    assert!(!output.status.success(), "{argument} is taken");
    String::from_utf8(output.stderr).unwrap()
}

/// An object of Kubernetes.
pub(crate) struct Object {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) all: Value,
}

pub(crate) fn objects(name: &str, arguments: &[&str]) -> Vec<Object> {
    let text = template(name, arguments);
    let documents = text.split("---\n").skip(1);
    documents
        .map(|document| {
            let all: Value = serde_saphyr::from_str(document).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            Object {
                kind: text(&all["kind"]),
                name: text(&all["metadata"]["name"]),
                all,
            }
        })
        .collect()
}
