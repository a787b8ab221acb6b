//! Everything that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::cases::{CASES, Case, FAULTS};
use super::last_week::imagine_last_week;
use super::now;
use super::short_rules::{WINDOW, rewrite_rules};
use crate::support::process::Exporter;
use crate::support::prometheus_server::{Prometheus, Running};
use crate::support::silent::free_address;
use crate::support::tools::run;

const EXPORTER: &str = env!("CARGO_BIN_EXE_cec_exporter");
/// How often to look, a second apart, before giving up: for a busy machine.
pub(crate) const LOOKS: u32 = 300;
/// What is seen so many times in a row is no accident.
pub(crate) const LASTING: u32 = 10;
/// The targets with teams, agents and results: these have most of the series.
const WITH_QUALITY: [&str; 2] = ["healthy", "failing"];
/// Before the faults, all is well so many times in a row. While they last, every alert is watched.
pub(crate) const QUIET: u32 = 5;
/// Calls a second of each contact centre: 300 in a window, so that chance raises no alert.
pub(crate) const CALLS: u32 = 25;

/// The name of an alert, and the target or exporter that it is about.
pub(crate) type Alert = (String, String);

/// A Prometheus of the world.
pub(crate) struct Database<'a> {
    /// How it stores histograms.
    pub(crate) storage: &'static str,
    pub(crate) prometheus: &'a Prometheus,
    /// The alerts that fire without a fault: the healthy target has two exporters, until one is gone.
    pub(crate) all_is_well: BTreeSet<Alert>,
    /// Those that fire once the second exporter is gone.
    pub(crate) without_replica: BTreeSet<Alert>,
}

impl Database<'_> {
    pub(crate) fn firing(&self) -> BTreeSet<Alert> {
        let alerts = self.prometheus.firing().into_iter();
        let pairs = alerts.map(|labels| {
            let about = ["target", "instance"].map(|name| labels[name].as_str());
            let about = about.into_iter().flatten().next().unwrap_or_default();
            (
                labels["alertname"].as_str().unwrap().to_owned(),
                about.to_owned(),
            )
        });
        pairs.collect()
    }

    /// Waits until the windows are full: in a window that is not, a single failed call is a large share.
    pub(crate) fn fill_windows(&self) {
        let since = WINDOW.as_secs() + 1;
        let expr = format!("count(count by (target) (cec_up offset {since}s))");
        for _ in 0..LOOKS {
            let found = self.prometheus.query(&expr, now()).unwrap();
            let targets = found.first().map_or(0.0, |series| series.values[0]);
            if targets == CASES.len() as f64 {
                return;
            }
            sleep(Duration::from_secs(1));
        }
        panic!("{}: not every target is there for {since} s", self.storage);
    }

    /// Waits until all is well so many times in a row. On a busy machine a scrape may be late, which looks
    /// like a fault for a moment.
    pub(crate) fn settle(&self, times: u32) {
        let (mut firing, mut quiet) = (BTreeSet::new(), 0);
        for _ in 0..LOOKS {
            firing = self.firing();
            quiet = if firing == self.all_is_well {
                quiet + 1
            } else {
                0
            };
            if quiet == times {
                return;
            }
            sleep(Duration::from_secs(1));
        }
        panic!("{}: without a fault {firing:?}", self.storage);
    }
}

