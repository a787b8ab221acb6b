//! A small exposition in each format, compared with a golden file.

use std::collections::BTreeMap;

use cec_exporter::metrics::catalog;
use cec_exporter::metrics::exporter::{Build, ExporterMetrics};
use cec_exporter::metrics::exposition::{CallMetrics, Format, Response, Scope, TargetCallMetrics};
use cec_exporter::metrics::histogram::ExemplarSource;
use cec_exporter::metrics::tallies::Tallies;
use cec_exporter::model::{
    CallId, CallType, Event, ManualKind, Measure, Measures, Position, ProcessingTime, Role, Speech,
    Status,
};

use super::schema::{Samples, decode, describe, samples};
use crate::support::text::assert_golden;

/// A name with all characters that a format has to escape, and some outside ASCII.
const TARGET: &str = "a \"b\" c\\d\ne 客服";
const UUID: &str = "3b9cd7a9-d38c-4aa0-a35d-77f6abb9f497";

fn calls() -> CallMetrics {
    let mut tallies = Tallies::default();
    tallies.enable_exemplars();
    let (voice, waiting) = (CallType::VOICE, Status::from_number(0));
    let seen = |id: &str, at| {
        let call = CallId::parse(id).unwrap();
        Some(ExemplarSource { call, at })
    };
    let units = Measure::from_units;
    for (event, source) in [
        (
            Event::Appeared {
                call_type: voice,
                status: waiting,
            },
            seen(UUID, 1_622_633_000),
        ),
        (
            Event::Processed {
                call_type: voice,
                status: Status::SUCCEEDED,
                processing_time: ProcessingTime::Observed(64),
            },
            seen(UUID, 1_622_634_000),
        ),
        (
            Event::Processed {
                call_type: voice,
                status: Status::SUCCEEDED,
                processing_time: ProcessingTime::Observed(70),
            },
            // In the same bucket, but not an exemplar: the call has no UUID.
            seen("call 7", 1_622_635_000),
        ),
        (
            Event::Succeeded {
                call_type: voice,
                measures: Measures {
                    duration: units(164.22),
                    channels: [
                        Speech {
                            role: Role::Customer,
                            speed: units(241.552),
                            silence: units(88.46),
                            ratio: units(0.4613),
                        },
                        Speech {
                            role: Role::Staff,
                            speed: units(1e9),
                            silence: units(0.0),
                            ratio: units(1.0),
                        },
                    ],
                },
            },
            seen(UUID, 1_622_634_000),
        ),
        (
            Event::Moved {
                call_type: voice,
                from: Position::In(waiting),
                to: Position::Missing,
            },
            None,
        ),
        (
            Event::ManualStateChanged {
                call_type: voice,
                kind: ManualKind::Reviewed,
                from: None,
                to: Some(2),
            },
            seen(UUID, 1_622_634_000),
        ),
    ] {
        tallies.apply(&event, source, None);
    }
    CallMetrics {
        tallies,
        oldest_pending: vec![(CallType::TEXT, Status::from_number(77), 1_622_633_782)],
        recent: BTreeMap::from([(voice, 5)]),
        counted_from: Some(1_622_500_000),
    }
}

fn exporter() -> ExporterMetrics {
    let build = Build {
        version: "1",
        revision: "r",
        rustc: "c",
    };
    let exporter = ExporterMetrics::new(build, 1_622_600_000.25);
    let target = exporter.target(TARGET, 1_622_600_001.5);
    let another = exporter.target("another", 1.0);
    another.add(catalog::EARLY_SCRAPES, &[], 1.0);
    target.observe(catalog::PULL_DURATION, &[], 0.3);
    target.add(catalog::EARLY_SCRAPES, &[], 1.0);
    target.set_info("https://old", "voice");
    target.set_info("https://vendor", "voice,text");
    target.set(catalog::FRONTIER, 1_622_633_999.0);
    target.add(catalog::REJECTED, &["shape"], 3.0);
    exporter
}

fn exposition(format: Format) -> Vec<u8> {
    Response {
        format,
        created_lines: true,
        targets: &[TargetCallMetrics::new(TARGET, &calls())],
        exporter: (&exporter(), &[TARGET]),
        scope: Scope::TargetOnly,
    }
    .render()
}

#[test]
fn text_matches_its_golden_file() {
    let text = String::from_utf8(exposition(Format::Text)).unwrap();
    assert_golden("formats.prom", &text);
}

#[test]
fn openmetrics_matches_its_golden_file() {
    let text = String::from_utf8(exposition(Format::OpenMetrics)).unwrap();
    assert_golden("formats.openmetrics", &text);
}

#[test]
fn protobuf_matches_its_golden_file() {
    let families = decode(&exposition(Format::Protobuf));
    assert_golden("formats.protobuf.txt", &describe(&families));
}

#[test]
fn all_formats_have_the_same_samples() {
    let text = exposition(Format::Text);
    let text = lines(std::str::from_utf8(&text).unwrap());
    assert!(text.len() > 150, "{}", text.len());
    let openmetrics = exposition(Format::OpenMetrics);
    let mut openmetrics = lines(std::str::from_utf8(&openmetrics).unwrap());
    let all = openmetrics.len();
    openmetrics.retain(|(name, _), _| !name.ends_with("_created"));
    // 9 series of counters and 10 of histograms.
    assert_eq!(all - openmetrics.len(), 19);
    assert_eq!(text, openmetrics);
    let families = decode(&exposition(Format::Protobuf));
    assert_eq!(text, samples(&families));
}

/// The samples of a text. Bounds lose their `.0`, which only OpenMetrics has.
fn lines(text: &str) -> Samples {
    let mut samples = Samples::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let line = line.split(" # ").next().unwrap();
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, mut rest) = series.split_once('{').unwrap();
        let mut labels = Vec::new();
        while rest != "}" {
            let (label, after) = rest.trim_start_matches(',').split_once("=\"").unwrap();
            let mut value = String::new();
            let mut characters = after.chars();
            loop {
                match characters.next().unwrap() {
                    '"' => break,
                    '\\' => value.push(match characters.next().unwrap() {
                        'n' => '\n',
                        other => other,
                    }),
                    other => value.push(other),
                }
            }
            rest = characters.as_str();
            if label == "le" {
                value = value.trim_end_matches(".0").to_owned();
            }
            labels.push((label.to_owned(), value));
        }
        let previous = samples.insert((name.to_owned(), labels), value.parse().unwrap());
        assert_eq!(previous, None, "{line}");
    }
    samples
}
