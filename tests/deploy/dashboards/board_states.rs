//! What the boards show of known incidents: data as the metrics' contract has them, in two clusters, in
//! a real Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use crate::support::boards::{Board, boards, in_repository, text};
use crate::support::prometheus_server::{Prometheus, create_blocks};
use crate::support::shown::{colour, filled};
use crate::support::tools::is_installed;
use serde_json::Value;

/// When the data end.
const END: f64 = 1_795_600_800.0;

/// Data of some hours in a Prometheus; `None` without the programs for it.
struct World {
    prometheus: Prometheus,
    _directory: tempfile::TempDir,
}

impl World {
    fn of(text: impl FnOnce(&Path)) -> Option<Self> {
        if !["prometheus", "promtool", "python3"]
            .into_iter()
            .all(is_installed)
        {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let samples = path.join("samples.txt");
        text(&samples);
        create_blocks(&samples, &path.join("tsdb"));
        std::fs::write(path.join("prometheus.yml"), "").unwrap();
        Some(Self {
            prometheus: Prometheus::start(path),
            _directory: directory,
        })
    }

    /// An incident of so many hours, with a sample each so many seconds.
    fn scenario(name: &str, hours: u32, step: u32) -> Option<Self> {
        Self::of(|samples| {
            let mut command = Command::new("python3");
            command
                .arg(in_repository("tests/support/incidents.py"))
                .args([&END.to_string(), &hours.to_string(), &step.to_string()])
                .arg(name)
                .stdout(File::create(samples).unwrap());
            assert!(command.status().unwrap().success());
        })
    }

    fn values(&self, expr: &str) -> Vec<(Value, f64)> {
        let answer = self.prometheus.query(expr, END);
        let series = answer.unwrap_or_else(|error| panic!("{error}\n{expr}"));
        let with_value = series.into_iter();
        with_value
            .filter_map(|one| Some((one.labels, *one.values.first()?)))
            .collect()
    }
}

fn find<'a>(boards: &'a [Board], file: &str, title: &str) -> &'a Value {
    let board = boards.iter().find(|board| board.file == file).unwrap();
    let panels = board.panels();
    panels
        .into_iter()
        .find(|panel| text(&panel["title"]) == title)
        .unwrap_or_else(|| panic!("{file}: no {title}"))
}

/// These are empty while nothing of the kind happened within six hours, or a week ago.
const MAY_BE_EMPTY: [&str; 6] = [
    "Firing alerts",
    "Calls vs last week",
    "Speed vs last week",
    "Calls an hour by type",
    "Processing completed",
    "Targets",
];

#[test]
fn every_query_brings_data_in_two_clusters() {
    let Some(world) = World::scenario("incidents", 10, 120) else {
        return;
    };
    let boards = boards();
    let mut seen = 0;
    for board in &boards {
        for query in board.queries() {
            let expr = filled(&query.expr, &[]);
            // Of the middle of the stuck stage and, for what is drawn, of the incidents before it.
            let answers = if query.instant {
                vec![world.prometheus.query(&expr, END)]
            } else {
                let hours = 0..24;
                let times = hours.map(|step| END - f64::from(step) * 900.0);
                times
                    .map(|time| world.prometheus.query(&expr, time))
                    .collect()
            };
            let mut has_data = false;
            for answer in answers {
                let series =
                    answer.unwrap_or_else(|error| panic!("{}: {error}\n{expr}", query.place));
                has_data |= series.iter().any(|series| !series.values.is_empty());
            }
            seen += 1;
            let may_be_empty = MAY_BE_EMPTY
                .iter()
                .any(|title| query.place.ends_with(title));
            let may_be_empty = may_be_empty || query.expr.contains(" offset 1w");
            assert!(has_data || may_be_empty, "{}: no data\n{expr}", query.place);
        }
    }
    assert!(seen > 100, "only {seen} queries");

    // Targets of one name in two clusters are two, and each can be chosen.
    let state = text(&find(&boards, "exporter.json", "Targets")["targets"][0]["expr"]);
    assert_eq!(world.values(&filled(state, &[])).len(), 3);
    let calls =
        text(&find(&boards, "contact-centre.json", "Calls in the lookback")["targets"][0]["expr"]);
    let of = |cluster| world.values(&filled(calls, &[("cluster", cluster)]))[0].1;
    assert!(of("east") > of("west") && of("west") > 100.0);
    assert!((of("east") + of("west") - of(".*")).abs() < 0.5);

    // The cause can be read: during the quota incident most failures have status 9; and now a stage is
    // stuck.
    let causes =
        text(&find(&boards, "pipeline.json", "Failures an hour by cause")["targets"][0]["expr"]);
    let during = world
        .prometheus
        .query(&filled(causes, &[]), END - 7.0 * 3600.0)
        .unwrap();
    let worst = during
        .iter()
        .max_by(|a, b| a.values[0].total_cmp(&b.values[0]))
        .unwrap();
    assert_eq!(worst.labels["status"], "inspection_failed");
    let overdue = find(&boards, "pipeline.json", "Overdue calls");
    let value = world.values(&filled(text(&overdue["targets"][0]["expr"]), &[]))[0].1;
    assert_eq!(colour(overdue, Some(value)), "red", "{value}");
}

