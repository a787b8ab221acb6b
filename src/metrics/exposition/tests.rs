use super::*;
use crate::metrics::exporter::{Build, ExporterMetrics, KnownLabels};
use crate::model::{CallType, Event, Status};

fn calls() -> CallMetrics {
    let mut tallies = Tallies::default();
    tallies.expect(
        &[CallType::TEXT],
        &[Status::SUCCEEDED, Status::from_number(0)],
    );
    let appeared = Event::Appeared {
        call_type: CallType::TEXT,
        status: Status::from_number(0),
    };
    tallies.apply(&appeared, None);
    let oldest_pending = vec![(CallType::TEXT, Status::from_number(0), 1622633782)];
    CallMetrics {
        tallies,
        oldest_pending,
        recent: BTreeMap::from([(CallType::TEXT, 1)]),
        counted_from: None,
    }
}

fn text(targets: &[Shown<'_>], own: &Gathered, which: ExporterSeries<'_>) -> String {
    String::from_utf8(render(Format::Text, targets, own, which)).unwrap()
}

#[test]
fn labels_are_escaped() {
    let own = Gathered::default();
    let text = text(
        &[Shown::all("a\"b\\c\nd", &calls())],
        &own,
        ExporterSeries::With(&[]),
    );
    let line = r#"cec_calls_total{target="a\"b\\c\nd",call_type="text"} 1"#;
    assert!(text.lines().any(|found| found == line), "{text}");
}

#[test]
fn every_family_has_one_head_and_its_series_follow_it() {
    let own = Gathered::default();
    let calls = calls();
    let targets = ["a", "b"].map(|target| Shown::all(target, &calls));
    let text = text(&targets, &own, ExporterSeries::With(&[]));
    let mut family = "";
    let mut heads = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# HELP ") {
            Some(head) => {
                family = head.split(' ').next().unwrap();
                heads.push(family);
            }
            None => assert!(
                line.starts_with("# TYPE ") || line.starts_with(family),
                "{line}"
            ),
        }
    }
    let mut once = heads.clone();
    once.dedup();
    assert_eq!((heads.len(), once.len()), (18, 18));
    assert!(text.contains("status=\"waiting\"} 1622633782\n"), "{text}");
}

fn exporter() -> ExporterMetrics {
    let build = Build {
        version: "1",
        revision: "r",
        rustc: "c",
    };
    let own = ExporterMetrics::new(build, 1000.5).unwrap();
    for (name, since) in [("a", 2000.0), ("b", 3000.0)] {
        let target = own.target(name, &KnownLabels::default(), since);
        target.early_scrapes.inc();
    }
    own
}

#[test]
fn a_target_is_shown_with_its_own_series_only() {
    let gathered = exporter().gather();
    let both = text(&[], &gathered, ExporterSeries::With(&["a", "b"]));
    let one = text(&[], &gathered, ExporterSeries::With(&["b"]));
    let probe = text(&[], &gathered, ExporterSeries::Only("b"));
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
fn a_series_counts_since_there_is_its_target_and_the_process_since_its_start() {
    let own = exporter();
    // As by a reload: it goes on counting.
    own.target("a", &KnownLabels::default(), 9000.0);
    let gathered = own.gather();
    let which = ExporterSeries::With(&["a", "b"]);
    let spelling = Spelling {
        format: Format::OpenMetrics,
        created_lines: true,
    };
    let text = render(spelling, &[], &gathered, which);
    let text = String::from_utf8(text).unwrap();
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
    // And those of the other two codes.
    assert_eq!(text.matches("_created").count(), 14);
}

#[test]
fn openmetrics_text_has_no_created_lines_unless_they_are_asked_for() {
    let mut calls = calls();
    calls.counted_from = Some(1_622_000_000);
    let of = |created_lines| {
        let spelling = Spelling {
            format: Format::OpenMetrics,
            created_lines,
        };
        let shown = [Shown::all("a", &calls)];
        let text = render(
            spelling,
            &shown,
            &exporter().gather(),
            ExporterSeries::With(&["a"]),
        );
        String::from_utf8(text).unwrap()
    };
    assert!(!of(false).contains("_created"), "{}", of(false));
    let kept = of(true);
    let kept = kept.lines().filter(|line| !line.contains("_created"));
    // Nothing else depends on it but what a moment changes.
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
fn of_a_stale_target_only_counters_and_histograms_are_shown() {
    let calls = calls();
    let shown = |is_stale| Shown {
        target: "a",
        calls: &calls,
        is_stale,
    };
    let names = |shown: Shown<'_>| {
        let text = text(&[shown], &Gathered::default(), ExporterSeries::With(&[]));
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let names = lines.map(|line| line.split('{').next().unwrap().to_owned());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let withdrawn = &names(shown(false)) - &names(shown(true));
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
    assert!(names(shown(true)).contains("cec_calls_total"));
    assert!(names(shown(true)).contains("cec_call_duration_seconds_bucket"));
}
