//! One of the exporter's own metrics and its series.
//!
//! `Registry::gather` of the `prometheus` crate copies every name and label into protobuf messages at each
//! scrape, which takes longer than writing them. These families are read in place.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use prometheus::core::{Atomic, AtomicF64, Metric as _};
use prometheus::{Histogram, HistogramOpts};

use super::CreationTimes;
use crate::metrics::catalog::{Kind, Metric};

/// A series of a counter. Clones share its value.
#[derive(Clone)]
pub struct Counter(Arc<AtomicF64>);

impl Counter {
    pub fn inc(&self) {
        self.0.inc_by(1.0);
    }

    pub fn inc_by(&self, more: f64) {
        self.0.inc_by(more);
    }
}

/// A series of a gauge. Clones share its value.
#[derive(Clone)]
pub struct Gauge(Arc<AtomicF64>);

impl Gauge {
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    pub fn inc(&self) {
        self.0.inc_by(1.0);
    }

    pub fn dec(&self) {
        self.0.inc_by(-1.0);
    }

    pub fn get(&self) -> f64 {
        self.0.get()
    }
}

/// The value of a series when it was read.
#[derive(Clone, PartialEq, Debug)]
pub enum Reading {
    Number(f64),
    Histogram {
        /// Upper bound and cumulative count, the infinite one last.
        buckets: Vec<(f64, u64)>,
        sum: f64,
        count: u64,
    },
}

/// What a series is made of.
pub(super) trait Handle: Clone + Send + Sync + 'static {
    fn new(metric: &Metric) -> Self;
    fn read(&self) -> Reading;
}

impl Handle for Counter {
    fn new(_: &Metric) -> Self {
        Self(Arc::new(AtomicF64::new(0.0)))
    }

    fn read(&self) -> Reading {
        Reading::Number(self.0.get())
    }
}

impl Handle for Gauge {
    fn new(_: &Metric) -> Self {
        Self(Arc::new(AtomicF64::new(0.0)))
    }

    fn read(&self) -> Reading {
        Reading::Number(self.0.get())
    }
}

impl Handle for Histogram {
    fn new(metric: &Metric) -> Self {
        let opts = HistogramOpts::new(metric.name, metric.help).buckets(metric.bounds.to_vec());
        Self::with_opts(opts).expect("a test creates each histogram of the catalog")
    }

    fn read(&self) -> Reading {
        let metric = self.metric();
        let histogram = metric.get_histogram();
        let count = histogram.get_sample_count();
        let finite = histogram.get_bucket().iter();
        let finite = finite.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        Reading::Histogram {
            buckets: finite.chain([(f64::INFINITY, count)]).collect(),
            sum: histogram.get_sample_sum(),
            count,
        }
    }
}

/// A metric and its series, by the values of its labels.
pub(super) struct Family<T> {
    metric: Metric,
    /// Names of the labels in alphabetical order, which is that of the exposition.
    names: Vec<&'static str>,
    /// Position of the label `target` in these.
    target_at: Option<usize>,
    created: Arc<CreationTimes>,
    series: RwLock<BTreeMap<Vec<String>, Series<T>>>,
}

struct Series<T> {
    handle: T,
    created: f64,
}

impl<T: Handle> Family<T> {
    pub(super) fn new(metric: Metric, created: Arc<CreationTimes>) -> Self {
        let mut names = metric.labels.to_vec();
        names.sort_unstable();
        Self {
            metric,
            target_at: names.iter().position(|name| *name == "target"),
            names,
            created,
            series: RwLock::default(),
        }
    }

    /// The series with these values of the labels, in the order of the catalog. Created if there is none.
    pub(super) fn with_label_values(&self, values: &[&str]) -> T {
        let key = self.key(values);
        if let Some(series) = self.series.read().get(&key) {
            return series.handle.clone();
        }
        let created = self.created.of(self.target(&key));
        let mut all = self.series.write();
        let series = all.entry(key).or_insert_with(|| Series {
            handle: T::new(&self.metric),
            created,
        });
        series.handle.clone()
    }

    pub(super) fn remove_label_values(&self, values: &[&str]) {
        self.series.write().remove(&self.key(values));
    }

    fn key(&self, values: &[&str]) -> Vec<String> {
        debug_assert_eq!(values.len(), self.names.len(), "{}", self.metric.name);
        let mut pairs: Vec<_> = self.metric.labels.iter().zip(values).collect();
        pairs.sort_unstable();
        pairs
            .into_iter()
            .map(|(_, value)| (*value).to_owned())
            .collect()
    }

    fn target<'a>(&self, key: &'a [String]) -> Option<&'a str> {
        key.get(self.target_at?).map(String::as_str)
    }
}

/// A series of the exporter's own metrics.
pub struct OwnSeries<'a> {
    names: &'a [&'static str],
    values: &'a [String],
    /// The label `target`.
    pub target: Option<&'a str>,
    /// When it was 0, in Unix seconds.
    pub created: f64,
    pub reading: Reading,
}

impl OwnSeries<'_> {
    /// A series without labels.
    pub(super) fn plain(value: f64, created: f64) -> Self {
        Self {
            names: &[],
            values: &[],
            target: None,
            created,
            reading: Reading::Number(value),
        }
    }

    /// Names and values, in alphabetical order of the names.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self.values.iter().map(String::as_str);
        self.names.iter().copied().zip(values)
    }
}

/// A family of any type.
pub(super) trait AnyFamily: Send + Sync {
    fn head(&self) -> (&str, Kind, &str);
    /// Passes the series whose target `is_wanted` to `visit`, sorted by the values of their labels.
    fn read(&self, is_wanted: &dyn Fn(Option<&str>) -> bool, visit: &mut dyn FnMut(OwnSeries<'_>));
}

impl<T: Handle> AnyFamily for Family<T> {
    fn head(&self) -> (&str, Kind, &str) {
        (self.metric.name, self.metric.kind, self.metric.help)
    }

    fn read(&self, is_wanted: &dyn Fn(Option<&str>) -> bool, visit: &mut dyn FnMut(OwnSeries<'_>)) {
        for (values, series) in &*self.series.read() {
            let target = self.target(values);
            if is_wanted(target) {
                visit(OwnSeries {
                    names: &self.names,
                    values,
                    target,
                    created: series.created,
                    reading: series.handle.read(),
                });
            }
        }
    }
}
