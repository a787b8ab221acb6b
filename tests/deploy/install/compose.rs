//! The files in `deploy/compose`, as far as they can be tried without a container engine.

use super::text;
use crate::support::boards;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::support::process::{Exporter, LISTEN, Process, command};
use crate::support::prometheus_server::Prometheus;
use crate::support::tools::{go_module, in_repository, is_installed, read, run, schemas};
use crate::support::wait_until;
use cec_exporter::config;
use serde_json::Value;

/// Has the schema of the Compose specification.
const COMPOSE_GO: &str = "github.com/compose-spec/compose-go/v2@v2.16.2";
const FOLDER: &str = "deploy/compose";

fn yaml(file: &str) -> Value {
    boards::yaml(&in_repository(FOLDER).join(file))
}

/// What of this repository is mounted into a service: where, and what.
fn mounts(service: &str) -> BTreeMap<PathBuf, PathBuf> {
    let compose = yaml("compose.yaml");
    let volumes = compose["services"][service]["volumes"].as_array().unwrap();
    let mut mounts = BTreeMap::new();
    for volume in volumes.iter().map(text) {
        let mut parts = volume.split(':');
        let (from, to) = (parts.next().unwrap(), parts.next().unwrap());
        if from.starts_with('.') {
            assert_eq!(parts.next(), Some("ro"), "{volume}");
            let path = in_repository(FOLDER).join(from);
            let path = path.canonicalize();
            let path = path.unwrap_or_else(|error| panic!("{volume}: {error}"));
            mounts.insert(PathBuf::from(to), path);
        } else {
            assert!(compose["volumes"].get(from).is_some(), "{volume}");
        }
    }
    mounts
}

/// What a service finds at a path.
fn mounted(service: &str, path: &str) -> PathBuf {
    let mounts = mounts(service);
    let found = mounts.iter().rev().find_map(|(to, from)| {
        let rest = Path::new(path).strip_prefix(to).ok()?;
        Some(from.components().chain(rest.components()).collect())
    });
    let found: PathBuf = found.unwrap_or_else(|| panic!("{service}: nothing at {path}"));
    assert!(found.exists(), "{service}: {path} is {}", found.display());
    found
}

#[test]
fn the_files_are_as_the_specification_has_them() {
    let (Some(module), Some(mut schemas)) = (go_module(COMPOSE_GO), schemas()) else {
        return;
    };
    schemas
        .arg("json")
        .arg(module.join("schema/compose-spec.json"));
    schemas.args(["compose.yaml", "account.yaml"].map(|file| in_repository(FOLDER).join(file)));
    assert_eq!(run(&mut schemas), "2 documents, 0 mistakes\n");
    // It would say so, were it otherwise.
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("compose.yaml");
    let compose = read(format!("{FOLDER}/compose.yaml"));
    fs::write(&broken, compose.replace("    restart:", "    restrat:")).unwrap();
    let output = schemas.arg(&broken).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.ends_with("3 documents, 4 mistakes\n"), "{told}");
}

