//! The call metrics of one target: a fold over the ledger's events.

mod stored;

use std::collections::BTreeMap;

use serde::Serialize;

use super::catalog;
use super::histogram::{Histogram, Source};
use crate::model::{
    CallType, Event, ManualKind, Measure, Measures, Outcome, Position, Processing, Role, Status,
    UnixSeconds,
};
pub use stored::Stored;
use stored::pairs;

/// Counters, histograms and window gauges of one target. How they are stored, and read again, is
/// in [`Stored`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Tallies {
    #[serde(serialize_with = "pairs")]
    pub(super) calls: BTreeMap<CallType, u64>,
    #[serde(serialize_with = "pairs")]
    pub(super) processed: BTreeMap<(CallType, Status), u64>,
    #[serde(serialize_with = "pairs")]
    pub(super) expired: BTreeMap<(CallType, Status), u64>,
    #[serde(serialize_with = "pairs")]
    pub(super) missing: BTreeMap<CallType, u64>,
    pub(super) unobserved: u64,
    #[serde(serialize_with = "pairs")]
    pub(super) window: BTreeMap<(CallType, Position), u64>,
    #[serde(rename = "manual_states", serialize_with = "pairs")]
    pub(super) manual: BTreeMap<(ManualKind, CallType, u8), u64>,
    #[serde(serialize_with = "pairs")]
    pub(super) duration: BTreeMap<CallType, Histogram>,
    #[serde(rename = "outcomes", serialize_with = "pairs")]
    pub(super) processing: BTreeMap<(CallType, Outcome), Histogram>,
    pub(super) listing_delay: Histogram,
    #[serde(serialize_with = "pairs")]
    pub(super) silence: BTreeMap<Role, Histogram>,
    #[serde(serialize_with = "pairs")]
    pub(super) speed: BTreeMap<Role, Histogram>,
    #[serde(serialize_with = "pairs")]
    pub(super) ratio: BTreeMap<Role, Histogram>,
    /// Whether histograms keep examples.
    #[serde(skip)]
    exemplars: bool,
}

impl Default for Tallies {
    /// Nothing counted; the series that do not depend on the configuration are there.
    fn default() -> Self {
        // 45 series that stay at 0 where the vendor says who speaks: they begin with the first call.
        let by_role = |metric: catalog::Metric| {
            [Role::Customer, Role::Staff]
                .map(|role| (role, Histogram::new(metric.bounds)))
                .into()
        };
        Self {
            calls: BTreeMap::new(),
            processed: BTreeMap::new(),
            expired: BTreeMap::new(),
            missing: BTreeMap::new(),
            unobserved: 0,
            window: BTreeMap::new(),
            manual: BTreeMap::new(),
            duration: BTreeMap::new(),
            processing: BTreeMap::new(),
            listing_delay: Histogram::new(catalog::LISTING_DELAY.bounds),
            silence: by_role(catalog::SILENCE),
            speed: by_role(catalog::SPEED),
            ratio: by_role(catalog::RATIO),
            exemplars: false,
        }
    }
}

