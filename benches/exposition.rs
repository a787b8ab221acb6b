//! Time per sample of a response in each format, compared with the text encoder of the `prometheus`
//! crate on the same samples.
//!
//! `cargo bench --bench exposition`. All are measured in turns in one run, because the speed of a shared
//! machine varies: compare the ratios, not the nanoseconds.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use cec_exporter::metrics::catalog;
use cec_exporter::metrics::exporter::{Build, ExporterMetrics};
use cec_exporter::metrics::exposition::{CallMetrics, Format, Response, Scope, TargetCallMetrics};
use cec_exporter::metrics::tallies::Tallies;
use cec_exporter::model::{
    CallType, Event, Measure, Measures, ProcessingTime, Role, Speech, Status,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::proto::{self, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

const ROUNDS: usize = 9;
/// Minimum number of samples per round.
const WORK: usize = 1_000_000;
const CALLS: usize = 2000;

/// A target with all initial series, and calls of each type.
fn calls(seed: u64) -> CallMetrics {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tallies = Tallies::default();
    let types = [CallType::VOICE, CallType::TEXT];
    let statuses: Vec<Status> = Status::documented().collect();
    tallies.create_series(&types, &statuses);
    let finals: Vec<Status> = statuses.iter().copied().filter(|s| s.is_final()).collect();
    for _ in 0..CALLS {
        let call_type = types[rng.usize(..2)];
        let status = *rng.choice(&finals).expect("there are some");
        let mut units =
            |most: f64| Measure::from_units((rng.f64() * most * 1000.0).round() / 1000.0);
        let mut speech = |role| Speech {
            role,
            speed: units(400.0),
            silence: units(300.0),
            ratio: units(1.0),
        };
        let channels = [speech(Role::Customer), speech(Role::Staff)];
        let measures = Measures {
            duration: units(1200.0),
            channels,
        };
        let processing_time = ProcessingTime::Observed(rng.u32(..7200));
        for event in [
            Event::Appeared { call_type, status },
            Event::Processed {
                call_type,
                status,
                processing_time,
            },
            Event::Succeeded {
                call_type,
                measures,
            },
        ] {
            tallies.apply(&event, None, None);
        }
    }
    CallMetrics {
        tallies,
        oldest_pending: vec![(CallType::VOICE, Status::from_number(0), 1_700_000_000)],
        recent: BTreeMap::from([(CallType::VOICE, 100), (CallType::TEXT, 20)]),
        counted_from: Some(1_700_000_000),
    }
}

fn exporter(names: &[String]) -> ExporterMetrics {
    let build = Build {
        version: "1.0.0",
        revision: "0123456789ab",
        rustc: "rustc 1.90.0",
    };
    let exporter = ExporterMetrics::new(build, 1.7e9);
    for name in names {
        let target = exporter.target(name, 1.7e9);
        for api in ["token", "details"] {
            target.create(catalog::API_REQUEST_DURATION, &[api]);
            target.create(catalog::API_RETRIES, &[api]);
            for code in ["200", "429", "503"] {
                target.create(catalog::API_REQUESTS, &[api, code]);
            }
        }
        for reason in ["timeout", "connect", "auth"] {
            target.create(catalog::PULL_FAILURES, &[reason]);
        }
        for reason in ["shape", "identity"] {
            target.create(catalog::REJECTED, &[reason]);
        }
        for _ in 0..20 {
            target.observe(catalog::PULL_DURATION, &[], 0.7);
            target.request("details", "200", 0.3);
        }
    }
    exporter
}

/// Converts a text to the families of the `prometheus` crate.
fn families(text: &str) -> Vec<MetricFamily> {
    let mut families: Vec<MetricFamily> = Vec::new();
    let mut histograms: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help");
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            families.push(family);
            histograms.clear();
            continue;
        }
        let family = families.last_mut().expect("HELP comes first");
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            family.set_field_type(match kind.rsplit(' ').next() {
                Some("counter") => MetricType::COUNTER,
                Some("gauge") => MetricType::GAUGE,
                _ => MetricType::HISTOGRAM,
            });
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let mut labels: Vec<proto::LabelPair> = labels
            .trim_end_matches('}')
            .split("\",")
            .filter_map(|label| label.trim_end_matches('"').split_once("=\""))
            .map(|(name, value)| {
                let mut label = proto::LabelPair::default();
                label.set_name(name.to_owned());
                label.set_value(value.to_owned());
                label
            })
            .collect();
        if family.get_field_type() != MetricType::HISTOGRAM {
            let mut metric = proto::Metric::from_label(labels);
            if family.get_field_type() == MetricType::COUNTER {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            } else {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            family.mut_metric().push(metric);
            continue;
        }
        let bound = labels.pop_if(|label| label.name() == "le");
        let key = format!("{labels:?}");
        let at = *histograms.entry(key).or_insert_with(|| {
            let mut metric = proto::Metric::from_label(labels);
            metric.set_histogram(proto::Histogram::default());
            family.mut_metric().push(metric);
            family.get_metric().len() - 1
        });
        let metric = &mut family.mut_metric()[at];
        let mut histogram = metric.get_histogram().clone();
        match bound {
            Some(bound) if bound.value() != "+Inf" => {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(bound.value().parse().expect("a number"));
                bucket.set_cumulative_count(value as u64);
                let mut buckets = histogram.get_bucket().to_vec();
                buckets.push(bucket);
                histogram.set_bucket(buckets);
            }
            _ if name.ends_with("_sum") => histogram.set_sample_sum(value),
            _ => histogram.set_sample_count(value as u64),
        }
        metric.set_histogram(histogram);
    }
    families.retain(|family| !family.get_metric().is_empty());
    families
}

fn encode(families: &[MetricFamily]) -> Vec<u8> {
    let mut out = Vec::new();
    let encoded = TextEncoder::new().encode(families, &mut out);
    encoded.expect("the families are right");
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Renders a response, or compresses one.
type Work<'a> = &'a dyn Fn() -> Vec<u8>;

fn measure(targets: usize) {
    let names: Vec<String> = (0..targets)
        .map(|number| format!("target-{number}"))
        .collect();
    let names_of: Vec<&str> = names.iter().map(String::as_str).collect();
    let all: Vec<CallMetrics> = (0..targets as u64).map(calls).collect();
    let calls: Vec<TargetCallMetrics<'_>> = names_of
        .iter()
        .zip(&all)
        .map(|(name, calls)| TargetCallMetrics::new(name, calls))
        .collect();
    let exporter = exporter(&names);
    let write = |format| {
        Response {
            format,
            created_lines: false,
            targets: &calls,
            exporter: (&exporter, &names_of),
            scope: Scope::Everything,
        }
        .render()
    };
    let [text, openmetrics, protobuf] =
        [Format::Text, Format::OpenMetrics, Format::Protobuf].map(write);
    let families = families(std::str::from_utf8(&text).expect("text"));
    let is_sample = |line: &&[u8]| !line.starts_with(b"#");
    let lines = |text: &[u8]| {
        let lines = text.split(|byte| *byte == b'\n').filter(is_sample);
        lines.map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let samples = lines(&text).len() - 1;
    assert!(
        lines(&text) == lines(&encode(&families)),
        "not the same samples"
    );
    let times = WORK.div_ceil(samples);
    let timed = |work: &dyn Fn() -> Vec<u8>| {
        let began = Instant::now();
        (0..times).for_each(|_| drop(black_box(work())));
        began.elapsed().as_nanos() as f64 / (times * samples) as f64
    };
    let rows: [(&str, usize, Work<'_>); 7] = [
        ("TextEncoder of `prometheus`", text.len(), &|| {
            encode(&families)
        }),
        ("text", text.len(), &|| write(Format::Text)),
        ("OpenMetrics", openmetrics.len(), &|| {
            write(Format::OpenMetrics)
        }),
        ("protobuf, with native histograms", protobuf.len(), &|| {
            write(Format::Protobuf)
        }),
        ("gzip of the text", gzip(&text).len(), &|| gzip(&text)),
        ("gzip of OpenMetrics", gzip(&openmetrics).len(), &|| {
            gzip(&openmetrics)
        }),
        ("gzip of protobuf", gzip(&protobuf).len(), &|| {
            gzip(&protobuf)
        }),
    ];
    let mut rounds: Vec<Vec<f64>> = (0..ROUNDS)
        .map(|_| rows.iter().map(|(.., work)| timed(work)).collect())
        .collect();
    println!("\n{targets} target(s), {samples} samples, median of {ROUNDS} rounds by ratio");
    println!("{:<34} {:>12} {:>9} {:>6}", "", "bytes", "ns each", "ratio");
    for (index, (name, bytes, _)) in rows.iter().enumerate() {
        let ratio = |round: &Vec<f64>| round[index] / round[0];
        rounds.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        let median = &rounds[ROUNDS / 2];
        println!(
            "{name:<34} {bytes:>12} {:>9.1} {:>6.2}",
            median[index],
            ratio(median)
        );
    }
}

fn main() {
    measure(1);
    measure(1000);
}
