//! The same calls by team and by agent.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::folded::Folded;
use super::pairs;
use crate::metrics::catalog::{self, Metric};
use crate::metrics::histogram::Histogram;
use crate::model::{CallType, Event, Measure, Role, Status};

/// Label of calls that belong to no group.
const NONE: &str = "none";
/// Label of the groups for which there is no room.
pub(super) const OTHER: &str = "other";

/// Observations of one measure: a histogram, or only their number and sum.
pub trait Distribution: Clone + PartialEq + Serialize + DeserializeOwned {
    fn new(metric: Metric) -> Self;

    fn observe(&mut self, value: Measure);

    /// Number of observations, and their sum in billionths.
    fn total(&self) -> (u64, u128);

    /// The histogram, if it is one.
    fn histogram(&self) -> Option<&Histogram>;

    /// What is kept of a histogram.
    fn of(histogram: &Histogram) -> Self;

    /// Continues what is on disk. Returns `false` if it is not valid.
    fn resume(&mut self, metric: Metric) -> bool;
}

impl Distribution for Histogram {
    fn new(metric: Metric) -> Self {
        Self::new(metric.bounds)
    }

    fn observe(&mut self, value: Measure) {
        self.observe(value, None);
    }

    fn total(&self) -> (u64, u128) {
        (self.count(), self.sum_billionths)
    }

    fn histogram(&self) -> Option<&Histogram> {
        Some(self)
    }

    fn of(histogram: &Histogram) -> Self {
        histogram.clone()
    }

    fn resume(&mut self, metric: Metric) -> bool {
        self.resume(metric.bounds)
    }
}

/// Number and sum of observations: a summary without quantiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    count: u64,
    /// In billionths, like that of a histogram.
    sum_billionths: u128,
}

impl Distribution for Sum {
    fn new(_: Metric) -> Self {
        Self::default()
    }

    fn observe(&mut self, value: Measure) {
        self.count += 1;
        self.sum_billionths += u128::from(value.0);
    }

    fn total(&self) -> (u64, u128) {
        (self.count, self.sum_billionths)
    }

    fn histogram(&self) -> Option<&Histogram> {
        None
    }

    fn of(histogram: &Histogram) -> Self {
        let (count, sum_billionths) = histogram.total();
        Self {
            count,
            sum_billionths,
        }
    }

    fn resume(&mut self, _: Metric) -> bool {
        true
    }
}

/// The calls of one team or agent. Field names are the format on disk.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(bound = "D: Distribution")]
pub(in crate::metrics) struct Group<D> {
    #[serde(with = "pairs")]
    pub(in crate::metrics) processed: BTreeMap<(CallType, Status), u64>,
    #[serde(with = "pairs")]
    pub(in crate::metrics) duration: BTreeMap<CallType, D>,
    /// Of the agent, as the other two.
    pub(in crate::metrics) silence: D,
    pub(in crate::metrics) speed: D,
    pub(in crate::metrics) ratio: D,
}

impl<D: Distribution> Default for Group<D> {
    fn default() -> Self {
        Self {
            processed: BTreeMap::new(),
            duration: BTreeMap::new(),
            silence: D::new(catalog::SILENCE),
            speed: D::new(catalog::SPEED),
            ratio: D::new(catalog::RATIO),
        }
    }
}

impl<D: Distribution> Group<D> {
    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Processed {
                call_type, status, ..
            } => *self.processed.entry((call_type, status)).or_default() += 1,
            Event::Succeeded {
                call_type,
                measures,
            } => {
                let observe = |of: &mut D, value: Option<Measure>| {
                    value.into_iter().for_each(|value| of.observe(value));
                };
                let duration = self.duration.entry(call_type);
                let duration = duration.or_insert_with(|| D::new(catalog::DURATION));
                observe(duration, measures.duration);
                if call_type == CallType::VOICE {
                    let channels = measures.channels.into_iter();
                    for agent in channels.filter(|speech| speech.role == Role::Staff) {
                        observe(&mut self.silence, agent.silence);
                        observe(&mut self.speed, agent.speed);
                        observe(&mut self.ratio, agent.ratio);
                    }
                }
            }
            _ => {}
        }
    }

    /// Creates the series that the target has, at 0.
    fn create_series(&mut self, whole: &Self) {
        for key in whole.processed.keys() {
            self.processed.entry(*key).or_default();
        }
        for call_type in whole.duration.keys() {
            let duration = self.duration.entry(*call_type);
            duration.or_insert_with(|| D::new(catalog::DURATION));
        }
    }

    fn resume(&mut self) -> bool {
        (self.duration.values_mut()).all(|of| of.resume(catalog::DURATION))
            && self.silence.resume(catalog::SILENCE)
            && self.speed.resume(catalog::SPEED)
            && self.ratio.resume(catalog::RATIO)
    }
}

