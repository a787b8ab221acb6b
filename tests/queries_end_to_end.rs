//! A real Prometheus scrapes real exporters of simulated contact centres. Every query of every
//! panel and rule has to bring data; every fault has to raise its alerts, and no others.
//!
//! Rules and thresholds are those of this repository but for time: every window, from 5 minutes to 3
//! days, is 20 seconds here, and so are the thresholds that go with them, and an alert fires after 2.
//! Nobody would wait for the real ones; they are shown by the unit tests of the rules.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

#[path = "support/boards.rs"]
mod boards;
#[path = "support/prometheus_server.rs"]
mod prometheus_server;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use boards::{Query, RULES, boards, file_name, files, read, rules};
use prometheus_server::{Prometheus, Running, Series, free_address, is_installed, run};

const EXPORTER: &str = env!("CARGO_BIN_EXE_cec_exporter");
const WEEK: f64 = 604_800.0;
/// The windows of the rules here.
const WINDOW: Duration = Duration::from_secs(20);
/// Calls a second of each contact centre.
const CALLS: u32 = 10;

/// The windows of the rules. Weeks ago stay weeks ago: that data is made up.
const WINDOWS: [&str; 8] = ["5m", "15m", "30m", "1h", "2h", "6h", "1d", "3d"];
/// Other times in the rules, and what takes their place. The exporter's gauge of the last hour cannot be
/// told of another hour: the calls of a window are counted instead.
const TIMES: [(&str, &str); 3] = [
    ("3600 * ", "20 * "),
    ("(cec_recent_calls)", "(increase(cec_calls_total[20s]))"),
    ("for: \"", "for: \"2s\" # \""),
];
/// Thresholds that are times, in seconds, or calls in a time: a hundred in a window, half of those
/// of voice, or else chance would judge. A token lives for 30 s here and is renewed 6 s before its
/// end.
const THRESHOLDS: [(&str, &str); 4] = [
    ("cec:frontier_lag_seconds:threshold", "vector(10)"),
    ("cec:token_left_seconds:threshold", "vector(4)"),
    ("cec:pending_age_seconds:threshold", "vector(25)"),
    ("cec:finished_calls_per_hour:threshold", "vector(100)"),
];

/// A contact centre, what will pick_fault it, and the alerts that this has to raise.
struct Case {
    target: &'static str,
    /// Put to this path of the simulator.
    fault: Option<(&'static str, &'static str)>,
    /// In force from the start.
    habits: &'static str,
    alerts: &'static [&'static str],
}

const fn case(
    target: &'static str,
    fault: Option<(&'static str, &'static str)>,
    alerts: &'static [&'static str],
) -> Case {
    Case {
        target,
        fault,
        habits: "{}",
        alerts,
    }
}

/// All its windows, of five minutes to three days, are one here: a few calls of a burst are a burn
/// rate. The unit tests of the rules show when it does not fire.
const BURN_RATE: &str = "CecProcessingSlow";
/// Alerts that may follow from a fault, and need not within this time.
fn may_follow(alert: &str, target: &str) -> bool {
    match alert {
        // Alertmanager inhibits it while the target is down or behind.
        "CecPipelineStuck" => ["down", "slow", "dry"].contains(&target),
        "CecCallsExpired" => target == "stuck",
        BURN_RATE => true,
        _ => false,
    }
}

const FAULTS: &str = "/-/faults";
const SCENARIO: &str = "/-/scenario";

