//! The chart, rendered by the real Helm: what it makes of its examples is valid, is what is kept in
//! `deploy/kubernetes`, and speaks of this exporter, its rules and its boards.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

#[path = "support/boards.rs"]
mod boards;
#[path = "support/chart.rs"]
mod chart;
#[path = "support/prometheus_server.rs"]
mod prometheus_server;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use cec_exporter::cli::Cli;
use cec_exporter::config;
use chart::{
    CHART, EXAMPLES, Object, example, file_names, has_helm, objects, refusal, render, template,
};
use clap::CommandFactory;
use serde_json::{Value, json};
use tools::{go_module, in_repository, is_there, read, run, schemas};

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

#[test]
fn the_rules_are_those_of_the_files() {
    if !has_helm() || !is_there("promtool", &["--version"], "apt-get install prometheus") {
        return;
    }
    let plain = [
        "--set=prometheusRule.runbookUrlPrefix=",
        "--set=prometheusRule.thresholds=null",
    ];
    let rules = |arguments: &[&str]| -> BTreeMap<String, Value> {
        let all = objects("monitoring", arguments).into_iter();
        all.filter(|object| object.kind == "PrometheusRule")
            .map(|object| (object.name, object.all["spec"].clone()))
            .collect()
    };
    let files: BTreeMap<String, Value> = boards::files(boards::RULES, ".rules.yml")
        .iter()
        .map(|path| {
            let name = boards::file_name(path).replace(".rules.yml", "");
            (format!("cec-exporter-{name}"), boards::yaml(path))
        })
        .collect();
    assert_eq!(rules(&plain), files);

    // As the example has them: one threshold is another, and pages are elsewhere.
    let changed = rules(&[]);
    let text = serde_json::to_string(&changed).unwrap();
    let prefix = "https://wiki.example.com/cec/";
    let original = serde_json::to_string(&files).unwrap();
    let expected = original
        .replace("\"runbooks/", &format!("\"{prefix}runbooks/"))
        .replace(
            "\"expr\":\"vector(0.1)\",\"record\":\"cec:failed_ratio:threshold\"",
            "\"expr\":\"vector(0.2)\",\"record\":\"cec:failed_ratio:threshold\"",
        );
    assert_eq!(text, expected);
    assert_ne!(text, original);

    let directory = tempfile::tempdir().unwrap();
    for (name, rules) in changed {
        let path = directory.path().join(name);
        fs::write(&path, rules.to_string()).unwrap();
        run(Command::new("promtool")
            .args(["check", "rules", "--lint=all", "--lint-fatal"])
            .arg(path));
    }
}

#[test]
fn the_boards_are_those_of_the_files() {
    if !has_helm() {
        return;
    }
    let objects = objects("monitoring", &[]);
    let rendered: BTreeMap<&str, &str> = objects
        .iter()
        .filter(|object| object.all["metadata"]["labels"]["grafana_dashboard"] == "1")
        .flat_map(|object| object.all["data"].as_object().unwrap())
        .map(|(file, text)| (file.strip_prefix("cec-").unwrap(), text.as_str().unwrap()))
        .collect();
    let boards = boards::boards();
    let files = boards.iter().map(|board| (&*board.file, &*board.source));
    assert!(rendered == files.collect(), "{:?}", rendered.keys());
}

