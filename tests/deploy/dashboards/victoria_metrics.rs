//! The same metrics in VictoriaMetrics and in Prometheus: it scrapes the exporter, and the rules
//! say the same there.
//!
//! Both databases get the same samples, those of a real exporter whose counters then grow evenly.
//! Where counters do not, rates differ by a little: Prometheus extrapolates to the ends of the
//! window, and VictoriaMetrics takes the sample before it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::support::boards::{Rule, metrics_in, rules, rules_in};
use crate::support::eventually;
use crate::support::process::Exporter;
use crate::support::prometheus_server::{Prometheus, Running, Series, create_blocks};
use crate::support::silent::free_address;
use crate::support::tools::{in_repository, is_installed, run};
use serde_json::Value;

const EXPORTER: &str = env!("CARGO_BIN_EXE_cec_exporter");
const WEEK: u64 = 604_800;
/// Seconds of samples before each moment that is asked about; the rules look back an hour.
const HISTORY: u64 = 5400;
const STEP: u64 = 60;

/// A vendor, an exporter of it and of one that is down, and a place for the rest.
struct World {
    exporter: Exporter,
    _vendor: Running,
    directory: tempfile::TempDir,
}

impl World {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let vendor = free_address();
        let mut command = Command::new(EXPORTER);
        command.args([
            "simulate",
            &format!("--web.listen-address={vendor}"),
            "--flat",
        ]);
        let vendor = Running::start(&mut command, vendor, "/-/healthy");
        let teams = path.join("teams.csv");
        std::fs::write(&teams, vendor.demand("GET", "/-/teams", "")).unwrap();
        let config = format!(
            "defaults: {{app_key: k, app_secret: s, user_id: u, max_requests_per_second: 1000}}\n\
             targets:\n- {{name: up, endpoint: 'http://{}', teams_file: '{}', \
             results: {{enabled: true, share: 0.01, max_requests_per_second: 100}}}}\n\
             - {{name: down, endpoint: 'http://{}'}}\n",
            vendor.address,
            teams.display(),
            free_address()
        );
        let exporter = Exporter::start_with(&config, &["--web.enable-lifecycle"]);
        exporter.scrape_until("results", |samples| {
            samples.has("cec_call_rules_total", &[])
        });
        Self {
            exporter,
            _vendor: vendor,
            directory,
        }
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// The expressions of the rules, and what the mixin makes of each for a database without native
/// histograms.
fn without_native_histograms(directory: &Path) -> BTreeMap<String, String> {
    let own = "((import 'files.libsonnet') + { config+:: { nativeHistograms: false } }).rules";
    let to = directory.join("rules");
    let mut jsonnet = Command::new("jsonnet");
    jsonnet
        .args(["--string", "--create-output-dirs", "--jpath"])
        .arg(in_repository("mixin"))
        .arg("--multi")
        .arg(&to);
    run(jsonnet.args(["--exec", own]));
    let exprs = |rules: Vec<Rule>| rules.into_iter().map(|rule| rule.expr);
    exprs(rules())
        .zip(exprs(rules_in(to.to_str().unwrap())))
        .collect()
}

#[test]
fn victoria_metrics_scrapes_the_exporter() {
    if !is_installed("victoria-metrics") {
        return;
    }
    let world = World::start();
    let path = world.directory.path();
    let scrape = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
         - job_name: cec_exporter\n  static_configs: [{{targets: ['{}']}}]\n",
        world.exporter.address
    );
    let file = path.join("scrape.yml");
    std::fs::write(&file, scrape).unwrap();
    let flag = format!("--promscrape.config={}", file.display());
    let victoria = Prometheus::victoria(path, &[&flag]);
    let value = |expr: &str| {
        let answer = victoria.query(expr, now() as f64).unwrap();
        answer
            .first()
            .and_then(|series| series.values.first().copied())
    };
    let calls = eventually("calls", || {
        value("sum(cec_window_calls{target=\"up\"})").filter(|calls| *calls > 0.0)
    });
    assert!(calls > 10_000.0, "{calls}");
    assert_eq!(value("cec_up{target=\"up\"}"), Some(1.0));
    assert_eq!(value("cec_up{target=\"down\"}"), Some(0.0));
    assert_eq!(value("up{job=\"cec_exporter\"}"), Some(1.0));
    // A histogram is whole: as many buckets as the exporter shows.
    let shown = world.exporter.scrape();
    let buckets = "cec_call_duration_seconds_bucket";
    assert_eq!(
        value(&format!("count({buckets})")),
        Some(shown.select(buckets, &[]).count() as f64)
    );
}

