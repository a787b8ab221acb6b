use super::*;
use crate::metrics::catalog;
use crate::metrics::exporter::{Build, ExporterMetrics};
use crate::model::{CallType, Event, Status};

fn calls() -> CallMetrics {
    let mut tallies = Tallies::default();
    tallies.create_series(
        &[CallType::TEXT],
        &[Status::SUCCEEDED, Status::from_number(0)],
    );
    let appeared = Event::Appeared {
        call_type: CallType::TEXT,
        status: Status::from_number(0),
    };
    tallies.apply(&appeared, None, None);
    let oldest_pending = vec![(CallType::TEXT, Status::from_number(0), 1622633782)];
    CallMetrics {
        tallies,
        oldest_pending,
        recent: BTreeMap::from([(CallType::TEXT, 1)]),
        counted_from: None,
    }
}

fn text(response: &Response<'_>) -> String {
    String::from_utf8(response.render()).unwrap()
}

/// The call metrics of these targets.
fn text_of(targets: &[TargetCallMetrics<'_>]) -> String {
    text(&Response {
        format: Format::Text,
        created_lines: false,
        targets,
        exporter: (&exporter(), &[]),
        scope: Scope::TargetOnly,
    })
}

#[test]
fn label_values_are_escaped() {
    let calls = calls();
    let targets = [TargetCallMetrics::new("a\"b\\c\nd", &calls)];
    let text = text_of(&targets);
    let line = r#"cec_calls_total{target="a\"b\\c\nd",call_type="text"} 1"#;
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn families_are_not_repeated_and_their_series_follow_the_help() {
    let calls = calls();
    let targets = ["a", "b"].map(|target| TargetCallMetrics::new(target, &calls));
    let text = text_of(&targets);
    let mut family = "";
    let mut families = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# HELP ") {
            Some(head) => {
                family = head.split(' ').next().unwrap();
                families.push(family);
            }
            None => assert!(
                line.starts_with("# TYPE ") || line.starts_with(family),
                "{line}"
            ),
        }
    }
    let mut once = families.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((families.len(), once.len()), (18, 18));
    assert!(text.contains("status=\"waiting\"} 1622633782\n"), "{text}");
}

fn exporter() -> ExporterMetrics {
    let build = Build {
        version: "1",
        revision: "r",
        rustc: "c",
    };
    let exporter = ExporterMetrics::new(build, 1000.5);
    for (name, since) in [("a", 2000.0), ("b", 3000.0)] {
        let target = exporter.target(name, since);
        target.add(catalog::EARLY_SCRAPES, &[], 1.0);
    }
    exporter
}

#[test]
fn the_selection_decides_which_exporter_series_are_included() {
    let exporter = exporter();
    let of = |names, scope| {
        text(&Response {
            format: Format::Text,
            created_lines: false,
            targets: &[],
            exporter: (&exporter, names),
            scope,
        })
    };
    let both = of(&["a", "b"], Scope::Everything);
    let one = of(&["b"], Scope::Everything);
    let probe = of(&["b"], Scope::TargetOnly);
    let lines = |text: &str, part: &str| text.lines().filter(|l| l.contains(part)).count();
    let pulls = "cec_exporter_scrapes_before_pull_end_total{";
    assert_eq!(
        [&both, &one, &probe].map(|text| lines(text, pulls)),
        [2, 1, 1]
    );
    let build = "cec_exporter_build_info{version=\"1\",revision";
    assert_eq!(
        [&both, &one, &probe].map(|text| lines(text, "build_info{")),
        [1, 1, 0],
        "{build}"
    );
    assert_eq!(
        [&one, &probe].map(|text| lines(text, "target=\"a\"")),
        [0, 0]
    );
    assert!(one.contains("process_start_time_seconds ") && !probe.contains("process_"));
    assert!(
        one.contains("cec_exporter_pull_duration_seconds_bucket{target=\"b\",le=\"+Inf\"} 0\n")
    );
}

#[test]
fn created_is_when_the_target_or_the_process_started() {
    let exporter = exporter();
    // A reload keeps the counters, and so their creation time.
    exporter.target("a", 9000.0);
    let text = text(&Response {
        format: Format::OpenMetrics,
        created_lines: true,
        targets: &[],
        exporter: (&exporter, &["a", "b"]),
        scope: Scope::Everything,
    });
    let value = |series: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        let line = line.unwrap_or_else(|| panic!("{series}: {text}"));
        line.trim().parse::<f64>().unwrap()
    };
    assert_eq!(
        value("cec_exporter_scrapes_before_pull_end_created{target=\"a\"}"),
        2000.0
    );
    assert_eq!(
        value("cec_exporter_scrapes_before_pull_end_created{target=\"b\"}"),
        3000.0
    );
    let histogram = "cec_exporter_pull_duration_seconds_created{target=\"b\"}";
    assert_eq!(value(histogram), 3000.0);
    let started = value("process_start_time_seconds ");
    assert!(started > 1.6e9, "{started}");
    assert_eq!(value("process_cpu_seconds_created "), started);
    let answers = "promhttp_metric_handler_requests_created{code=\"200\"}";
    assert_eq!(value(answers), 1000.5);
    // Including those of the other two status codes.
    assert_eq!(text.matches("_created").count(), 14);
}

#[test]
fn created_lines_are_written_only_on_request() {
    let mut calls = calls();
    calls.counted_from = Some(1_622_000_000);
    let of = |created_lines| {
        text(&Response {
            format: Format::OpenMetrics,
            created_lines,
            targets: &[TargetCallMetrics::new("a", &calls)],
            exporter: (&exporter(), &["a"]),
            scope: Scope::Everything,
        })
    };
    assert!(!of(false).contains("_created"), "{}", of(false));
    let kept = of(true);
    let kept = kept.lines().filter(|line| !line.contains("_created"));
    // Otherwise equal, but for process metrics, which change all the time.
    let of_calls = |lines: Vec<&str>| {
        let of_calls = lines.into_iter().filter(|line| line.starts_with("cec_"));
        of_calls.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        of_calls(kept.collect()),
        of_calls(of(false).lines().collect())
    );
}

#[test]
fn a_stale_target_has_no_gauges_of_calls() {
    let calls = calls();
    let metrics = |is_stale| TargetCallMetrics {
        target: "a",
        calls: &calls,
        is_stale,
    };
    let names = |metrics: TargetCallMetrics<'_>| {
        let text = text_of(&[metrics]);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.map(|line| line.split('{').next().unwrap().to_owned());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let withdrawn = &names(metrics(false)) - &names(metrics(true));
    let withdrawn: Vec<&str> = withdrawn.iter().map(String::as_str).collect();
    assert_eq!(
        withdrawn,
        [
            "cec_oldest_pending_call_timestamp_seconds",
            "cec_recent_calls",
            "cec_window_appealed_calls",
            "cec_window_calls",
            "cec_window_missing_calls",
            "cec_window_reviewed_calls",
            "cec_window_sampled_calls",
        ]
    );
    assert!(names(metrics(true)).contains("cec_calls_total"));
    assert!(names(metrics(true)).contains("cec_call_duration_seconds_bucket"));
}