#[test]
fn values_that_cannot_work_are_refused() {
    if !has_helm() {
        return;
    }
    for (flag, expected) in [
        ("--set=shards=0", "/shards"),
        ("--set-json=shards=1.5", "/shards"),
        ("--set=shard=2", "'shard' not allowed"),
        ("--set=persistence.size=much", "/persistence/size"),
        (
            "--set=serviceMonitor.interval=30",
            "/serviceMonitor/interval",
        ),
        ("--set=image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("--set=image.digest=sha256:1", "/image/digest"),
        ("--set=image.repository=", "image.repository is needed"),
        ("--set=demo=true", "exactly one is needed"),
        ("--set=config=null", "exactly one is needed"),
        ("--set-json=config.targets=[]", "/config/targets"),
        // Neither secrets in a ConfigMap, nor numbers that YAML would round.
        (
            "--set=config.targets[0].name=a,config.targets[0].app_secret=hunter2",
            "/app_secret",
        ),
        (
            "--set-json=config.targets=[{\"name\":\"a\",\"user_id\":1611917095665261978}]",
            "/user_id",
        ),
        (
            "--set-json=prometheusRule={\"enabled\":true,\"thresholds\":{\"cec:typo\":1}}",
            "there is no cec:typo",
        ),
    ] {
        let told = refusal("account", flag);
        assert!(told.contains(expected), "{flag}: {told}");
    }
}

/// The container of the exporter.
fn container(objects: &[Object]) -> &Value {
    let set = objects.iter().find(|object| object.kind == "StatefulSet");
    &set.unwrap().all["spec"]["template"]["spec"]["containers"][0]
}

fn texts(value: &Value) -> Vec<&str> {
    let all = value.as_array().unwrap().iter();
    all.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_exporter_takes_what_it_is_told() {
    if !has_helm() {
        return;
    }
    let command = Cli::command();
    let has_shards = command
        .get_arguments()
        .any(|flag| flag.get_long() == Some("total-shards"));
    for name in EXAMPLES {
        let objects = objects(name, &[]);
        let container = container(&objects);
        let mut words = vec!["cec_exporter"];
        words.extend(texts(&container["args"]));
        if name == "shards" && !has_shards {
            assert_eq!(words.pop(), Some("--total-shards=3"));
        }
        let cli = Cli::from_arguments(&words).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(cli.command.is_some(), name == "demo");
        // What it reads and writes is mounted.
        for flag in &words {
            let Some((_, path)) = flag.split_once("=/") else {
                continue;
            };
            let mounts = container["volumeMounts"].as_array().unwrap();
            let mut places = mounts
                .iter()
                .map(|mount| mount["mountPath"].as_str().unwrap());
            assert!(
                places.any(|place| Path::new(&format!("/{path}")).starts_with(place)),
                "{flag}"
            );
        }
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let probe = &container[probe];
            if name == "protected" {
                let words = texts(&probe["exec"]["command"]);
                assert!(Cli::from_arguments(&words).is_ok(), "{words:?}");
                assert_eq!(words[0], "/bin/cec_exporter");
            } else {
                let path = probe["httpGet"]["path"].as_str().unwrap();
                assert!(["/-/healthy", "/-/ready"].contains(&path), "{path}");
            }
        }
        let Some(map) = objects
            .iter()
            .find(|object| object.all["data"]["cec_exporter.yml"].is_string())
        else {
            assert!(["demo", "shards"].contains(&name), "{name}");
            continue;
        };
        // Files of a Secret are not there; its variables are.
        let text = map.all["data"]["cec_exporter.yml"].as_str().unwrap();
        let text = text.replace("/etc/cec_exporter-secret/", "./");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cec_exporter.yml");
        fs::write(&path, text).unwrap();
        fs::write(directory.path().join("CEC_APP_SECRET"), "hunter2").unwrap();
        let variables = |name: &str| {
            ["CEC_APP_KEY", "CEC_APP_SECRET"]
                .contains(&name)
                .then(|| "x".to_owned())
        };
        let config = config::load(Some(&path), &variables);
        assert_eq!(
            config
                .unwrap_or_else(|error| panic!("{name}: {error}"))
                .targets
                .len(),
            1
        );
    }
}

#[test]
fn it_fits_the_image_and_the_version() {
    if !has_helm() {
        return;
    }
    let objects = objects("account", &[]);
    let container = container(&objects);
    let image = format!(
        "registry.example.com/cec_exporter:{}",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(container["image"], json!(image));
    let dockerfile = read("deploy/docker/Dockerfile");
    let place = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    assert!(
        dockerfile.contains(&format!("\nVOLUME {place}\n")),
        "{place}"
    );
    let values = boards::yaml(&in_repository(CHART).join("values.yaml"));
    let user = &values["podSecurityContext"];
    let user = format!("\nUSER {}:{}\n", user["runAsUser"], user["fsGroup"]);
    assert!(dockerfile.contains(&user), "{user}");
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

#[test]
fn every_value_is_explained() {
    let readme = read(&format!("{CHART}/README.md"));
    let told: BTreeMap<&str, &str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(name, rest)| (name, rest.split_once(" | ").unwrap().0))
        .collect();
    let values = boards::yaml(&in_repository(CHART).join("values.yaml"));
    let mut expected = BTreeMap::new();
    for (name, value) in values.as_object().unwrap() {
        // What goes on as it is to Kubernetes is explained there.
        let whole = ["resources", "podSecurityContext", "securityContext"].contains(&&**name);
        match value
            .as_object()
            .filter(|within| !whole && !within.is_empty())
        {
            Some(within) => expected.extend(
                within
                    .iter()
                    .map(|(key, value)| (format!("{name}.{key}"), value.clone())),
            ),
            None => drop(expected.insert(name.clone(), value.clone())),
        }
    }
    let names: Vec<&str> = expected.keys().map(|name| &**name).collect();
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), names);
    for (name, value) in &expected {
        let shown = told[&**name].trim_matches('`');
        assert!(
            shown == "in the file" || shown == value.to_string(),
            "{name}: {shown}, but {value}"
        );
    }
    for name in EXAMPLES {
        assert!(
            readme.contains(&format!("(examples/{name}.yaml)")),
            "{name}"
        );
    }
}