/// What rules look at: the exporter's series around a moment, and whether each is a counter.
fn samples(metrics: &str, moments: [u64; 2]) -> Vec<(String, f64, u64)> {
    let mut all = Vec::new();
    let mut kind = "";
    let mut add = |series: &str, value: f64, growth: f64| {
        for moment in moments {
            for back in (0..=HISTORY / STEP).rev() {
                let time = moment - back * STEP;
                let grown = growth * (HISTORY - back * STEP) as f64;
                all.push((series.to_owned(), value + grown, time));
            }
        }
    };
    add("up{job=\"cec_exporter\",instance=\"a\"}", 0.0, 0.0);
    for line in metrics.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            kind = head.rsplit(' ').next().unwrap();
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let labels = "job=\"cec_exporter\",instance=\"a\"";
        let series = match series.split_once('{') {
            Some((name, rest)) => format!("{name}{{{labels},{rest}"),
            None => format!("{series}{{{labels}}}"),
        };
        let value: f64 = value.parse().unwrap();
        // Whole numbers, which neither database rounds.
        let growth = if kind == "gauge" { 0.0 } else { value.round() };
        add(&series, value, growth / 60.0);
    }
    all
}

/// A Prometheus and a VictoriaMetrics that hold the same.
struct Both<'a> {
    directory: &'a Path,
    prometheus: Option<Prometheus>,
    victoria: Prometheus,
    /// What VictoriaMetrics is asked, by what Prometheus is.
    expressions: BTreeMap<String, String>,
}

impl Both<'_> {
    /// Takes up samples; Prometheus has to be started anew for that.
    fn add(&mut self, samples: &[(String, f64, u64)]) {
        let (mut open_metrics, mut text) = (String::new(), String::new());
        for (series, value, time) in samples {
            let _ = writeln!(open_metrics, "{series} {value} {time}");
            let _ = writeln!(text, "{series} {value} {time}000");
        }
        self.victoria.import(&text);
        self.prometheus = None;
        open_metrics.push_str("# EOF\n");
        let file = self.directory.join("samples.txt");
        std::fs::write(&file, open_metrics).unwrap();
        create_blocks(&file, &self.directory.join("tsdb"));
        self.prometheus = Some(Prometheus::start(self.directory));
    }

    /// The answer of both, by labels.
    fn ask(&self, rule: &Rule, moment: u64) -> BTreeMap<String, f64> {
        let ask = |database: &Prometheus, expr: &str| {
            let found = database.query(expr, moment as f64);
            by_labels(found.unwrap_or_else(|error| panic!("{}: {error}", rule.name)))
        };
        let prometheus = ask(self.prometheus.as_ref().unwrap(), &rule.expr);
        let victoria = ask(&self.victoria, &self.expressions[&rule.expr]);
        let series = |answer: &BTreeMap<String, f64>| answer.keys().cloned().collect::<Vec<_>>();
        assert_eq!(series(&victoria), series(&prometheus), "{}", rule.name);
        for (labels, value) in &prometheus {
            let other = victoria[labels];
            let apart = (other - value).abs();
            assert!(
                // Differences of times, which VictoriaMetrics keeps to the microsecond.
                apart <= 1e-9 * value.abs().max(1e4),
                "{}{labels}: {value} in Prometheus, {other} in VictoriaMetrics",
                rule.name
            );
        }
        prometheus
    }
}

