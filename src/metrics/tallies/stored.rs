//! Tallies as they are read from disk: those of this version, and those of the builds before
//! 0.1.0, whose metrics were divided differently.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Tallies, histogram};
use crate::metrics::catalog::{self, Metric};
use crate::metrics::histogram::Histogram;
use crate::model::{CallType, Manual, ManualKind, Outcome, Position, Role, Status};

/// Tallies as they were stored, not yet held against the calls beside them.
///
/// A build before 0.1.0 refuses what this one stores, because it finds no `manual` and no
/// `processing`: going back must not miscount.
#[derive(Deserialize)]
pub struct Stored {
    calls: Pairs<CallType, u64>,
    processed: Pairs<(CallType, Status), u64>,
    expired: Pairs<(CallType, Status), u64>,
    window: Pairs<(CallType, Position), u64>,
    duration: Pairs<CallType, Histogram>,
    silence: Pairs<Role, Histogram>,
    speed: Pairs<Role, Histogram>,
    ratio: Pairs<Role, Histogram>,
    missing: Option<Pairs<CallType, u64>>,
    #[serde(default)]
    unobserved: u64,
    manual_states: Option<Pairs<(ManualKind, CallType, u8), u64>>,
    outcomes: Option<Pairs<(CallType, Outcome), Histogram>>,
    listing_delay: Option<Histogram>,
    /// Before 0.1.0: manual states without the type of the call.
    manual: Option<Pairs<(ManualKind, u8), u64>>,
    /// Before 0.1.0: one histogram for each final status.
    processing: Option<Pairs<(CallType, Status), Histogram>>,
}

impl Stored {
    /// Whether a build before 0.1.0 has written them.
    pub fn is_older(&self) -> bool {
        self.outcomes.is_none()
    }

    /// The tallies, if they agree with the calls that were stored with them.
    ///
    /// No counter goes down. What an older build did not count begins with what can be told now.
    pub fn open(
        self,
        calls: impl Iterator<Item = (CallType, Position, Manual)>,
    ) -> Option<Tallies> {
        let is_older = self.is_older();
        let mut window = BTreeMap::new();
        let mut manual = BTreeMap::new();
        for (call_type, place, states) in calls {
            *window.entry((call_type, place)).or_default() += 1;
            for (kind, state) in ManualKind::ALL.into_iter().zip(states.0) {
                if let Some(state) = state {
                    *manual.entry((kind, call_type, state)).or_default() += 1;
                }
            }
        }
        let manual = match (self.manual_states, self.manual) {
            (Some(stored), _) => Some(stored.0).filter(|stored| same_counts(stored, &manual))?,
            (None, Some(stored)) if same_counts(&stored.0, &without_type(&manual)) => manual,
            (None, _) => return None,
        };
        if !same_counts(&self.window.0, &window) {
            return None;
        }
        let processing = match (self.outcomes, self.processing) {
            (Some(stored), _) => stored.0,
            (None, Some(stored)) => by_outcome(stored.0)?,
            (None, None) => return None,
        };
        let missing = self.missing.map_or_else(|| were_missing(&window), |m| m.0);
        let mut tallies = Tallies {
            calls: self.calls.0,
            processed: self.processed.0,
            expired: self.expired.0,
            missing,
            unobserved: self.unobserved,
            window: self.window.0,
            manual,
            duration: bucketed(self.duration.0, catalog::DURATION)?,
            processing: bucketed(processing, catalog::PROCESSING_TIME)?,
            silence: bucketed(self.silence.0, catalog::SILENCE)?,
            speed: bucketed(self.speed.0, catalog::SPEED)?,
            ratio: bucketed(self.ratio.0, catalog::RATIO)?,
            ..Tallies::default()
        };
        if let Some(mut stored) = self.listing_delay {
            if !stored.resume(catalog::LISTING_DELAY.bounds) {
                return None;
            }
            tallies.listing_delay = stored;
        }
        if is_older {
            drop_zeros(&mut tallies);
        }
        Some(tallies)
    }
}

/// Drops the zeros that older builds had from the start and this one has not.
fn drop_zeros(tallies: &mut Tallies) {
    let keep = |(call_type, status): &(CallType, Status), count: &mut u64| {
        *count > 0 || status.suits(*call_type)
    };
    tallies.processed.retain(keep);
    tallies.expired.retain(keep);
    tallies
        .window
        .retain(|(call_type, place), count| match place {
            Position::In(status) => keep(&(*call_type, *status), count),
            Position::Missing => true,
        });
    for by_role in [&mut tallies.silence, &mut tallies.speed, &mut tallies.ratio] {
        by_role.retain(|role, histogram| *role != Role::Unknown || histogram.count() > 0);
    }
}

/// A call that is missing now has been found to be so at least once.
fn were_missing(window: &BTreeMap<(CallType, Position), u64>) -> BTreeMap<CallType, u64> {
    let missing = window
        .iter()
        .filter(|((_, place), _)| *place == Position::Missing);
    missing.map(|((of, _), count)| (*of, *count)).collect()
}

fn without_type(
    manual: &BTreeMap<(ManualKind, CallType, u8), u64>,
) -> BTreeMap<(ManualKind, u8), u64> {
    let mut sums = BTreeMap::new();
    for ((kind, _, state), count) in manual {
        *sums.entry((*kind, *state)).or_default() += count;
    }
    sums
}

/// The histograms of all failures of a type together.
fn by_outcome(
    by_status: BTreeMap<(CallType, Status), Histogram>,
) -> Option<BTreeMap<(CallType, Outcome), Histogram>> {
    let mut merged = BTreeMap::new();
    for ((call_type, status), mut of_status) in by_status {
        if !of_status.resume(catalog::PROCESSING_TIME.bounds) {
            return None;
        }
        let class = (call_type, Outcome::of(status));
        histogram(&mut merged, class, catalog::PROCESSING_TIME).merge(&of_status);
    }
    Some(merged)
}

fn bucketed<K: Ord>(
    mut histograms: BTreeMap<K, Histogram>,
    metric: Metric,
) -> Option<BTreeMap<K, Histogram>> {
    let all = histograms.values_mut().all(|h| h.resume(metric.bounds));
    all.then_some(histograms)
}

/// Whether two gauges show the same; 0 and nothing are the same.
fn same_counts<K: Ord>(a: &BTreeMap<K, u64>, b: &BTreeMap<K, u64>) -> bool {
    let within = |a: &BTreeMap<K, u64>, b: &BTreeMap<K, u64>| {
        a.iter()
            .all(|(key, count)| *count == b.get(key).copied().unwrap_or_default())
    };
    within(a, b) && within(b, a)
}

/// A map whose keys are no strings, stored as a list of pairs.
struct Pairs<K, V>(BTreeMap<K, V>);

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for Pairs<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<(K, V)>::deserialize(deserializer).map(|pairs| Self(pairs.into_iter().collect()))
    }
}

/// Stores such a map.
pub(super) fn pairs<K: Serialize, V: Serialize, S: Serializer>(
    map: &BTreeMap<K, V>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map)
}
