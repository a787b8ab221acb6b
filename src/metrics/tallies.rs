//! The call metrics of one target: a fold over the ledger's events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalog;
use super::histogram::{Histogram, Source};
use crate::model::{
    CallType, Event, Manual, ManualKind, Measure, Measures, Place, Role, Status, UnixSeconds,
};

/// Counters, histograms and window gauges of one target.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Tallies {
    #[serde(with = "pairs")]
    pub(super) calls: BTreeMap<CallType, u64>,
    #[serde(with = "pairs")]
    pub(super) processed: BTreeMap<(CallType, Status), u64>,
    #[serde(with = "pairs")]
    pub(super) expired: BTreeMap<(CallType, Status), u64>,
    #[serde(with = "pairs")]
    pub(super) window: BTreeMap<(CallType, Place), u64>,
    #[serde(with = "pairs")]
    pub(super) manual: BTreeMap<(ManualKind, u8), u64>,
    #[serde(with = "pairs")]
    pub(super) duration: BTreeMap<CallType, Histogram>,
    #[serde(with = "pairs")]
    pub(super) processing: BTreeMap<(CallType, Status), Histogram>,
    #[serde(with = "pairs")]
    pub(super) silence: BTreeMap<Role, Histogram>,
    #[serde(with = "pairs")]
    pub(super) speed: BTreeMap<Role, Histogram>,
    #[serde(with = "pairs")]
    pub(super) ratio: BTreeMap<Role, Histogram>,
    /// Whether histograms keep examples.
    #[serde(skip)]
    exemplars: bool,
}

impl Default for Tallies {
    /// Nothing counted; the series that do not depend on the configuration are there.
    fn default() -> Self {
        let by_role = |metric: catalog::Metric| {
            Role::ALL
                .map(|role| (role, Histogram::new(metric.bounds)))
                .into()
        };
        Self {
            calls: BTreeMap::new(),
            processed: BTreeMap::new(),
            expired: BTreeMap::new(),
            window: BTreeMap::new(),
            manual: BTreeMap::new(),
            duration: BTreeMap::new(),
            processing: BTreeMap::new(),
            silence: by_role(catalog::SILENCE),
            speed: by_role(catalog::SPEED),
            ratio: by_role(catalog::RATIO),
            exemplars: false,
        }
    }
}

impl Tallies {
    /// Makes the series of these types and statuses be there from the start, at 0: a rate over a
    /// series that begins with its first call would not see that call.
    pub fn expect(&mut self, call_types: &[CallType], statuses: &[Status]) {
        for call_type in call_types.iter().copied() {
            self.calls.entry(call_type).or_default();
            self.window.entry((call_type, Place::Missing)).or_default();
            histogram(&mut self.duration, call_type, catalog::DURATION);
            for status in statuses.iter().copied() {
                let class = (call_type, status);
                self.window
                    .entry((call_type, Place::In(status)))
                    .or_default();
                if status.is_final() {
                    self.processed.entry(class).or_default();
                    histogram(&mut self.processing, class, catalog::PROCESSING_TIME);
                } else {
                    self.expired.entry(class).or_default();
                }
            }
        }
        for kind in ManualKind::ALL {
            self.manual.entry((kind, 0)).or_default();
        }
    }

    /// Makes the histograms keep examples of what they count from now on.
    pub fn keep_exemplars(&mut self) {
        self.exemplars = true;
    }

    /// Counts what happened, and where that was seen, if it was in a record.
    pub fn apply(&mut self, event: &Event, source: Option<Source>) {
        match *event {
            Event::Appeared { call_type, status } => {
                *self.calls.entry(call_type).or_default() += 1;
                *self
                    .window
                    .entry((call_type, Place::In(status)))
                    .or_default() += 1;
            }
            Event::Returned { call_type, status } => {
                *self
                    .window
                    .entry((call_type, Place::In(status)))
                    .or_default() += 1;
            }
            Event::Moved {
                call_type,
                from,
                to,
            } => {
                decrease(&mut self.window, (call_type, from));
                *self.window.entry((call_type, to)).or_default() += 1;
            }
            Event::Processed {
                call_type,
                status,
                after,
            } => {
                let class = (call_type, status);
                *self.processed.entry(class).or_default() += 1;
                if let Some(seconds) = after {
                    let source = self.example(source);
                    histogram(&mut self.processing, class, catalog::PROCESSING_TIME)
                        .observe(Measure::whole(seconds), source);
                }
            }
            Event::Succeeded {
                call_type,
                measures,
            } => self.measure(call_type, &measures, source),
            Event::Manual { kind, from, to } => {
                if let Some(state) = from {
                    decrease(&mut self.manual, (kind, state));
                }
                if let Some(state) = to {
                    *self.manual.entry((kind, state)).or_default() += 1;
                }
            }
            Event::Left {
                call_type,
                place,
                never_final,
            } => {
                decrease(&mut self.window, (call_type, place));
                if let Some(status) = never_final {
                    *self.expired.entry((call_type, status)).or_default() += 1;
                }
            }
        }
    }