/// Without the name, which comparisons keep in one and drop in the other.
fn by_labels(series: Vec<Series>) -> BTreeMap<String, f64> {
    let one = |mut series: Series| {
        if let Value::Object(labels) = &mut series.labels {
            labels.remove("__name__");
        }
        let labels = match &series.labels {
            Value::Object(labels) => labels
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(","),
            _ => String::new(),
        };
        Some((format!("{{{labels}}}"), *series.values.first()?))
    };
    series.into_iter().filter_map(one).collect()
}

/// So low, or so high, that most alerts have something to say.
fn threshold(rule: &Rule) -> f64 {
    let is_lower_limit = ["cec:token_left_seconds", "cec:dried_up_ratio"]
        .iter()
        .any(|name| rule.name.starts_with(name));
    if is_lower_limit { 1e9 } else { 0.0 }
}

#[test]
fn the_rules_say_the_same_in_victoria_metrics_as_in_prometheus() {
    let programs = ["victoria-metrics", "prometheus", "promtool", "jsonnet"];
    if programs.iter().any(|program| !is_installed(program)) {
        return;
    }
    let world = World::start();
    let path = world.directory.path();
    std::fs::write(path.join("prometheus.yml"), "").unwrap();
    world.exporter.configure("targets: []");
    let status = world.exporter.post("/-/reload").status;
    assert_eq!(status, 500, "a reload of a bad configuration");
    let now = now() / STEP * STEP;
    // The older one first, as Prometheus wants its samples.
    let moments = [now - WEEK, now];
    let mut both = Both {
        directory: path,
        prometheus: None,
        victoria: Prometheus::victoria(path, &[]),
        expressions: without_native_histograms(path),
    };
    both.add(&samples(&world.exporter.scrape().text, moments));

    // Rules that look at other rules come after these.
    let (alerts, mut left): (Vec<Rule>, Vec<Rule>) =
        rules().into_iter().partition(|rule| rule.is_alert);
    let mut empty = BTreeSet::new();
    while !left.is_empty() {
        let names: BTreeSet<String> = left.iter().map(|rule| rule.name.clone()).collect();
        let waits = |rule: &Rule| {
            metrics_in(&rule.expr)
                .iter()
                .any(|m| names.contains(&m.name))
        };
        let (later, ready): (Vec<Rule>, Vec<Rule>) = left.into_iter().partition(waits);
        assert!(!ready.is_empty(), "rules that wait for each other");
        let mut recorded = Vec::new();
        for rule in &ready {
            let is_threshold = rule.name.ends_with(":threshold");
            for moment in moments {
                let answer = both.ask(rule, moment);
                if answer.is_empty() {
                    empty.insert(rule.name.clone());
                }
                for (labels, value) in answer {
                    let value = if is_threshold { threshold(rule) } else { value };
                    let series = format!("{}{}", rule.name, with(&labels, &rule.labels));
                    recorded.push((series, value, moment));
                }
            }
        }
        both.add(&recorded);
        left = later;
    }
    // They look at hours and weeks of which not all is there.
    let recent = [
        "target:cec_recent_calls:sum",
        "target:cec_recent_calls:usual",
        "target_scenario:cec_call_score:usual",
        "target_scenario_kind_rule:cec_call_rules:violated_ratio_usual",
    ];
    let recent = BTreeSet::from(recent.map(str::to_owned));
    assert!(empty.is_subset(&recent), "nothing: {empty:?}");
    let firing = alerts.iter().filter(|rule| !both.ask(rule, now).is_empty());
    let firing: Vec<&str> = firing.map(|rule| &*rule.name).collect();
    assert!(firing.len() > 10, "too few to compare: {firing:?}");
}

/// Labels of an answer, with those that the rule adds.
fn with(labels: &str, more: &Value) -> String {
    let mut all: Vec<String> = Vec::new();
    let inner = labels.trim_matches(['{', '}']);
    if !inner.is_empty() {
        all.push(inner.to_owned());
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        all.push(format!("{name}={value}"));
    }
    format!("{{{}}}", all.join(","))
}
