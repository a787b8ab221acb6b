//! What is rendered speaks of this exporter, its rules and its boards.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use cec_exporter::cli::Cli;
use cec_exporter::config;
use cec_exporter::metrics::catalog;
use serde_json::{Value, json};

use super::chart::{CHART, EXAMPLES, Object, has_helm, objects};
use crate::support::boards;
use crate::support::tools::{in_repository, is_installed, read, run};

#[test]
fn the_rules_are_those_of_the_files() {
    if !has_helm() || !is_installed("promtool") {
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
        .map(|(file, text)| {
            let name = file.strip_prefix("default-cec-exporter-").unwrap();
            (name, text.as_str().unwrap())
        })
        .collect();
    let boards = boards::boards();
    let files = boards.iter().map(|board| (&*board.file, &*board.source));
    assert!(rendered == files.collect(), "{:?}", rendered.keys());
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
    for name in EXAMPLES {
        let objects = objects(name, &[]);
        let container = container(&objects);
        let mut words = vec!["cec_exporter"];
        words.extend(texts(&container["args"]));
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
        let config = config::load(Some(&path), &path, &variables);
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

/// What follows from values that others are set by.
#[test]
fn ports_paths_and_schemes_follow() {
    if !has_helm() {
        return;
    }
    let all = objects(
        "protected",
        &[
            "--set=web.port=9000,web.routePrefix=/cec,web.telemetryPath=/calls",
            "--set=serviceMonitor.scheme=,serviceMonitor.namespace=monitoring",
            "--set-json=serviceMonitor.metricRelabelings=[{\"action\":\"labeldrop\",\"regex\":\"pod\"}]",
        ],
    );
    let of = |kind: &str| &all.iter().find(|object| object.kind == kind).unwrap().all;
    let endpoint = &of("ServiceMonitor")["spec"]["endpoints"][0];
    assert_eq!(endpoint["path"], "/cec/calls");
    assert_eq!(endpoint["scheme"], "https");
    assert_eq!(endpoint["metricRelabelings"][0]["regex"], "pod");
    let monitor = of("ServiceMonitor");
    assert_eq!(monitor["metadata"]["namespace"], "monitoring");
    assert_eq!(
        monitor["spec"]["namespaceSelector"]["matchNames"],
        json!(["default"])
    );
    assert_eq!(of("Service")["spec"]["ports"][0]["port"], 9000);
    let container = container(&all);
    assert_eq!(container["ports"][0]["containerPort"], 9000);
    let mut words = vec!["cec_exporter"];
    words.extend(texts(&container["args"]));
    assert!(words.contains(&"--web.listen-address=:9000"), "{words:?}");
    assert!(words.contains(&"--web.route-prefix=/cec"), "{words:?}");
    assert!(words.contains(&"--web.telemetry-path=/calls"), "{words:?}");

    let plain = objects("account", &["--set=web.routePrefix=/cec"]);
    let probe = &self::container(&plain)["readinessProbe"]["httpGet"]["path"];
    assert_eq!(probe, "/cec/-/ready");
}

/// The operator's labels of a target would rename the exporter's own to `exported_...`, and the boards would show
/// the wrong ones.
#[test]
fn labels_of_the_monitor_hide_none_of_the_exporter() {
    if !has_helm() {
        return;
    }
    const OPERATOR_ADDS: [&str; 7] = [
        "namespace",
        "service",
        "pod",
        "container",
        "endpoint",
        "job",
        "instance",
    ];
    let all = objects("monitoring", &[]);
    let monitor = all.iter().find(|object| object.kind == "ServiceMonitor");
    let rules = &monitor.unwrap().all["spec"]["endpoints"][0]["relabelings"];
    let rules = rules.as_array().unwrap().iter();
    let dropped = rules.filter(|rule| rule["action"] == "labeldrop");
    let dropped: Vec<&str> = dropped
        .map(|rule| rule["regex"].as_str().unwrap())
        .collect();
    let mut clashes = Vec::new();
    for metric in catalog::ALL {
        let taken = metric
            .labels
            .iter()
            .filter(|label| OPERATOR_ADDS.contains(label));
        clashes.extend(taken.copied());
    }
    assert_eq!(clashes, dropped);
}

/// Two releases of one namespace have nothing of one name; a single alert can be left out.
#[test]
fn releases_and_alerts_are_apart() {
    if !has_helm() {
        return;
    }
    let names = |arguments: &[&str]| -> std::collections::BTreeSet<(String, String)> {
        let all = objects("monitoring", arguments).into_iter();
        let objects = all.map(|object| {
            let files = object.all["data"]
                .as_object()
                .map(|data| data.keys().cloned().collect());
            let files: Vec<String> = files.unwrap_or_default();
            [(object.kind, object.name)]
                .into_iter()
                .chain(
                    // The sidecar has one directory for all files; cec_exporter.yml is mounted by itself.
                    files
                        .into_iter()
                        .filter(|file| file.ends_with(".json"))
                        .map(|file| ("file".to_owned(), file)),
                )
                .collect::<Vec<_>>()
        });
        objects.flatten().collect()
    };
    let (one, other) = (names(&[]), names(&["--set=fullnameOverride=other"]));
    assert_eq!(one.intersection(&other).next(), None);
    assert!(one.len() > 15);

    let without = ["--set-json=prometheusRule.disabled=[\"CecSpeechTooFast\"]"];
    let rules = |arguments: &[&str]| {
        let all = objects("monitoring", arguments).into_iter();
        let rules = all.filter(|object| object.kind == "PrometheusRule");
        rules
            .map(|object| object.all["spec"].to_string())
            .collect::<String>()
    };
    let count = |text: &str| text.matches("\"alert\":").count();
    let (all, fewer) = (rules(&[]), rules(&without));
    assert_eq!(count(&all), count(&fewer) + 1);
    assert!(!fewer.contains("CecSpeechTooFast"));
    let chinese = rules(&["--set=prometheusRule.language=zh-CN"]);
    assert_eq!(count(&chinese), count(&all));
    assert!(chinese.contains('。') && !all.contains('。'));
}
