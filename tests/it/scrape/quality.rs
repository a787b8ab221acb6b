//! Teams, agents, scores and rules of the program, against the simulator's truth.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::eventually;
use crate::support::process::{self, Exporter, LISTEN, a_moment, command, configuration, target};
use crate::support::samples::Samples;
use crate::support::simulated::{SimulatedVendor, settled};

const ALL: &str = "teams_file: teams.csv, agents: true, \
    results: {enabled: true, max_requests_per_second: 1000}";

/// The program with its ledger on disk.
fn start(directory: &Path) -> Exporter {
    let flags = [LISTEN, "--web.enable-lifecycle", "--storage.path=data"];
    Exporter::spawn(command(directory).args(flags))
}

fn configure(directory: &Path, vendor: &SimulatedVendor, more: &str) {
    let targets = [target("t", &vendor.endpoint, more)];
    process::configure(directory, &configuration(&targets));
}

/// Scrapes until the result of each succeeded call is counted, and committed.
fn with_all_results(exporter: &Exporter, vendor: &SimulatedVendor) -> Samples {
    let calls = vendor.simulator.results(None, None).calls as f64;
    eventually("all results", || {
        let samples = exporter.scrape();
        let counted = ["counted", "empty"]
            .map(|outcome| samples.sum("cec_exporter_results_total", &[("outcome", outcome)]));
        let is_idle = samples.sum("cec_exporter_results_pending", &[]) == 0.0;
        (is_idle && counted.iter().sum::<f64>() >= calls).then_some(samples)
    })
}

/// Asserts that scores and rules are exactly those that the calls had.
fn assert_results(samples: &Samples, vendor: &SimulatedVendor) {
    let truth = vendor.simulator.results(None, None);
    assert!(truth.scenarios.len() >= 3, "{truth:?}");
    for scenario in truth.scenarios.values() {
        let label = [("scenario", scenario.name)];
        let points: f64 = scenario
            .scores
            .iter()
            .map(|(score, n)| f64::from(*score) * *n as f64)
            .sum();
        assert_eq!(samples.one("cec_call_score_sum", &label), points);
        let calls: u64 = scenario.scores.values().sum();
        assert_eq!(samples.one("cec_call_score_count", &label), calls as f64);
        for (result, kept) in [("kept", true), ("violated", false)] {
            let labels = [("scenario", scenario.name), ("result", result)];
            let count = |rule: &cec_exporter::simulator::expected::ExpectedRule| {
                if kept { rule.kept } else { rule.violated }
            };
            let expected: u64 = scenario.rules.values().map(count).sum();
            let counted = samples.sum("cec_call_rules_total", &labels);
            assert_eq!(counted, expected as f64, "{labels:?}");
        }
        // A rule whose name is its own.
        let mut names: BTreeMap<&str, u32> = BTreeMap::new();
        for rule in scenario.rules.values() {
            *names.entry(rule.name).or_default() += 1;
        }
        for rule in scenario.rules.values().filter(|rule| names[rule.name] == 1) {
            let labels = [
                ("scenario", scenario.name),
                ("rule", rule.name),
                ("result", "violated"),
            ];
            let violated = samples.one("cec_call_rules_total", &labels);
            assert_eq!(violated, rule.violated as f64, "{labels:?}");
        }
    }
}

fn assert_groups_add_up(samples: &Samples) {
    for group in ["team", "agent"] {
        for (name, of_group) in [
            ("cec_calls_processed_total", "calls_processed_total"),
            (
                "cec_call_duration_seconds_count",
                "call_duration_seconds_count",
            ),
        ] {
            let sum = samples.sum(&format!("cec_{group}_{of_group}"), &[]);
            assert_eq!(sum, samples.sum(name, &[]), "{group}: {name}");
        }
        let name = "cec_call_speech_ratio_count";
        let sum = samples.sum(&name.replace("cec_", &format!("cec_{group}_")), &[]);
        assert_eq!(
            sum,
            samples.sum(name, &[("role", "staff")]),
            "{group}: {name}"
        );
    }
}

#[test]
fn teams_agents_and_results_are_exact_and_survive_a_kill() {
    let vendor = SimulatedVendor::frozen(settled(600));
    let directory = tempfile::tempdir().unwrap();
    let csv = vendor.simulator.world().spec().teams_csv();
    fs::write(directory.path().join("teams.csv"), &csv).unwrap();
    configure(directory.path(), &vendor, ALL);
    let mut exporter = start(directory.path());
    let samples = with_all_results(&exporter, &vendor);
    assert_results(&samples, &vendor);
    assert_groups_add_up(&samples);
    let teams: Vec<&str> = (csv.lines().skip(1))
        .filter_map(|line| line.split(',').nth(1))
        .collect();
    for team in &teams {
        let calls = samples.sum("cec_team_calls_processed_total", &[("team", team)]);
        assert!(calls > 0.0, "{team}");
    }
    let requests = vendor.simulator.stats().total("credit");
    let results = vendor.simulator.results(None, None).calls;
    assert_eq!(requests, results, "each result once");

    // The next pull commits the last results.
    exporter.scrape();
    exporter.process.signal("KILL");
    exporter.process.ended();
    let exporter = start(directory.path());
    let restarted = exporter.scrape();
    assert_eq!(quality(&restarted), quality(&samples));
    a_moment();
    assert_eq!(vendor.simulator.stats().total("credit"), requests);
}

