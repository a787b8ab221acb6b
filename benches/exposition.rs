//! What an answer costs a sample in each format, beside the text encoder of the `prometheus` crate
//! over the same samples.
//!
//! `cargo bench --bench exposition`. All are measured in turns in one run, because a machine that
//! is shared is faster in one minute than in the next: compare the ratio, not the nanoseconds.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use cec_exporter::metrics::exporter::{Build, ExporterMetrics, Gathered, KnownLabels};
use cec_exporter::metrics::exposition::{CallMetrics, ExporterSeries, Format, Shown, render};
use cec_exporter::metrics::tallies::Tallies;
use cec_exporter::model::{CallType, Event, Measure, Measures, Processing, Role, Speech, Status};
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus::proto::{self, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

const ROUNDS: usize = 9;
/// Samples written in a round, at least.
const WORK: usize = 1_000_000;
const CALLS: usize = 2000;

/// A target in which every series there is from the start is there, and calls of each type.
fn calls(seed: u64) -> CallMetrics {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tallies = Tallies::default();
    let types = [CallType::VOICE, CallType::TEXT];
    let statuses: Vec<Status> = Status::documented().collect();
    tallies.expect(&types, &statuses);
    let finals: Vec<Status> = statuses.iter().copied().filter(|s| s.is_final()).collect();
    for _ in 0..CALLS {
        let call_type = types[rng.usize(..2)];
        let status = *rng.choice(&finals).expect("there are some");
        let mut units =
            |most: f64| Measure::from_units((rng.f64() * most * 1000.0).round() / 1000.0);
        let mut side = |role| Speech {
            role,
            speed: units(400.0),
            silence: units(300.0),
            ratio: units(1.0),
        };
        let channels = [side(Role::Customer), side(Role::Staff)];
        let measures = Measures {
            duration: units(1200.0),
            channels,
        };
        let processing = Processing::Took(rng.u32(..7200));
        for event in [
            Event::Appeared { call_type, status },
            Event::Processed {
                call_type,
                status,
                processing,
            },
            Event::Succeeded {
                call_type,
                measures,
            },
        ] {
            tallies.apply(&event, None);
        }
    }
    CallMetrics {
        tallies,
        oldest_pending: vec![(CallType::VOICE, Status::from_number(0), 1_700_000_000)],
        recent: BTreeMap::from([(CallType::VOICE, 100), (CallType::TEXT, 20)]),
        counted_from: Some(1_700_000_000),
    }
}

fn own(names: &[String]) -> Gathered {
    let build = Build {
        version: "1.0.0",
        revision: "0123456789ab",
        rustc: "rustc 1.90.0",
    };
    let known = KnownLabels {
        apis: vec!["token".into(), "details".into()],
        codes: vec!["200".into(), "429".into(), "503".into()],
        failures: vec!["timeout".into(), "connect".into(), "auth".into()],
        rejections: vec!["shape".into(), "identity".into()],
    };
    let own = ExporterMetrics::new(build, 1.7e9).expect("the catalog is right");
    for name in names {
        let target = own.target(name, &known, 1.7e9);
        for _ in 0..20 {
            target.pull_duration.observe(0.7);
            target.request("details", "200", 0.3);
        }
    }
    own.gather()
}

/// The same samples as the `prometheus` crate has them, put together from a text.
fn families(text: &str) -> Vec<MetricFamily> {
    let mut families: Vec<MetricFamily> = Vec::new();
    let mut histograms: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            let (name, help) = head.split_once(' ').expect("a help");
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            families.push(family);
            histograms.clear();
            continue;
        }
        let family = families.last_mut().expect("a head comes first");
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
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// Writes an answer, or compresses one.
type Work<'a> = &'a dyn Fn() -> Vec<u8>;

fn measure(targets: usize) {
    let names: Vec<String> = (0..targets)
        .map(|number| format!("target-{number}"))
        .collect();
    let names_of: Vec<&str> = names.iter().map(String::as_str).collect();
    let all: Vec<CallMetrics> = (0..targets as u64).map(calls).collect();
    let calls: Vec<Shown<'_>> = names_of
        .iter()
        .zip(&all)
        .map(|(name, calls)| Shown::all(name, calls))
        .collect();
    let own = own(&names);
    let write = |format| render(format, &calls, &own, ExporterSeries::With(&names_of));
    let [text, openmetrics, protobuf] = Format::ALL.map(write);
    let theirs = families(std::str::from_utf8(&text).expect("text"));
    let same = |line: &&[u8]| !line.starts_with(b"#");
    let lines = |text: &[u8]| {
        let lines = text.split(|byte| *byte == b'\n').filter(same);
        lines.map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let samples = lines(&text).len() - 1;
    assert!(
        lines(&text) == lines(&encode(&theirs)),
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
            encode(&theirs)
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
