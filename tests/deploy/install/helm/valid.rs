//! What is rendered is valid, and is what is kept.

use std::fs;
use std::process::Command;

use super::chart::{CHART, EXAMPLES, example, file_names, has_helm, objects, render, template};
use crate::support::tools::{go_module, in_repository, run, schemas};

/// Has the definitions of ServiceMonitor and PrometheusRule, as examples.
const OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";
const DEFINITIONS: &str = "example/prometheus-operator-crd";
/// The oldest Kubernetes that the chart is for, and the newest that the validator knows.
const KUBERNETES: [&str; 2] = ["1.25", "1.37"];

#[test]
fn helm_has_nothing_to_say_against_it() {
    if !has_helm() {
        return;
    }
    for name in EXAMPLES {
        run(Command::new("helm")
            .args([
                "lint",
                "--strict",
                "--quiet",
                "--kube-version",
                "1.30",
                "--values",
            ])
            .args([example(name), in_repository(CHART)]));
    }
}

#[test]
fn the_manifests_that_are_kept_are_those_of_the_chart() {
    if !has_helm() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let folder = in_repository("deploy/kubernetes");
    run(Command::new(folder.join("render")).arg(directory.path()));
    assert_eq!(
        file_names(directory.path(), ".yaml"),
        file_names(&folder, ".yaml")
    );
    for name in file_names(&folder, ".yaml") {
        let rendered = fs::read_to_string(directory.path().join(&name)).unwrap();
        let kept = fs::read_to_string(folder.join(&name)).unwrap();
        assert!(rendered == kept, "{name}: run deploy/kubernetes/render");
    }
}

#[test]
fn kubernetes_and_the_operator_take_what_is_rendered() {
    let Some(operator) = go_module(OPERATOR) else {
        return;
    };
    if !has_helm() || schemas().is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let validate = |version: &str, texts: &[String]| {
        let mut command = schemas().unwrap();
        command
            .args(["kubernetes", version])
            .arg(operator.join(DEFINITIONS));
        for (index, text) in texts.iter().enumerate() {
            let path = directory.path().join(format!("{index}.yaml"));
            fs::write(&path, text).unwrap();
            command.arg(path);
        }
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(told).unwrap())
    };
    let rendered = EXAMPLES.map(|name| template(name, &[]));
    let count: usize = EXAMPLES.iter().map(|name| objects(name, &[]).len()).sum();
    for version in KUBERNETES {
        let (is_valid, told) = validate(version, &rendered);
        assert!(is_valid, "{version}: {told}");
        assert_eq!(told, format!("{count} documents, 0 mistakes\n"));
    }
    // It would say so, were it otherwise.
    let all = rendered.concat();
    for (right, wrong) in [
        ("  replicas: 1\n", "  replicas: one\n"),
        ("readinessProbe:", "readynessProbe:"),
        ("scrapeTimeout: 20s", "scrapeTimeout: 20 seconds"),
        ("scrapeTimeout: 20s", "scrapeTimout: 20s"),
        (
            "  maxUnavailable: 1\n",
            "  maxUnavailable: 1\n  maxUnavailable: 1\n",
        ),
        ("      for: 5m\n", "      for: five minutes\n"),
    ] {
        assert!(all.contains(right), "{right}");
        let (is_valid, told) = validate(KUBERNETES[0], &[all.replacen(right, wrong, 1)]);
        assert!(!is_valid, "{wrong}: {told}");
    }
}

/// Rules and boards are links in the repository; in a package they have to be files.
#[test]
fn a_package_of_it_is_the_same() {
    if !has_helm() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    run(Command::new("helm")
        .arg("package")
        .arg(in_repository(CHART))
        .arg("--destination")
        .arg(directory.path()));
    let [package] = &file_names(directory.path(), ".tgz")[..] else {
        panic!("not one package");
    };
    let packaged = render(&directory.path().join(package), &example("monitoring"), &[]);
    assert_eq!(
        String::from_utf8(packaged.stdout).unwrap(),
        template("monitoring", &[])
    );
}