const CASES: &[Case] = &[
    case("healthy", None, &[]),
    case(
        "down",
        Some((FAULTS, r#"{"down": true}"#)),
        &["CecTargetDown", "CecTargetFlapping", "CecFrontierBehind"],
    ),
    // The pull goes on and on, and has not failed yet.
    case(
        "slow",
        Some((FAULTS, r#"{"latency_ms": 100000}"#)),
        &["CecFrontierBehind"],
    ),
    Case {
        target: "token",
        fault: Some((
            FAULTS,
            r#"{"token": {"expires_seconds": 30, "troubles": [{"answer": {"http": 500}, "share": 1.0}]}}"#,
        )),
        habits: r#"{"token": {"expires_seconds": 30}}"#,
        alerts: &[
            "CecTokenNotRenewed",
            "CecTargetDown",
            "CecTargetFlapping",
            "CecFrontierBehind",
        ],
    },
    // See `rate_limit_again`.
    case("limited", None, &["CecRateLimited"]),
    case(
        "rejected",
        Some((FAULTS, r#"{"wire": {"malformed_share": 0.3}}"#)),
        &["CecRecordsRejected"],
    ),
    case(
        "stuck",
        Some((SCENARIO, r#"{"stuck": 0}"#)),
        &["CecPipelineStuck", "CecProcessingSlow"],
    ),
    case(
        "failing",
        Some((SCENARIO, r#"{"asr_failing": 0.9}"#)),
        &["CecAsrFailing", "CecFailureRatioHigh"],
    ),
    case(
        "quota",
        Some((SCENARIO, r#"{"quota_exhausted": 1.0}"#)),
        &["CecQuotaExhausted", "CecFailureRatioHigh"],
    ),
    case(
        "dry",
        Some((SCENARIO, r#"{"dried_up": true}"#)),
        &["CecCallsDriedUp"],
    ),
    case(
        "fast",
        Some((SCENARIO, r#"{"fast_speech": true}"#)),
        &["CecSpeechTooFast"],
    ),
    case(
        "silent",
        Some((SCENARIO, r#"{"long_silence": true}"#)),
        &["CecSilenceTooLong"],
    ),
];

/// The healthy target has two exporters, until one is gone.
const PULLED_TWICE: &str = "CecTargetPulledTwice";

/// The comparison of the whole lookback is spread over a minute, which is the least to configure.
const AFTER_A_RECONCILE: &str = "target:cec_exporter_reconcile_lag_seconds:min";

/// What does not happen in this story. Without their filter of what is above 0, these have data.
const NEVER_HERE: [&str; 3] = [
    "cec_exporter_windows_unproven_total",
    "cec_calls_missing_total",
    "cec_window_missing_calls",
];

/// Whether a panel rightly shows nothing while all is well, or as long as nothing was compared.
fn may_be_empty(query: &Query) -> bool {
    query.expr.trim_end_matches(')').ends_with("> 0")
        || query
            .expr
            .contains("cec_exporter_reconcile_timestamp_seconds")
        // A value for each full minute, of which there may have been none.
        || query.expr.contains(":1m]")
}

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

/// Everything that runs. Dropped in this order.
struct World {
    prometheus: Prometheus,
    exporter: Running,
    /// A second exporter of the healthy target; gone in the end.
    replica: Option<Running>,
    simulators: BTreeMap<&'static str, Running>,
    directory: tempfile::TempDir,
}

impl World {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let simulators: BTreeMap<&str, Running> = CASES
            .iter()
            .zip(1..)
            .map(|(case, seed)| (case.target, simulate(case, seed, path)))
            .collect();
        let exporter = export("all", &simulators, path);
        let mut healthy = simulators.iter().filter(|(name, _)| **name == "healthy");
        let replica = export("replica", &mut healthy, path);
        // The first reading.
        exporter.demand("GET", "/metrics", "");
        rewrite_rules(path);
        let config = format!(
            "global: {{scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}}\n\
             rule_files: ['*.rules.yml']\n\
             scrape_configs:\n\
             - job_name: cec_exporter\n  static_configs:\n  - targets: ['{}', '{}']\n    labels: {{cluster: north}}\n",
            exporter.address, replica.address
        );
        std::fs::write(path.join("prometheus.yml"), config).unwrap();
        imagine_last_week(&exporter.demand("GET", "/metrics", ""), path);
        Self {
            prometheus: Prometheus::start(path),
            exporter,
            replica: Some(replica),
            simulators,
            directory,
        }
    }

    /// Alerts, each with what it is about.
    fn alerts(&self) -> BTreeSet<(String, String)> {
        let alerts = self.prometheus.alerts().into_iter();
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

    /// Alerts once they are no more than the one that is always there. With windows of seconds,
    /// a busy machine makes one pending for a moment.
    fn settled(&self) -> BTreeSet<(String, String)> {
        for _ in 0..30 {
            let mut alerts = self.alerts();
            alerts.retain(|(alert, _)| alert != BURN_RATE);
            if alerts.len() <= 1 {
                return alerts;
            }
            sleep(Duration::from_secs(1));
        }
        self.alerts()
    }

    /// One request more is rate limited. Too many of them, and the exporter would rightly give up,
    /// and the target would be down.
    fn rate_limit_again(&self) {
        let fault = r#"{"details": [{"answer": {"http": 429}, "next": 1}]}"#;
        self.simulators["limited"].demand("PUT", FAULTS, fault);
    }
}

fn simulate(case: &Case, seed: u32, directory: &Path) -> Running {
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
        "--pipeline-speed=60",
        "--late-share=0",
        "--deleted-share=0",
    ]);
    let log = directory.join(format!("simulate-{}.log", case.target));
    Running::start(&mut command, address, "/-/healthy", &log)
}

fn export<'a>(
    name: &str,
    simulators: impl IntoIterator<Item = (&'a &'static str, &'a Running)>,
    directory: &Path,
) -> Running {
    let mut config =
        "defaults: {app_key: k, app_secret: s, user_id: u, lookback: 2m, overlap: 5s, \
         reconcile_interval: 1m, \
         page_size: 1000, min_pull_interval: 500ms, request_timeout: 2m, \
         max_requests_per_second: 100}\ntargets:\n"
            .to_owned();
    for (target, simulator) in simulators {
        let _ = writeln!(
            config,
            "- {{name: {target}, endpoint: 'http://{}'}}",
            simulator.address
        );
    }
    Running::exporter(&config, name, directory)
}

/// Copies the rules with shorter times, and makes sure that nothing else changed unnoticed.
fn rewrite_rules(directory: &Path) {
    for path in files(RULES, ".rules.yml") {
        let mut text = read(&path);
        if file_name(&path) == "thresholds.rules.yml" {
            for (name, value) in THRESHOLDS {
                let parts: Vec<&str> = text.split(&format!("record: {name}\n")).collect();
                assert!(parts.len() > 1, "{name}: no such threshold");
                let changed = parts[1..].iter().map(|rest| {
                    let begin = rest.find("vector(").unwrap();
                    let end = begin + rest[begin..].find(')').unwrap() + 1;
                    format!("{}{value}{}", &rest[..begin], &rest[end..])
                });
                let mut parts = vec![parts[0].to_owned()];
                parts.extend(changed);
                text = parts.join(&format!("record: {name}\n"));
            }
        } else {
            text = shorter(&text);
            for range in text.split('[').skip(1) {
                let is_short = ["20s]", "2h] offset "].iter().any(|r| range.starts_with(r));
                assert!(is_short, "a window of another length: [{range}");
            }
        }
        std::fs::write(directory.join(file_name(&path)), text).unwrap();
    }
}

fn shorter(text: &str) -> String {
    const WEEKS_AGO: &str = "[2h] offset ";
    let parts = text.split(WEEKS_AGO).map(|part| {
        let part = WINDOWS.iter().fold(part.to_owned(), |part, window| {
            part.replace(&format!("[{window}]"), "[20s]")
        });
        TIMES
            .iter()
            .fold(part, |part, (long, short)| part.replace(long, short))
    });
    parts.collect::<Vec<_>>().join(WEEKS_AGO)
}

/// Puts into the database what an exporter would have said a week ago, around this time of day:
/// the series of today, with counters that grow.
fn imagine_last_week(metrics: &str, directory: &Path) {
    let end = now() - WEEK + 240.0;
    let mut text = String::new();
    let mut add = |series: &str, value: f64, growth: f64| {
        for step in 0..84 {
            let time = end - 420.0 + f64::from(step) * 5.0;
            let value = value + growth * f64::from(step) * 5.0;
            let _ = writeln!(text, "{series} {value} {time:.3}");
        }
    };
    let instance = "cluster=\"north\",instance=\"last-week\",job=\"cec_exporter\"";
    let of_calls = ["cec_call", "cec_recent_calls{", "cec_window_seconds{"];
    for line in metrics
        .lines()
        .filter(|line| of_calls.iter().any(|name| line.starts_with(name)))
    {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let series = series.replace("{", &format!("{{{instance},"));
        let value: f64 = value.parse().unwrap();
        // As fast as if all had come within the last two minutes; they did.
        let is_counter = line.starts_with("cec_call");
        add(&series, value, if is_counter { value / 120.0 } else { 0.0 });
    }
    for case in CASES {
        let series = format!(
            "target:cec_recent_calls:sum{{cluster=\"north\",target=\"{}\"}}",
            case.target
        );
        add(&series, f64::from(CALLS) * WINDOW.as_secs_f64(), 0.0);
    }
    for severity in ["critical", "warning", "info"] {
        let labels = "alertname=\"CecTargetDown\",alertstate=\"firing\",target=\"healthy\"";
        add(
            &format!("ALERTS{{{labels},severity=\"{severity}\"}}"),
            1.0,
            0.0,
        );
    }
    // It was restarted and reloaded at every step, and did not read the list.
    add(&format!("cec_exporter_build_info{{{instance}}}"), 1.0, 0.0);
    for changed in [
        "process_start_time_seconds",
        "cec_exporter_config_last_reload_success_timestamp_seconds",
    ] {
        add(&format!("{changed}{{{instance}}}"), end - 600.0, 1.0);
    }
    add(
        &format!("cec_exporter_frontier_timestamp_seconds{{{instance},target=\"healthy\"}}"),
        end - 3600.0,
        0.0,
    );
    text.push_str("# EOF\n");
    let file = directory.join("last-week.txt");
    std::fs::write(&file, text).unwrap();
    run(Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .args([&file, &directory.join("tsdb")]));
}

/// A query as Grafana sends it.
fn filled(expr: &str, chosen: &[(&str, &str)]) -> String {
    let mut expr = expr.to_owned();
    for (name, value) in chosen {
        expr = expr.replace(&format!("${name}"), value);
    }
    // What is left are groups of regular expressions.
    let mut left = expr.split('$').skip(1);
    assert!(
        left.all(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit())),
        "not filled in: {expr}"
    );
    expr
}

/// All of everything, as a board opens.
const ALL: &[(&str, &str)] = &[
    ("__rate_interval", "15s"),
    ("__range", "30s"),
    ("__interval", "1m"),
    ("cluster", ".*"),
    ("target", ".*"),
    ("call_type", ".*"),
    ("role", ".*"),
    ("job", "cec_exporter"),
    ("fast", "300"),
    ("slow", "120"),
];
/// Several of some, one of others, and other limits.
const SOME: &[(&str, &str)] = &[
    ("__rate_interval", "15s"),
    ("__range", "30s"),
    ("__interval", "1m"),
    ("cluster", "(north|south)"),
    ("target", "(healthy|failing|limited)"),
    ("call_type", "(voice|text)"),
    ("role", "customer"),
    ("job", "(cec_exporter|other)"),
    ("fast", "240"),
    ("slow", "150"),
];

fn ask(prometheus: &Prometheus, query: &Query, chosen: &[(&str, &str)]) -> Vec<Series> {
    let expr = filled(&query.expr, chosen);
    let now = now();
    let answer = if query.instant {
        prometheus.query(&expr, now)
    } else {
        prometheus.query_range(&expr, now - 10.0, now)
    };
    let mut series = answer.unwrap_or_else(|error| panic!("{}: {error}\n{expr}", query.place));
    series.retain(|series| !series.values.is_empty());
    series
}

/// Every query of every board brings data; those that need not are left for later.
fn check_panels(prometheus: &Prometheus) -> Vec<Query> {
    let mut later = Vec::new();
    let mut empty = Vec::new();
    for board in boards() {
        for query in board.queries() {
            for chosen in [ALL, SOME] {
                if !ask(prometheus, &query, chosen).is_empty() {
                    continue;
                }
                if may_be_empty(&query) {
                    later.push(query.clone());
                } else {
                    empty.push(format!(
                        "{}\n  {}",
                        query.place,
                        filled(&query.expr, chosen)
                    ));
                }
            }
        }
        for query in board.annotations() {
            // Nothing fires yet; a week ago something did.
            let expr = filled(&query.expr, ALL);
            let found = prometheus.query(&expr, now() - WEEK).unwrap();
            if found.is_empty() {
                empty.push(format!("{}\n  {expr}", query.place));
            }
        }
        for variable in board.variables().iter().filter(|v| v["type"] == "query") {
            let definition = filled(variable["definition"].as_str().unwrap(), ALL);
            let (selector, label) = definition
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'))
                .and_then(|rest| rest.rsplit_once(", "))
                .unwrap();
            let values = prometheus.label_values(label, selector).unwrap();
            assert!(!values.is_empty(), "{}: {definition}", board.file);
        }
    }
    assert!(empty.is_empty(), "no data:\n{}", empty.join("\n"));
    later
}

/// Every recording rule brings data, and no alert has anything to say but that a target has two
/// exporters. Those that need time are left for later.
fn check_rules(prometheus: &Prometheus) -> Vec<Query> {
    let mut later = Vec::new();
    assert_eq!(prometheus.broken_rules(), Vec::<String>::new());
    let mut wrong = Vec::new();
    for rule in rules() {
        let expr = shorter(&rule.expr);
        let found = prometheus.query(&expr, now());
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", rule.name));
        let has_data = found.iter().any(|series| !series.values.is_empty());
        let has_something_to_say = !rule.is_alert || rule.name == PULLED_TWICE;
        if !has_data && rule.name == AFTER_A_RECONCILE {
            later.push(Query {
                place: rule.name,
                expr,
                instant: true,
            });
            continue;
        }
        if rule.name != BURN_RATE && has_data != has_something_to_say {
            wrong.push(format!("{}: {found:?}", rule.name));
        } else if !rule.is_alert && prometheus.query(&rule.name, now()).unwrap().is_empty() {
            wrong.push(format!("{}: nothing recorded", rule.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    later
}

/// Two exporters pull the healthy target. It has as many calls as each says, not twice as many.
fn check_that_nothing_counts_twice(prometheus: &Prometheus) {
    let boards = boards();
    let queries: Vec<Query> = boards.iter().flat_map(boards::Board::queries).collect();
    let value = |expr: &str| {
        let answer = prometheus.query(expr, now()).unwrap();
        assert_eq!(answer.len(), 1, "{expr}: {answer:?}");
        answer[0].values[0]
    };
    let mut chosen = ALL.to_vec();
    let target = chosen.iter_mut().find(|(name, _)| *name == "target");
    target.unwrap().1 = "healthy";
    for (place, each) in [
        (
            "contact-centre.json: Calls in the lookback",
            "max(sum by (instance) (cec_window_calls{target=\"healthy\"}))",
        ),
        (
            "contact-centre.json: Finished an hour by status",
            "3600 * max(sum by (instance) (rate(cec_calls_processed_total{target=\"healthy\"}[15s])))",
        ),
    ] {
        let query = queries.iter().find(|query| query.place == place).unwrap();
        let (shown, each) = (
            value(&format!("sum({})", filled(&query.expr, &chosen))),
            value(each),
        );
        assert!(
            each > 0.0 && shown < 1.3 * each,
            "{place}: {shown} of {each}"
        );
    }
}

#[test]
fn queries_bring_data_and_nothing_fires_while_all_is_well() {
    tell(false);
}

#[test]
#[ignore = "with all windows alike, alerts that look at pending calls fire for more than one fault"]
fn faults_raise_their_alerts_and_no_others() {
    tell(true);
}

fn tell(with_faults: bool) {
    if !is_installed("prometheus") || !is_installed("promtool") {
        return;
    }
    let mut world = World::start();
    // Until the windows are full, a single failed call is a large share.
    sleep(WINDOW + Duration::from_secs(3));
    let pulled_twice = BTreeSet::from([(PULLED_TWICE.to_owned(), "healthy".to_owned())]);
    assert_eq!(world.settled(), pulled_twice, "while all else is well");
    check_that_nothing_counts_twice(&world.prometheus);
    let mut later = check_rules(&world.prometheus);
    later.extend(check_panels(&world.prometheus));
    assert_eq!(
        world.settled(),
        pulled_twice,
        "while all else is still well"
    );

    if !with_faults {
        return;
    }
    let mut expected = BTreeSet::new();
    for case in CASES {
        if let Some((path, fault)) = case.fault {
            world.simulators[case.target].demand("PUT", path, fault);
        }
        for alert in case.alerts {
            expected.insert(((*alert).to_owned(), case.target.to_owned()));
        }
    }
    let replica = world.replica.take().unwrap();
    expected.insert(("CecExporterDown".to_owned(), replica.address.to_string()));
    drop(replica);
    std::fs::write(world.directory.path().join("all.yml"), "targets: []").unwrap();
    let (status, _) = world.exporter.ask("POST", "/-/reload", "").unwrap();
    assert_eq!(status, 500, "a reload of a bad configuration");
    expected.insert((
        "CecConfigReloadFailed".to_owned(),
        world.exporter.address.to_string(),
    ));

    let mut missing = expected.clone();
    let begun = Instant::now();
    let mut complete_since = None;
    // A few seconds more, for those that should not be there.
    while complete_since.is_none_or(|since: Instant| since.elapsed() < Duration::from_secs(3)) {
        let second = begun.elapsed().as_secs();
        if second.is_multiple_of(3) && second < 18 {
            world.rate_limit_again();
        }
        sleep(Duration::from_secs(1));
        let mut alerts = world.alerts();
        if second < 5 {
            // Until Prometheus has seen that the replica is gone.
            alerts.retain(|alert| !pulled_twice.contains(alert));
        }
        let wrong: Vec<_> = alerts
            .difference(&expected)
            .filter(|(alert, target)| !may_follow(alert, target))
            .collect();
        assert!(wrong.is_empty(), "nothing of this is wrong: {wrong:?}");
        missing.retain(|alert| !alerts.contains(alert));
        if missing.is_empty() {
            complete_since.get_or_insert_with(Instant::now);
        }
        assert!(second < 60, "not even pending after a minute: {missing:?}");
    }
    let missing: Vec<String> = later
        .into_iter()
        .map(|mut query| {
            if NEVER_HERE.iter().any(|metric| query.expr.contains(metric)) {
                query.expr = query.expr.strip_suffix("> 0").unwrap().to_owned();
            }
            query
        })
        .filter(|query| ask(&world.prometheus, query, ALL).is_empty())
        .map(|query| format!("{}\n  {}", query.place, query.expr))
        .collect();
    assert!(missing.is_empty(), "still no data:\n{}", missing.join("\n"));
}