/// A row of what is expected: figures of the exporter's board, as value and colour.
type Tiles = [(Option<f64>, &'static str); 4];

#[test]
fn tiles_tell_what_is_wrong_and_are_not_green_without_data() {
    const TILES: [&str; 4] = [
        "Exporters down",
        "Targets down",
        "Frontier lag",
        "Configuration",
    ];
    const NONE: (Option<f64>, &str) = (None, "text");
    let boards = boards();
    // The states of the targets: 1 up, 0 down, 2 loading, -1 not reported.
    let cases: [(&str, Tiles, &[f64]); 5] = [
        (
            "normal",
            [
                (Some(0.0), "green"),
                (Some(0.0), "green"),
                (Some(0.0), "green"),
                (Some(1.0), "green"),
            ],
            &[1.0, 1.0, 1.0],
        ),
        (
            "down",
            [
                (Some(0.0), "green"),
                (Some(1.0), "red"),
                (Some(1260.0), "red"),
                (Some(1.0), "green"),
            ],
            &[0.0, 1.0, 1.0],
        ),
        (
            "dead",
            [
                (Some(2.0), "red"),
                (Some(3.0), "red"),
                (Some(1200.0), "red"),
                NONE,
            ],
            &[-1.0, -1.0, -1.0],
        ),
        (
            "loading",
            [
                (Some(0.0), "green"),
                (Some(0.0), "green"),
                NONE,
                (Some(1.0), "green"),
            ],
            &[2.0, 2.0, 2.0],
        ),
        ("empty", [NONE; 4], &[]),
    ];
    for (scenario, tiles, states) in cases {
        let world = match scenario {
            "empty" => World::of(|samples| std::fs::write(samples, "# EOF\n").unwrap()),
            _ => World::scenario(scenario, 2, 60),
        };
        let Some(world) = world else {
            return;
        };
        for (title, (value, expected)) in TILES.iter().zip(tiles) {
            let panel = find(&boards, "exporter.json", title);
            let found = world.values(&filled(text(&panel["targets"][0]["expr"]), &[]));
            let found = found.first().map(|(_, value)| *value);
            assert_eq!(found, value, "{scenario}: {title}");
            assert_eq!(colour(panel, found), expected, "{scenario}: {title}");
        }
        for board in &boards {
            let health = find(&boards, &board.file, "Targets");
            let found = world.values(&filled(text(&health["targets"][0]["expr"]), &[]));
            let mut found: Vec<f64> = found.into_iter().map(|(_, value)| value).collect();
            found.sort_by(f64::total_cmp);
            assert_eq!(found, states, "{scenario}: {}", board.file);
        }
        // Nothing of this moment is green when the exporter is gone, or was never there.
        if ["dead", "empty"].contains(&scenario) {
            for board in &boards {
                for panel in board
                    .panels()
                    .iter()
                    .filter(|panel| panel["type"] == "stat")
                {
                    let expr = text(&panel["targets"][0]["expr"]);
                    if scenario == "dead" && expr.contains("$__range") {
                        continue;
                    }
                    let found = world.values(&filled(expr, &[]));
                    let place = board.place(panel);
                    let shown = colour(panel, found.first().map(|(_, value)| *value));
                    assert_ne!(shown, "green", "{scenario}: {place}: {found:?}");
                }
            }
        }
    }
}

/// A stage that stands still finishes nothing late. Its calls are late all the same, those that left the
/// lookback too.
#[test]
fn overdue_calls_are_not_processed_in_time() {
    let write = |samples: &Path| {
        let place = "target=\"s\",call_type=\"voice\"";
        let mut calls = String::from("# TYPE cec_calls counter\n");
        let mut expired = String::from("# TYPE cec_calls_expired counter\n");
        let mut pending = String::from("# TYPE cec_window_calls gauge\n");
        let mut recent = String::from("# TYPE cec_recent_calls gauge\n");
        let mut time_taken = String::from("# TYPE cec_call_processing_seconds histogram\n");
        for step in 0..=60_u32 {
            let time = END - 3600.0 + f64::from(step) * 60.0;
            let _ = writeln!(calls, "cec_calls_total{{{place}}} {} {time}", step * 10);
            let _ = writeln!(
                expired,
                "cec_calls_expired_total{{{place},status=\"transcribing\"}} {} {time}",
                step * 2
            );
            let _ = writeln!(
                pending,
                "cec_window_calls{{{place},status=\"transcribing\"}} 500 {time}"
            );
            let _ = writeln!(recent, "cec_recent_calls{{{place}}} 0 {time}");
        }
        for suffix in ["bucket{le=\"1800\",", "bucket{le=\"+Inf\",", "count{"] {
            for step in 0..=60_u32 {
                let time = END - 3600.0 + f64::from(step) * 60.0;
                let _ = writeln!(
                    time_taken,
                    "cec_call_processing_seconds_{suffix}{place}}} {} {time}",
                    step * 2
                );
            }
        }
        std::fs::write(
            samples,
            format!("{calls}{expired}{pending}{recent}{time_taken}# EOF\n"),
        )
        .unwrap();
    };
    let Some(world) = World::of(write) else {
        return;
    };
    let boards = boards();
    let panel = find(&boards, "pipeline.json", "Processed in time");
    let expr = filled(text(&panel["targets"][0]["expr"]), &[("__range", "1h")]);
    let shown = world.values(&expr)[0].1;
    // 120 of these, of 120 that expired, and of 500 less the usual stragglers.
    assert!((0.15..0.18).contains(&shown), "{shown}");
    assert_eq!(colour(panel, Some(shown)), "red");
}

/// With ten days of data, a day can be compared with that of a week before, and a week cannot: most of the week
/// before is not there.
#[test]
fn a_week_without_all_of_its_data_is_not_compared() {
    let write = |samples: &Path| {
        let mut calls = String::from("# TYPE cec_calls counter\n");
        let mut window = String::from("# TYPE cec_window_seconds gauge\n");
        for step in 0..=2880_u32 {
            let time = END - 864_000.0 + f64::from(step) * 300.0;
            let _ = writeln!(
                calls,
                "cec_calls_total{{target=\"s\",call_type=\"voice\"}} {step} {time}"
            );
            let _ = writeln!(window, "cec_window_seconds{{target=\"s\"}} 86400 {time}");
        }
        std::fs::write(samples, format!("{calls}{window}# EOF\n")).unwrap();
    };
    let Some(world) = World::of(write) else {
        return;
    };
    let boards = boards();
    let panel = find(&boards, "contact-centre.json", "Calls vs last week");
    let compared = |range| {
        let expr = filled(text(&panel["targets"][0]["expr"]), &[("__range", range)]);
        world.values(&expr).first().map(|(_, value)| *value)
    };
    assert_eq!(compared("604800s"), None);
    let day = compared("86400s").unwrap();
    assert!(day.abs() < 0.01, "{day}");
}

/// Across an upgrade to Prometheus 3 both spellings of a bound are within the time shown. Each grows for a
/// part of it; together they are the histogram.
#[test]
fn bounds_of_two_spellings_are_one() {
    let write = |samples: &Path| {
        let mut by_series: BTreeMap<String, String> = BTreeMap::new();
        for step in 0..=120_u32 {
            let time = END - 7200.0 + f64::from(step) * 60.0;
            let mut add = |labels: &str, suffix: &str, value: f64| {
                let series = format!(
                    "cec_call_duration_seconds_{suffix}{{target=\"s\",call_type=\"voice\"{labels}}}"
                );
                let _ = writeln!(
                    by_series.entry(series.clone()).or_default(),
                    "{series} {value} {time}"
                );
            };
            let point = if step < 60 { "" } else { ".0" };
            let count = f64::from(step) * 100.0;
            for (bound, share) in [(60, 0.2), (300, 0.8), (600, 0.96), (3600, 1.0)] {
                add(&format!(",le=\"{bound}{point}\""), "bucket", count * share);
            }
            add(",le=\"+Inf\"", "bucket", count);
            add("", "count", count);
            add("", "sum", count * 200.0);
        }
        let all: String = by_series.into_values().collect();
        std::fs::write(
            samples,
            format!("# TYPE cec_call_duration_seconds histogram\n{all}# EOF\n"),
        )
        .unwrap();
    };
    let Some(world) = World::of(write) else {
        return;
    };
    let boards = boards();
    let panel = find(&boards, "contact-centre.json", "95th percentile");
    let expr = filled(text(&panel["targets"][0]["expr"]), &[("__range", "2h")]);
    let shown = world.values(&expr)[0].1;
    assert!((550.0..650.0).contains(&shown), "{shown}");
}
