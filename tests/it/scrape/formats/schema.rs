//! The message `io.prometheus.client.MetricFamily`, declared after `metrics.proto` in
//! <https://github.com/prometheus/client_model> and decoded by `prost`, independently of our encoder.

use std::collections::BTreeMap;
use std::fmt::Write;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    /// 0 counter, 1 gauge, 4 histogram.
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Gauge>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Gauge {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    created: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<Span>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    created: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, optional, tag = "1")]
    seconds: Option<i64>,
    #[prost(int32, optional, tag = "2")]
    nanos: Option<i32>,
}

/// Value by name and labels.
pub(crate) type Samples = BTreeMap<(String, Vec<(String, String)>), f64>;

pub(crate) fn decode(mut bytes: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut bytes).unwrap());
    }
    families
}

/// The samples as the text format has them.
pub(crate) fn samples(families: &[MetricFamily]) -> Samples {
    let mut samples = Samples::new();
    let mut add = |name: String, labels: Vec<(String, String)>, value: f64| {
        let previous = samples.insert((name.clone(), labels), value);
        assert_eq!(previous, None, "{name}");
    };
    for family in families {
        let name = family.name.clone().unwrap();
        for metric in &family.metric {
            let labels = name_value_pairs(&metric.label);
            match (family.kind.unwrap(), metric) {
                (0, m) => add(
                    name.clone(),
                    labels,
                    m.counter.clone().unwrap().value.unwrap(),
                ),
                (1, m) => add(
                    name.clone(),
                    labels,
                    m.gauge.clone().unwrap().value.unwrap(),
                ),
                (_, m) => {
                    let histogram = m.histogram.clone().unwrap();
                    for bucket in &histogram.bucket {
                        let mut labels = labels.clone();
                        let bound = bucket.upper_bound.unwrap().to_string();
                        labels.push(("le".into(), bound.replace("inf", "+Inf")));
                        let count = bucket.cumulative_count.unwrap() as f64;
                        add(format!("{name}_bucket"), labels, count);
                    }
                    add(
                        format!("{name}_sum"),
                        labels.clone(),
                        histogram.sum.unwrap(),
                    );
                    let count = histogram.count.unwrap() as f64;
                    add(format!("{name}_count"), labels, count);
                    histogram.check();
                }
            }
        }
    }
    samples
}

fn name_value_pairs(labels: &[LabelPair]) -> Vec<(String, String)> {
    let labels = labels.iter().cloned();
    labels
        .map(|label| (label.name.unwrap(), label.value.unwrap()))
        .collect()
}

impl Histogram {
    /// Asserts that native buckets, if there are any, count the same observations.
    fn check(&self) {
        let native: Vec<_> = self.native().collect();
        if self.schema.is_some() {
            let total: u64 = native.iter().map(|(_, count)| count).sum();
            assert_eq!(
                Some(total + self.zero_count.unwrap()),
                self.count,
                "{self:?}"
            );
        }
    }

    /// Index and count of each native bucket.
    fn native(&self) -> impl Iterator<Item = (i32, u64)> {
        let mut next = 0;
        let indexes = self.positive_span.iter().flat_map(move |span| {
            let first = next + span.offset.unwrap();
            next = first + span.length.unwrap() as i32;
            first..next
        });
        let indexes: Vec<i32> = indexes.collect();
        assert_eq!(indexes.len(), self.positive_delta.len());
        let mut count = 0;
        let counts = self.positive_delta.iter().map(move |delta| {
            count += delta;
            u64::try_from(count).unwrap()
        });
        indexes.into_iter().zip(counts)
    }
}

/// A text of everything that was decoded, for the golden file.
pub(crate) fn describe(families: &[MetricFamily]) -> String {
    let mut text = String::new();
    for family in families {
        let (name, help) = (family.name.as_ref().unwrap(), family.help.as_ref().unwrap());
        let _ = writeln!(text, "{name} type {}: {help}", family.kind.unwrap());
        for metric in &family.metric {
            let _ = writeln!(text, "  {:?}", name_value_pairs(&metric.label));
            if let Some(gauge) = &metric.gauge {
                let _ = writeln!(text, "    {}", gauge.value.unwrap());
            }
            if let Some(counter) = &metric.counter {
                let created = time(&counter.created);
                let _ = writeln!(text, "    {}{created}", counter.value.unwrap());
            }
            if let Some(histogram) = &metric.histogram {
                describe_histogram(&mut text, histogram);
            }
        }
    }
    text
}

fn describe_histogram(text: &mut String, histogram: &Histogram) {
    let (count, sum) = (histogram.count.unwrap(), histogram.sum.unwrap());
    let created = time(&histogram.created);
    let _ = writeln!(text, "    count {count} sum {sum}{created}");
    for bucket in &histogram.bucket {
        let (bound, count) = (
            bucket.upper_bound.unwrap(),
            bucket.cumulative_count.unwrap(),
        );
        let _ = write!(text, "    up to {bound}: {count}");
        if let Some(exemplar) = &bucket.exemplar {
            let (labels, value) = (name_value_pairs(&exemplar.label), exemplar.value.unwrap());
            let _ = write!(text, ", {labels:?} {value}{}", time(&exemplar.timestamp));
        }
        text.push('\n');
    }
    if let Some(schema) = histogram.schema {
        let native: Vec<_> = histogram.native().collect();
        let spans = histogram
            .positive_span
            .iter()
            .map(|span| (span.offset.unwrap(), span.length.unwrap()));
        let _ = writeln!(
            text,
            "    schema {schema} zero {} up to {:e} spans {:?} buckets {native:?}",
            histogram.zero_count.unwrap(),
            histogram.zero_threshold.unwrap(),
            spans.collect::<Vec<_>>(),
        );
    }
}

fn time(time: &Option<Timestamp>) -> String {
    let text = time
        .as_ref()
        .map(|time| format!(" at {}.{:09}", time.seconds.unwrap(), time.nanos.unwrap()));
    text.unwrap_or_default()
}