/// All groups of one kind, by label. Together they have exactly the calls of the target.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "D: Distribution", transparent)]
pub struct Groups<D> {
    by_label: BTreeMap<String, Group<D>>,
    /// Most groups with a label of their own, besides `none` and `other`.
    #[serde(skip)]
    max: usize,
    /// The groups that are counted under `other`, as far as they were seen since the start.
    #[serde(skip)]
    pub(super) folded: Folded,
}

impl<D: PartialEq> PartialEq for Groups<D> {
    fn eq(&self, other: &Self) -> bool {
        self.by_label == other.by_label
    }
}

impl<D: Distribution> Groups<D> {
    /// Groups of calls that have not been divided before: what is counted already has no group.
    pub(super) fn new(whole: Group<D>) -> Self {
        Self {
            by_label: BTreeMap::from([(NONE.to_owned(), whole)]),
            max: 0,
            folded: Folded::default(),
        }
    }

    /// Continues groups read from disk. `None` if they are not exactly the calls of the target.
    pub(super) fn resume(mut self, whole: &Group<D>) -> Option<Self> {
        let is_valid = self.by_label.values_mut().all(Group::resume);
        (is_valid && self.totals() == totals([whole])).then_some(self)
    }

    fn totals(&self) -> Totals {
        totals(self.by_label.values())
    }

    /// Changes the number of groups with a label of their own. Those that have one keep it.
    pub(super) fn limit(&mut self, max: usize) {
        self.max = max;
        self.folded.clear();
    }

    /// Creates the series of these groups at 0, and of `none` and `other`, as far as there is room.
    pub(super) fn create_series<'a>(
        &mut self,
        labels: impl Iterator<Item = &'a str>,
        whole: &Group<D>,
    ) {
        self.folded.clear();
        for label in labels.chain([NONE, OTHER]) {
            let label = self.admit(label).to_owned();
            self.by_label.entry(label).or_default();
        }
        self.complete(whole);
    }

    /// Creates the series that the target has in all groups, at 0.
    pub(super) fn complete(&mut self, whole: &Group<D>) {
        for group in self.by_label.values_mut() {
            group.create_series(whole);
        }
    }

    /// The label under which a group is counted.
    fn admit<'a>(&mut self, label: &'a str) -> &'a str {
        let is_reserved = |label: &str| label == NONE || label == OTHER;
        if is_reserved(label) || self.by_label.contains_key(label) {
            return label;
        }
        let own = self.by_label.keys().filter(|label| !is_reserved(label));
        if own.count() < self.max {
            return label;
        }
        self.folded.insert(label);
        OTHER
    }

    /// Counts an event of a call of this group.
    pub(super) fn apply(&mut self, event: &Event, label: &str) {
        let label = match label {
            "" => NONE,
            _ => self.admit(label),
        };
        match self.by_label.get_mut(label) {
            Some(group) => group.apply(event),
            None => {
                let group = self.by_label.entry(label.to_owned()).or_default();
                group.apply(event);
            }
        }
    }

    /// All groups, in the order of their labels.
    pub(in crate::metrics) fn iter(&self) -> impl Iterator<Item = (&str, &Group<D>)> {
        self.by_label
            .iter()
            .map(|(label, group)| (label.as_str(), group))
    }
}

/// Calls by type and status, then number and sum of each measure; without zeros.
type Totals = (BTreeMap<(CallType, Status), u64>, Vec<(u64, u128)>);

fn totals<'a, D: Distribution + 'a>(groups: impl IntoIterator<Item = &'a Group<D>>) -> Totals {
    let mut processed: BTreeMap<_, u64> = BTreeMap::new();
    let mut duration: BTreeMap<CallType, (u64, u128)> = BTreeMap::new();
    let mut of_agents = [(0, 0); 3];
    let add = |to: &mut (u64, u128), more: (u64, u128)| {
        // A damaged file must not overflow.
        to.0 = to.0.saturating_add(more.0);
        to.1 = to.1.saturating_add(more.1);
    };
    for group in groups {
        for (key, count) in &group.processed {
            let total = processed.entry(*key).or_default();
            *total = total.saturating_add(*count);
        }
        for (call_type, of) in &group.duration {
            add(duration.entry(*call_type).or_default(), of.total());
        }
        let measures = [&group.silence, &group.speed, &group.ratio];
        for (total, of) in of_agents.iter_mut().zip(measures) {
            add(total, of.total());
        }
    }
    processed.retain(|_, count| *count > 0);
    duration.retain(|_, total| *total != (0, 0));
    let measures = duration.into_values().chain(of_agents);
    (processed, measures.collect())
}

#[cfg(test)]
mod tests;
