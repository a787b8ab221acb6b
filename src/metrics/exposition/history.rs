//! OpenMetrics text with timestamps, for import by `promtool tsdb create-blocks-from openmetrics`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::text::{family_name, openmetrics_le, push_label};
use super::writer::{Labels, Observations, Value, Writer};
use super::{CallMetrics, TargetCallMetrics, families};
use crate::metrics::catalog::Kind;
use crate::model::UnixSeconds;

/// Samples of one target over some time.
///
/// Samples are added time by time, but the format requires all samples of a series together, so they
/// are buffered until the end.
pub struct History {
    /// Labels added to each series, which has others before them: each follows a comma.
    extra_labels: String,
    families: Vec<Family>,
    /// Index of the family that is sampled.
    current: usize,
    /// Time of the sample; `None` for the values after the last one.
    now: Option<UnixSeconds>,
}

struct Family {
    name: String,
    kind: Kind,
    help: String,
    metrics: BTreeMap<String, Metric>,
}

/// The samples of one set of labels.
#[derive(Default)]
struct Metric {
    /// Suffix and label `le` of each series: `_total`, or the buckets of a histogram with `_sum` and
    /// `_count`.
    series: Vec<(&'static str, String)>,
    times: Vec<UnixSeconds>,
    /// For each time, one value per series.
    values: Vec<f64>,
    /// Not 0 after the last sample, so that the zeros before matter to `increase()`.
    ends_above_zero: bool,
}

impl History {
    /// A history without samples. `extra_labels`, such as `job` and `instance`, are added to each series.
    pub fn new(extra_labels: &[(String, String)]) -> Self {
        let mut labels = String::new();
        for (name, value) in extra_labels {
            push_label(&mut labels, name, value);
        }
        if !labels.is_empty() {
            labels.insert(0, ',');
        }
        Self {
            extra_labels: labels,
            families: Vec::new(),
            current: 0,
            now: None,
        }
    }

    /// Adds one sample of each series. Times must ascend. After the last one, `now` is `None`: a metric
    /// whose first call comes then must have its zeros written.
    pub fn sample(&mut self, target: &str, calls: &CallMetrics, now: Option<UnixSeconds>) {
        self.now = now;
        self.current = usize::MAX;
        let metrics = [TargetCallMetrics::new(target, calls)];
        families::call_metrics(&mut Recorder(self), &metrics);
    }

    /// Writes all samples. Leaves out metrics that are 0 all the time.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for family in &self.families {
            let mut metrics = family
                .metrics
                .iter()
                .filter(|(_, m)| !m.is_zero())
                .peekable();
            if metrics.peek().is_none() {
                continue;
            }
            let Family {
                name, kind, help, ..
            } = family;
            writeln!(out, "# HELP {name} {help}")?;
            writeln!(out, "# TYPE {name} {}", kind.name())?;
            for (labels, metric) in metrics {
                self.write_metric(out, name, labels, metric)?;
            }
        }
        writeln!(out, "# EOF")
    }

    fn write_metric(
        &self,
        out: &mut impl Write,
        name: &str,
        labels: &str,
        metric: &Metric,
    ) -> io::Result<()> {
        let extra = &self.extra_labels;
        let points = metric.values.chunks(metric.series.len().max(1));
        for (time, values) in metric.times.iter().zip(points) {
            for ((suffix, bound), value) in metric.series.iter().zip(values) {
                writeln!(
                    out,
                    "{name}{suffix}{{{labels}{extra}{bound}}} {value} {time}"
                )?;
            }
        }
        Ok(())
    }

    /// Adds the values of one set of labels: the suffix of each series, its bound and its value.
    fn push(&mut self, labels: &dyn Labels, points: &[(&'static str, Option<f64>, f64)]) {
        let mut text = String::new();
        labels.for_each(&mut |name, value| push_label(&mut text, name, value));
        let metrics = &mut self.families[self.current].metrics;
        let metric = metrics.entry(text).or_default();
        if metric.series.is_empty() {
            let series = points
                .iter()
                .map(|(suffix, bound, _)| (*suffix, bound.map(openmetrics_le).unwrap_or_default()));
            metric.series = series.collect();
        }
        let mut values = points.iter().map(|(.., value)| *value);
        match self.now {
            Some(now) => {
                metric.times.push(now);
                metric.values.extend(values);
            }
            None => metric.ends_above_zero = values.any(|value| value != 0.0),
        }
    }
}

impl Metric {
    fn is_zero(&self) -> bool {
        !self.ends_above_zero && self.values.iter().all(|value| *value == 0.0)
    }
}

struct Recorder<'a>(&'a mut History);

impl Writer for Recorder<'_> {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let name = family_name(name);
        let families = &mut self.0.families;
        let known = families.iter().position(|family| family.name == name);
        self.0.current = known.unwrap_or_else(|| {
            families.push(Family {
                name: name.to_owned(),
                kind,
                help: help.to_owned(),
                metrics: BTreeMap::new(),
            });
            families.len() - 1
        });
    }

    fn value(&mut self, labels: &dyn Labels, value: Value, _created: Option<f64>) {
        let suffix = match self.0.families[self.0.current].kind {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram | Kind::Summary => "",
        };
        self.0.push(labels, &[(suffix, None, value.as_f64())]);
    }

    fn observations(&mut self, labels: &dyn Labels, seen: Observations<'_>, _created: Option<f64>) {
        let bucket = |(bound, count)| ("_bucket", Some(bound), count as f64);
        let mut points: Vec<_> = seen.buckets.map(bucket).collect();
        points.push(("_count", None, seen.count as f64));
        points.push(("_sum", None, seen.sum));
        self.0.push(labels, &points);
    }

    /// Returns nothing, because [`History::write`] writes the samples.
    fn finish(self) -> io::Result<()> {
        Ok(())
    }
}