impl Tallies {
    /// Makes the series of these types and statuses be there from the start, at 0: a rate over a
    /// series that begins with its first call would not see that call. A status that a type cannot
    /// have gets its series if the vendor sends it all the same.
    pub fn expect(&mut self, call_types: &[CallType], statuses: &[Status]) {
        for call_type in call_types.iter().copied() {
            self.calls.entry(call_type).or_default();
            self.missing.entry(call_type).or_default();
            self.window
                .entry((call_type, Position::Missing))
                .or_default();
            histogram(&mut self.duration, call_type, catalog::DURATION);
            for outcome in Outcome::ALL {
                let class = (call_type, outcome);
                histogram(&mut self.processing, class, catalog::PROCESSING_TIME);
            }
            for kind in ManualKind::ALL {
                self.manual.entry((kind, call_type, 0)).or_default();
            }
            for status in statuses.iter().copied().filter(|s| s.suits(call_type)) {
                let class = (call_type, status);
                self.window
                    .entry((call_type, Position::In(status)))
                    .or_default();
                if status.is_final() {
                    self.processed.entry(class).or_default();
                } else {
                    self.expired.entry(class).or_default();
                }
            }
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
                    .entry((call_type, Position::In(status)))
                    .or_default() += 1;
            }
            Event::Returned { call_type, status } => {
                *self
                    .window
                    .entry((call_type, Position::In(status)))
                    .or_default() += 1;
            }
            Event::Moved {
                call_type,
                from,
                to,
            } => {
                decrease(&mut self.window, (call_type, from));
                *self.window.entry((call_type, to)).or_default() += 1;
                if to == Position::Missing {
                    *self.missing.entry(call_type).or_default() += 1;
                }
            }
            Event::Processed {
                call_type,
                status,
                processing,
            } => {
                *self.processed.entry((call_type, status)).or_default() += 1;
                match processing {
                    Processing::Took(seconds) => {
                        let source = self.example(source);
                        let class = (call_type, Outcome::of(status));
                        histogram(&mut self.processing, class, catalog::PROCESSING_TIME)
                            .observe(Measure::whole(seconds), source);
                    }
                    Processing::BeforeFirstSeen => {}
                    Processing::NotObserved => self.unobserved += 1,
                }
            }
            Event::Succeeded {
                call_type,
                measures,
            } => self.measure(call_type, &measures, source),
            Event::Manual {
                call_type,
                kind,
                from,
                to,
            } => {
                if let Some(state) = from {
                    decrease(&mut self.manual, (kind, call_type, state));
                }
                if let Some(state) = to {
                    *self.manual.entry((kind, call_type, state)).or_default() += 1;
                }
            }
            Event::Left {
                call_type,
                position,
                never_final,
            } => {
                decrease(&mut self.window, (call_type, position));
                if let Some(status) = never_final {
                    *self.expired.entry((call_type, status)).or_default() += 1;
                }
            }
        }
    }

    /// Observes how long after its upload a call was first seen in the list.
    pub fn observe_listing_delay(&mut self, seconds: UnixSeconds, source: Option<Source>) {
        let source = self.example(source);
        self.listing_delay.observe(Measure::whole(seconds), source);
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
            for (histograms, metric, value) in [
                (&mut self.silence, catalog::SILENCE, side.silence),
                (&mut self.speed, catalog::SPEED, side.speed),
                (&mut self.ratio, catalog::RATIO, side.ratio),
            ] {
                if let Some(value) = value {
                    histogram(histograms, side.role, metric).observe(value, source);
                }
            }
        }
    }

    /// Types of call that have series.
    pub fn call_types(&self) -> impl Iterator<Item = CallType> {
        self.calls.keys().copied()
    }

    /// Calls that were ever counted.
    pub fn counted(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Calls by type and position, for the status page.
    pub fn window(&self) -> impl Iterator<Item = (CallType, Position, u64)> {
        self.window
            .iter()
            .map(|((call_type, position), count)| (*call_type, *position, *count))
    }
}

/// Upload time of the oldest call of each type and status that is not final.
pub type OldestPending = Vec<(CallType, Status, UnixSeconds)>;

fn histogram<K: Ord>(
    histograms: &mut BTreeMap<K, Histogram>,
    key: K,
    metric: catalog::Metric,
) -> &mut Histogram {
    histograms
        .entry(key)
        .or_insert_with(|| Histogram::new(metric.bounds))
}

/// The ledger never takes a call out of a position where it did not put it; if it did, a gauge that
/// is off by one is better than one that has wrapped.
fn decrease<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    match counts.get_mut(&key) {
        Some(count) if *count > 0 => *count -= 1,
        _ => debug_assert!(false, "a gauge went below zero"),
    }
}