    /// Where an example is from. A call without an identity that the vendor would know is none.
    fn example(&self, source: Option<Source>) -> Option<Source> {
        source.filter(|source| self.exemplars && source.call.uuid().is_some())
    }

    fn measure(&mut self, call_type: CallType, measures: &Measures, source: Option<Source>) {
        let source = self.example(source);
        if let Some(duration) = measures.duration {
            histogram(&mut self.duration, call_type, catalog::DURATION).observe(duration, source);
        }
        if call_type != CallType::VOICE {
            return;
        }
        for side in measures.channels {
            for (histograms, value) in [
                (&mut self.silence, side.silence),
                (&mut self.speed, side.speed),
                (&mut self.ratio, side.ratio),
            ] {
                if let (Some(histogram), Some(value)) = (histograms.get_mut(&side.role), value) {
                    histogram.observe(value, source);
                }
            }
        }
    }

    /// Whether tallies that were kept are of this version's metrics, and agree with the calls that
    /// were kept with them.
    pub fn fits(&mut self, calls: impl Iterator<Item = (CallType, Place, Manual)>) -> bool {
        let mut window = BTreeMap::new();
        let mut manual = BTreeMap::new();
        for (call_type, place, states) in calls {
            *window.entry((call_type, place)).or_default() += 1;
            for (kind, state) in ManualKind::ALL.into_iter().zip(states.0) {
                if let Some(state) = state {
                    *manual.entry((kind, state)).or_default() += 1;
                }
            }
        }
        same_counts(&self.window, &window)
            && same_counts(&self.manual, &manual)
            && self
                .duration
                .values_mut()
                .all(|h| h.go_on(catalog::DURATION.bounds))
            && self
                .processing
                .values_mut()
                .all(|h| h.go_on(catalog::PROCESSING_TIME.bounds))
            && self
                .silence
                .values_mut()
                .all(|h| h.go_on(catalog::SILENCE.bounds))
            && self
                .speed
                .values_mut()
                .all(|h| h.go_on(catalog::SPEED.bounds))
            && self
                .ratio
                .values_mut()
                .all(|h| h.go_on(catalog::RATIO.bounds))
    }

    /// Calls that were ever counted.
    pub fn counted(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Calls by type and place, for the status page.
    pub fn window(&self) -> impl Iterator<Item = (CallType, Place, u64)> {
        self.window
            .iter()
            .map(|((call_type, place), count)| (*call_type, *place, *count))
    }
}

/// Upload time of the oldest call of each type and status that is not final.
pub type OldestPending = Vec<(CallType, Status, UnixSeconds)>;

/// Whether two gauges show the same; 0 and nothing are the same.
fn same_counts<K: Ord>(a: &BTreeMap<K, u64>, b: &BTreeMap<K, u64>) -> bool {
    let within = |a: &BTreeMap<K, u64>, b: &BTreeMap<K, u64>| {
        a.iter()
            .all(|(key, count)| *count == b.get(key).copied().unwrap_or_default())
    };
    within(a, b) && within(b, a)
}

/// Maps whose keys are no strings, as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Vec::<(K, V)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}

fn histogram<K: Ord>(
    histograms: &mut BTreeMap<K, Histogram>,
    key: K,
    metric: catalog::Metric,
) -> &mut Histogram {
    histograms
        .entry(key)
        .or_insert_with(|| Histogram::new(metric.bounds))
}

/// The ledger never takes a call out of a place where it did not put it; if it did, a gauge that
/// is off by one is better than one that has wrapped.
fn decrease<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    match counts.get_mut(&key) {
        Some(count) if *count > 0 => *count -= 1,
        _ => debug_assert!(false, "a gauge went below zero"),
    }
}
