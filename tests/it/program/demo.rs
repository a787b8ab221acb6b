//! The demonstration: something to see at once, and something that moves.

use crate::support::process::{Exporter, LISTEN, Process, command, target};
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::{eventually, samples::Samples};

fn calls(samples: &Samples) -> f64 {
    samples.sum("cec_calls_total", &[])
}

#[test]
fn a_day_is_there_at_the_first_scrape_and_the_numbers_move() {
    let directory = tempfile::tempdir().unwrap();
    let mut demo = Exporter::demo(&mut command(directory.path()), &[]);
    let metrics = demo.process.told("metrics:     http://localhost:");
    assert_eq!(
        format!("127.0.0.1:{metrics}"),
        format!("{}/metrics", demo.address)
    );

    let first = demo.scrape_within(10);
    let demo_target = [("target", "demo")];
    assert_eq!(first.one("cec_up", &demo_target), 1.0);
    assert_eq!(first.one("cec_window_seconds", &demo_target), 86_400.0);
    // Some 40,000 calls a day.
    assert!(calls(&first) > 30_000.0, "{}", calls(&first));
    for call_type in ["voice", "text"] {
        let labels = [("call_type", call_type), ("status", "succeeded")];
        assert!(first.one("cec_window_calls", &labels) > 1000.0);
    }
    for role in ["customer", "staff"] {
        let count = "cec_call_speech_ratio_count";
        assert!(first.one(count, &[("role", role)]) > 10_000.0);
    }
    let series = series_of(&first, "demo");
    assert!(series <= MAX_SERIES, "{series} series after a day");
    assert!(first.sum("cec_team_calls_processed_total", &[("team", "VIP")]) > 100.0);
    let processed = first.sum("cec_calls_processed_total", &[]);
    for group in ["team", "agent"] {
        let name = format!("cec_{group}_calls_processed_total");
        assert_eq!(first.sum(&name, &[]), processed, "{group}");
    }
    let page = demo.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("All targets are up."));

    let processed = "cec_calls_processed_total";
    let moved = eventually("more calls, and more that are done", || {
        let samples = demo.scrape_within(10);
        let more = calls(&samples) > calls(&first)
            && samples.sum(processed, &[]) > first.sum(processed, &[])
            && samples.sum("cec_call_score_count", &[]) > 0.0;
        more.then_some(samples)
    });
    let frontier = "cec_exporter_frontier_timestamp_seconds";
    assert!(moved.one(frontier, &demo_target) > first.one(frontier, &demo_target));

    demo.end();
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
}

/// Parts of the names, or labels, of series that exist only if they are enabled.
const OPTIONAL: [&str; 8] = [
    "cec_team_",
    "cec_agent_",
    "cec_call_score",
    "cec_call_rules",
    "_folded_",
    "_results_",
    "teams_file",
    "api=\"credit\"",
];

/// What a target may cost: Prometheus stores each line as a series.
const MAX_SERIES: usize = 400;

fn series_of(samples: &Samples, target: &str) -> usize {
    let label = format!("target=\"{target}\"");
    let lines = samples.text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter(|line| line.contains(&label));
    // Without what has to be enabled.
    lines
        .filter(|line| !OPTIONAL.iter().any(|part| line.contains(part)))
        .count()
}

#[test]
fn a_target_at_rest_has_few_series() {
    let vendor = SimulatedVendor::frozen(settled(0));
    let exporter = Exporter::start(&[target("a", &vendor.endpoint, "")]);
    let samples = exporter.scrape();
    assert!(samples.has_calls("a"));
    let series = series_of(&samples, "a");
    assert!(
        (300..=MAX_SERIES).contains(&series),
        "{series} series at rest"
    );
    for part in OPTIONAL {
        assert!(!samples.text.contains(part), "{part} without being enabled");
    }
}

#[test]
fn a_demonstration_that_is_killed_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = command(directory.path());
    let mut demo = Exporter::demo(program.env("TMPDIR", directory.path()), &[]);
    let first = demo.scrape_within(10);
    assert!(calls(&first) > 30_000.0);
    demo.scrape_until("more calls", |samples| {
        calls(samples) > calls(&first) && samples.one("cec_up", &[]) == 1.0
    });
    demo.process.signal("KILL");
    demo.process.ended();
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
}

#[test]
fn a_demonstration_with_a_history_leaves_only_that_behind() {
    let (directory, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for signal in ["TERM", "INT"] {
        let mut program = command(directory.path());
        program.env("TMPDIR", temporary.path());
        let output = format!("--output={signal}");
        let mut demo = Exporter::demo(&mut program, &["--history=1h", &output]);
        let first = demo.scrape_within(10);
        assert!(first.one("cec_exporter_storage_bytes", &[]) > 0.0);
        demo.process.signal(signal);
        assert_eq!(demo.process.ended().code(), Some(0));
        let left = std::fs::read_dir(temporary.path()).unwrap().count();
        assert_eq!(left, 0, "nothing is left behind");
        let history = directory.path().join(signal).join("demo");
        assert!(std::fs::read_dir(history).unwrap().count() > 0);
    }
}

#[test]
fn the_simulator_alone_can_be_watched() {
    let directory = tempfile::tempdir().unwrap();
    let mut simulator = Process::spawn(command(directory.path()).args([
        "simulate",
        LISTEN,
        "--calls-per-day=10000",
    ]));
    let endpoint = simulator.told("endpoint: http://");
    let target = target("a", &format!("http://{endpoint}"), "lookback: 25h");
    let exporter = Exporter::start(&[target]);
    let samples = exporter.scrape();
    assert!(calls(&samples) > 8_000.0, "{}", calls(&samples));
    simulator.end();
    let gone = exporter.scrape();
    assert_eq!(gone.one("cec_up", &[]), 0.0);
    assert_eq!(calls(&gone), calls(&samples));
}
