//! The families of the exporter's own metrics, and their series.
//!
//! `Registry::gather` of the `prometheus` crate copies every name and label into protobuf messages at each
//! scrape, which takes longer than writing them. These families are read in place.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use prometheus::core::{Atomic, AtomicF64, Metric as _};
use prometheus::{Histogram, HistogramOpts};

use crate::metrics::catalog::{self, Kind, Metric};

/// Targets that are not configured any more and keep their series.
const MAX_REMOVED: usize = 1000;

/// The value of a series. Clones share it.
#[derive(Clone)]
pub(super) enum Cell {
    Number(Arc<AtomicF64>),
    Histogram(Histogram),
}

impl Cell {
    fn new(metric: &Metric) -> Self {
        if metric.kind != Kind::Histogram {
            return Self::Number(Arc::new(AtomicF64::new(0.0)));
        }
        let opts = HistogramOpts::new(metric.name, metric.help).buckets(metric.bounds.to_vec());
        let histogram = Histogram::with_opts(opts);
        Self::Histogram(histogram.expect("a test creates each histogram of the catalog"))
    }

    /// Sets a gauge.
    pub(super) fn set(&self, value: f64) {
        match self {
            Self::Number(number) => number.set(value),
            Self::Histogram(_) => debug_assert!(false, "a histogram is observed"),
        }
    }

    /// Adds to a counter or a gauge.
    pub(super) fn add(&self, more: f64) {
        match self {
            Self::Number(number) => number.inc_by(more),
            Self::Histogram(_) => debug_assert!(false, "a histogram is observed"),
        }
    }

    /// Observes a value of a histogram.
    pub(super) fn observe(&self, value: f64) {
        match self {
            Self::Number(_) => debug_assert!(false, "not a histogram"),
            Self::Histogram(histogram) => histogram.observe(value),
        }
    }

    fn read(&self) -> Reading {
        let histogram = match self {
            Self::Number(number) => return Reading::Number(number.get()),
            Self::Histogram(histogram) => histogram.metric(),
        };
        let histogram = histogram.get_histogram();
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

/// A series of the exporter's own metrics.
pub struct OwnSeries<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub help: &'a str,
    /// Whether no series of this metric was read before it.
    pub is_first: bool,
    /// In alphabetical order of the names.
    pub(super) label_names: &'a [&'static str],
    pub(super) label_values: &'a [String],
    /// When it was 0, in Unix seconds.
    pub created: f64,
    pub reading: Reading,
}

impl OwnSeries<'_> {
    /// Names and values, in alphabetical order of the names.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let values = self.label_values.iter().map(String::as_str);
        self.label_names.iter().copied().zip(values)
    }
}

/// All families of the catalog, by name. Those of call metrics have no series here.
pub(super) struct Families {
    pub(super) by_name: BTreeMap<&'static str, Family>,
    pub(super) targets: Mutex<Targets>,
    /// When series that belong to no target were 0, in Unix seconds.
    created: f64,
}

/// The targets that may have series.
#[derive(Default)]
pub(super) struct Targets {
    /// When their series were 0, in Unix seconds.
    pub(super) created: BTreeMap<String, f64>,
    /// Those that are not configured any more, in the order in which they were removed.
    removed: VecDeque<String>,
}

impl Families {
    pub(super) fn new(now: f64) -> Self {
        let all = catalog::ALL.iter();
        Self {
            by_name: all
                .map(|metric| (metric.name, Family::new(metric)))
                .collect(),
            targets: Mutex::default(),
            created: now,
        }
    }

    /// The series with these values of the labels, in the order of the catalog. Created if there is none.
    pub(super) fn cell(&self, metric: Metric, values: &[&str]) -> Cell {
        let family = &self.by_name[metric.name];
        let key = family.key(values);
        if let Some(series) = family.series.read().get(&key) {
            return series.cell.clone();
        }
        let target = family.target(&key);
        let known = target.and_then(|target| self.targets.lock().created.get(target).copied());
        let created = known.unwrap_or(self.created);
        let mut all = family.series.write();
        let series = all.entry(key).or_insert_with(|| Series {
            cell: Cell::new(&metric),
            created,
        });
        series.cell.clone()
    }

    /// Removes the series of targets that are none of these and were removed long ago.
    pub(super) fn retain_targets(&self, names: &HashSet<&str>) {
        let mut targets = self.targets.lock();
        let Targets { created, removed } = &mut *targets;
        removed.retain(|name| !names.contains(name.as_str()));
        let known: HashSet<String> = removed.iter().cloned().collect();
        let gone = |name: &&String| !names.contains(name.as_str()) && !known.contains(*name);
        removed.extend(created.keys().filter(gone).cloned());
        let surplus = removed.len().saturating_sub(MAX_REMOVED);
        let forgotten: HashSet<String> = removed.drain(..surplus).collect();
        created.retain(|name, _| !forgotten.contains(name));
        drop(targets);
        if !forgotten.is_empty() {
            for family in self.by_name.values() {
                family.remove_of(|target| forgotten.contains(target));
            }
        }
    }
}

/// A metric and its series, by the values of its labels.
pub(super) struct Family {
    metric: Metric,
    /// Names of the labels in alphabetical order, which is that of the exposition.
    names: Vec<&'static str>,
    /// Position of the label `target` in these.
    target_at: Option<usize>,
    series: RwLock<BTreeMap<Vec<String>, Series>>,
}

struct Series {
    cell: Cell,
    created: f64,
}

impl Family {
    fn new(metric: &Metric) -> Self {
        let mut names = metric.labels.to_vec();
        names.sort_unstable();
        Self {
            metric: *metric,
            target_at: names.iter().position(|name| *name == "target"),
            names,
            series: RwLock::default(),
        }
    }

    /// Removes the series with these values of the labels.
    pub(super) fn remove(&self, values: &[&str]) {
        self.series.write().remove(&self.key(values));
    }

    /// Removes all series of targets.
    pub(super) fn remove_of(&self, is_meant: impl Fn(&str) -> bool) {
        let mut all = self.series.write();
        all.retain(|key, _| !self.target(key).is_some_and(&is_meant));
    }

    /// Passes the series whose target `is_wanted` to `visit`, sorted by the values of their labels.
    pub(super) fn read(
        &self,
        is_wanted: &dyn Fn(Option<&str>) -> bool,
        visit: &mut dyn FnMut(&OwnSeries<'_>),
    ) {
        let mut is_first = true;
        for (values, series) in &*self.series.read() {
            if is_wanted(self.target(values)) {
                visit(&OwnSeries {
                    name: self.metric.name,
                    kind: self.metric.kind,
                    help: self.metric.help,
                    is_first,
                    label_names: &self.names,
                    label_values: values,
                    created: series.created,
                    reading: series.cell.read(),
                });
                is_first = false;
            }
        }
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