/// Everything that runs. Dropped in this order.
pub(crate) struct World {
    /// Keeps histograms as classic ones.
    pub(crate) classic: Prometheus,
    /// Keeps them as native ones, and takes the two exporters for those of two clusters.
    pub(crate) native: Prometheus,
    pub(crate) exporter: Exporter,
    /// A second exporter of the healthy target; gone in the end.
    pub(crate) replica: Option<Exporter>,
    pub(crate) simulators: BTreeMap<&'static str, Running>,
    _directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let simulators: BTreeMap<&str, Running> = CASES
            .iter()
            .zip(1..)
            .map(|(case, seed)| (case.target, simulate(case, seed)))
            .collect();
        let exporter = export(&simulators, path);
        let mut healthy = simulators.iter().filter(|(name, _)| **name == "healthy");
        let replica = export(&mut healthy, path);
        let metrics = with_results(&exporter);
        let exporters = [&*exporter.address, &replica.address];
        let classic = database(&path.join("classic"), exporters, ["north", "north"]);
        let native = database(&path.join("native"), exporters, ["north", "south"]);
        imagine_last_week(&metrics, &classic);
        run(Command::new("cp")
            .arg("-r")
            .args([classic.join("tsdb"), native.join("tsdb")]));
        Self {
            classic: Prometheus::start(&classic),
            native: Prometheus::start_with(&native, &["--enable-feature=native-histograms"]),
            exporter,
            replica: Some(replica),
            simulators,
            _directory: directory,
        }
    }

    pub(crate) fn databases(&self) -> [Database<'_>; 2] {
        let [pulled_twice, vanished] = ["CecTargetPulledTwice", "CecTargetVanished"]
            .map(|alert| (alert.to_owned(), "healthy".to_owned()));
        [
            Database {
                storage: "classic",
                prometheus: &self.classic,
                all_is_well: BTreeSet::from([pulled_twice]),
                without_replica: BTreeSet::new(),
            },
            Database {
                storage: "native",
                prometheus: &self.native,
                // A target of this name in each cluster.
                all_is_well: BTreeSet::new(),
                without_replica: BTreeSet::from([vanished]),
            },
        ]
    }

    /// One request more is rate limited. Too many of them, and the exporter would rightly give up,
    /// and the target would be down.
    pub(crate) fn rate_limit_again(&self) {
        let fault = r#"{"details": [{"answer": {"http": 429}, "next": 1}]}"#;
        self.simulators["limited"].demand("PUT", FAULTS, fault);
    }
}

/// Configuration and rules for a Prometheus, in this directory.
fn database(directory: &Path, exporters: [&str; 2], clusters: [&str; 2]) -> PathBuf {
    std::fs::create_dir(directory).unwrap();
    rewrite_rules(directory);
    let mut config = "global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}\n\
                      rule_files: ['*.rules.yml']\n\
                      scrape_configs:\n\
                      - job_name: cec_exporter\n  static_configs:\n"
        .to_owned();
    for (address, cluster) in exporters.iter().zip(clusters) {
        let _ = writeln!(
            config,
            "  - {{targets: ['{address}'], labels: {{cluster: {cluster}}}}}"
        );
    }
    std::fs::write(directory.join("prometheus.yml"), config).unwrap();
    directory.to_owned()
}

fn simulate(case: &Case, seed: u32) -> Running {
    let address = free_address();
    let mut command = Command::new(EXPORTER);
    command.args([
        "simulate",
        &format!("--seed={seed}"),
        &format!("--web.listen-address={address}"),
        &format!("--calls-per-day={}", CALLS * 86_400),
        &format!("--faults={}", case.habits),
        "--flat",
        "--history=3m",
        "--pipeline-speed=120",
        "--late-share=0",
        "--deleted-share=0",
    ]);
    Running::start(&mut command, address, "/-/healthy")
}

/// What the exporter says once it has read the list, and results of these targets.
fn with_results(exporter: &Exporter) -> String {
    for _ in 0..LOOKS {
        let samples = exporter.scrape();
        let has_scores = |target: &&str| samples.has("cec_call_score_count", &[("target", target)]);
        if WITH_QUALITY.iter().all(has_scores) {
            return samples.text;
        }
        sleep(Duration::from_secs(1));
    }
    panic!("no results");
}

fn export<'a>(
    simulators: impl IntoIterator<Item = (&'a &'static str, &'a Running)>,
    directory: &Path,
) -> Exporter {
    let mut config =
        "defaults: {app_key: k, app_secret: s, user_id: u, lookback: 2m, overlap: 5s, \
         reconcile_interval: 1m, \
         page_size: 1000, min_pull_interval: 500ms, request_timeout: 2m, \
         max_requests_per_second: 100}\ntargets:\n"
            .to_owned();
    for (target, simulator) in simulators {
        let quality = if WITH_QUALITY.contains(target) {
            let teams = directory.join(format!("teams-{target}.csv"));
            std::fs::write(&teams, simulator.demand("GET", "/-/teams", "")).unwrap();
            format!(
                ", teams_file: '{}', agents: true, \
                 results: {{enabled: true, share: 0.2, max_requests_per_second: 20}}",
                teams.display()
            )
        } else {
            String::new()
        };
        let _ = writeln!(
            config,
            "- {{name: {target}, endpoint: 'http://{}'{quality}}}",
            simulator.address
        );
    }
    // A pull that does not end leaves time to answer, also in a slow build.
    let flags = ["--web.enable-lifecycle", "--web.timeout-offset=1s"];
    Exporter::start_with(&config, &flags)
}