/// The lines of what is compared, without those of the process.
fn quality(samples: &Samples) -> Vec<&str> {
    let is_quality = |line: &&str| {
        [
            "cec_team_",
            "cec_agent_",
            "cec_call_score",
            "cec_call_rules",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    };
    samples.text.lines().filter(is_quality).collect()
}

#[test]
fn a_file_of_teams_is_read_again_and_a_bad_one_changes_nothing() {
    let vendor = SimulatedVendor::frozen(settled(200));
    let directory = tempfile::tempdir().unwrap();
    let teams = directory.path().join("teams.csv");
    fs::write(&teams, "staff_id,team\n1,Early\n").unwrap();
    let more = format!("teams_file: {}, min_pull_interval: 1s", teams.display());
    let exporter = Exporter::start(&[target("t", &vendor.endpoint, &more)]);
    let has = |samples: &Samples, team: &str| {
        samples.has("cec_team_calls_processed_total", &[("team", team)])
    };
    let first = exporter.scrape_until("the team", |samples| has(samples, "Early"));
    assert_eq!(
        first.sum("cec_team_calls_processed_total", &[("team", "Early")]),
        0.0
    );
    assert_eq!(
        first.one("cec_exporter_teams_file_last_reload_successful", &[]),
        1.0
    );

    fs::write(&teams, "staff_id,team\n1,Early\n2,Late\n").unwrap();
    exporter.scrape_until("the new team", |samples| has(samples, "Late"));

    fs::write(&teams, "staff_id,team\n1,Night\n2,\n").unwrap();
    let bad = exporter.scrape_until("the refusal", |samples| {
        samples.one("cec_exporter_teams_file_last_reload_successful", &[]) == 0.0
    });
    assert!(has(&bad, "Late") && !has(&bad, "Night"));
    assert_eq!(bad.one("cec_up", &[]), 1.0);
    exporter.logged("line 3: team is empty");

    fs::write(&teams, "staff_id,team\n1,Night\n").unwrap();
    let good = exporter.scrape_until("the next team", |samples| has(samples, "Night"));
    assert_eq!(
        good.one("cec_exporter_teams_file_last_reload_successful", &[]),
        1.0
    );
    assert!(has(&good, "Late"), "a team keeps its series");

    // Not enabled any more.
    exporter.configure(&configuration(&[target("t", &vendor.endpoint, "")]));
    exporter.process.signal("HUP");
    exporter.scrape_until("no teams", |samples| {
        let own = ["teams_file_last_reload_successful", "folded_teams"];
        let own = own.map(|name| format!("cec_exporter_{name}"));
        samples.has_calls("t")
            && !has(samples, "Night")
            && own.iter().all(|name| !samples.has(name, &[]))
    });
}

#[test]
fn ten_thousand_agents_and_hostile_rules_get_a_bounded_number_of_series() {
    let spec = cec_exporter::simulator::spec::Spec {
        agents: 10_000,
        ..settled(3000)
    };
    let vendor = SimulatedVendor::frozen(spec).with_faults(|faults| {
        faults.results.hostile_names = true;
        faults.results.extra_rules = 100;
    });
    let more = "agents: true, max_agents: 100, page_size: 1000, \
        results: {enabled: true, share: 0.02, max_requests_per_second: 1000, max_rules: 50}";
    let exporter = Exporter::start(&[target("t", &vendor.endpoint, more)]);
    let samples = exporter.scrape_until("results", |samples| {
        samples.sum("cec_exporter_results_total", &[("outcome", "counted")]) > 5.0
            && samples.has("cec_call_rules_total", &[])
    });
    let agents = samples
        .select("cec_agent_call_speech_ratio_count", &[])
        .count();
    assert_eq!(agents, 102);
    assert!(samples.one("cec_exporter_folded_agents", &[]) > 1000.0);
    let rules = samples.select("cec_call_rules_total", &[]).count();
    // Each with two results; what is folded once for each kind and scenario.
    assert!(rules <= 2 * (50 + 4 * 4), "{rules}");
    assert!(samples.one("cec_exporter_folded_rules", &[]) > 50.0);
    for line in samples.text.lines() {
        assert!(line.chars().count() < 700, "{line}");
        assert!(!line.contains(['\u{202e}', '\u{200b}', '\u{7}']), "{line}");
    }
}