#[test]
fn the_exporter_is_built_from_what_is_there_and_open_to_this_machine_only() {
    let compose = yaml("compose.yaml");
    let build = &compose["services"]["exporter"]["build"];
    let context = in_repository(FOLDER).join(text(&build["context"]));
    assert!(context.join(text(&build["dockerfile"])).exists());
    for (name, service) in compose["services"].as_object().unwrap() {
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(text(port).starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
    // The ledger's volume is where the image keeps the ledger.
    let dockerfile = read("deploy/docker/Dockerfile");
    let account = yaml("account.yaml");
    let volume = text(&account["services"]["exporter"]["volumes"][0]).to_owned();
    let (_, place) = volume.split_once(':').unwrap();
    assert!(
        dockerfile.contains(&format!("\nVOLUME {place}\n")),
        "{place}"
    );
    let flag = text(&account["services"]["exporter"]["command"][0]);
    assert_eq!(flag, format!("--storage.path={place}"));
}

#[test]
fn the_configuration_is_that_of_the_rules() {
    let mut ours = yaml("prometheus.yml");
    let theirs = boards::yaml(&in_repository("deploy/prometheus/prometheus.yml"));
    let targets = "/scrape_configs/0/static_configs/0/targets/0";
    *ours.pointer_mut(targets).unwrap() = theirs.pointer(targets).unwrap().clone();
    for file in ours["rule_files"].as_array_mut().unwrap() {
        *file = text(file).strip_prefix("cec/").unwrap().into();
    }
    assert_eq!(ours, theirs);
}

/// The script of the service that imports the simulated month, with other paths.
#[test]
fn the_simulated_history_becomes_blocks_once() {
    if !is_installed("promtool") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(path("tsdb")).unwrap();
    let import = || {
        let service = &yaml("compose.yaml")["services"]["history"];
        let script = text(&service["command"][0]).replace("$$", "$");
        let script = script.replace("/prometheus", &path("tsdb"));
        let script = script.replace("/history/history", &path("history"));
        let [shell, flags] = [0, 1].map(|at| text(&service["entrypoint"][at]).to_owned());
        run(Command::new(shell).arg(flags).arg(script));
        fs::read_dir(path("tsdb")).unwrap().count()
    };
    // With a real account there is no history.
    assert_eq!(import(), 0);
    let compose = yaml("compose.yaml");
    let words = compose["services"]["exporter"]["command"]
        .as_array()
        .unwrap();
    let flags = words.iter().map(|word| match text(word).split_once('=') {
        Some(("--history", _)) => "--history=5h".to_owned(),
        Some(("--output", _)) => format!("--output={}", path("history")),
        _ => text(word).to_owned(),
    });
    let mut demo = Process::spawn(command(directory.path()).args(flags).arg(LISTEN));
    demo.told("metrics:     http://localhost:");
    let blocks = import();
    assert!(blocks > 2, "{blocks}");
    assert_eq!(import(), blocks, "imported twice");
}

/// A Prometheus that finds at each path what is mounted there, and the demonstration as the
/// service that it is told to scrape.
#[test]
fn prometheus_scrapes_the_demonstration_and_evaluates_every_rule() {
    if !is_installed("prometheus") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let demo = Exporter::demo(&mut command(directory.path()), &[]);

    let compose = yaml("compose.yaml");
    let words = compose["services"]["prometheus"]["command"]
        .as_array()
        .unwrap();
    let flag = words
        .iter()
        .find_map(|word| text(word).strip_prefix("--config.file="));
    let root = |path: &Path| -> PathBuf {
        let inside = path.components().filter(|part| *part != Component::RootDir);
        std::iter::once(directory.path().components())
            .flatten()
            .chain(inside)
            .collect()
    };
    for (to, from) in mounts("prometheus") {
        fs::create_dir_all(root(&to).parent().unwrap()).unwrap();
        if to == Path::new(flag.unwrap()) {
            // So that nobody waits for half a minute.
            let config = fs::read_to_string(from).unwrap();
            assert!(compose["services"].get("exporter").is_some());
            let config = config.replace("exporter:10042", &demo.address);
            let config = config.replace(": 30s", ": 1s").replace(": 20s", ": 1s");
            fs::write(root(&to), config).unwrap();
        } else {
            fs::create_dir(root(&to)).unwrap();
            for file in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
                if file.file_type().unwrap().is_file() {
                    // Nor for the rules that are evaluated less often.
                    let rules = fs::read_to_string(file.path()).unwrap();
                    let rules = rules.replace("interval: \"2m\"", "interval: 1s");
                    fs::write(root(&to).join(file.file_name()), rules).unwrap();
                }
            }
        }
    }
    let prometheus = Prometheus::start(root(Path::new(flag.unwrap())).parent().unwrap());
    wait_until("a scrape", || {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let up = prometheus.query("up{job=\"cec_exporter\"} == 1", now.as_secs_f64());
        !up.unwrap().is_empty()
    });
    // A rule that has not been evaluated yet is broken as well.
    wait_until("rules that work", || prometheus.broken_rules().is_empty());
    assert_eq!(prometheus.rules().len(), boards::rules().len());
}

#[test]
fn grafana_finds_the_data_source_and_the_boards() {
    let provisioning = "/etc/grafana/provisioning";
    let source = boards::yaml(&mounted(
        "grafana",
        &format!("{provisioning}/datasources/cec.yaml"),
    ));
    assert_eq!(source["apiVersion"], 1);
    let source = &source["datasources"][0];
    assert_eq!(source["type"], "prometheus");
    assert_eq!(source["isDefault"], true);
    let (host, port) = text(&source["url"])
        .strip_prefix("http://")
        .and_then(|address| address.split_once(':'))
        .unwrap();
    let compose = yaml("compose.yaml");
    let published = text(&compose["services"][host]["ports"][0]);
    assert!(published.ends_with(&format!(":{port}")), "{published}");
    let interval = &yaml("prometheus.yml")["global"]["scrape_interval"];
    assert_eq!(source["jsonData"]["timeInterval"], *interval);

    let boards = boards::yaml(&mounted(
        "grafana",
        &format!("{provisioning}/dashboards/cec.yaml"),
    ));
    assert_eq!(boards["apiVersion"], 1);
    let provider = &boards["providers"][0];
    assert_eq!(provider["type"], "file");
    let folder = text(&provider["options"]["path"]);
    assert_eq!(
        mounted("grafana", folder),
        in_repository("dashboards").canonicalize().unwrap()
    );
    let environment = &compose["services"]["grafana"]["environment"];
    mounted(
        "grafana",
        text(&environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]),
    );
}

#[test]
fn the_example_of_an_account_is_a_target() {
    let example = read(format!("{FOLDER}/account.env.example"));
    let variables: BTreeMap<&str, &str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('=').unwrap())
        .collect();
    let environment = |name: &str| {
        let value = *variables.get(name)?;
        // Who fills it in gives what is required.
        let required = ["CEC_APP_KEY", "CEC_APP_SECRET", "CEC_USER_ID"].contains(&name);
        Some(
            if required && value.is_empty() {
                "x"
            } else {
                value
            }
            .to_owned(),
        )
    };
    // Where there is no configuration file.
    let default = in_repository("tests/fixtures/cec_exporter.yml");
    let config = config::load(None, &default, &environment).unwrap();
    assert_eq!(config.targets.len(), 1);
}
