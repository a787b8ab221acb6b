//! Tallies read from disk: of this version, and of builds before 0.1.0, which had other labels.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::groups::{Groups, Sum};
use super::inspections::Inspections;
use super::pairs::Pairs;
use super::{Tallies, histogram};
use crate::metrics::catalog::{self, Metric};
use crate::metrics::histogram::Histogram;
use crate::model::{CallType, ManualKind, ManualStates, Outcome, Position, Role, Status};

/// Tallies as stored, not yet compared with the calls stored beside them.
///
/// A build before 0.1.0 refuses the files of this one, because it finds no `manual` and no
/// `processing`: a downgrade must not miscount.
#[derive(Deserialize)]
pub struct StoredTallies {
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
    teams: Option<Groups<Histogram>>,
    agents: Option<Groups<Sum>>,
    inspections: Option<Inspections>,
    /// Before 0.1.0: manual states without the call type.
    manual: Option<Pairs<(ManualKind, u8), u64>>,
    /// Before 0.1.0: one histogram per final status.
    processing: Option<Pairs<(CallType, Status), Histogram>>,
}

impl StoredTallies {
    /// Whether a build before 0.1.0 wrote them.
    pub fn is_legacy(&self) -> bool {
        self.outcomes.is_none()
    }

    /// Restores the tallies; `None` if they do not match the stored calls.
    ///
    /// No counter goes down. A metric that older builds did not have starts with what the calls show
    /// now.
    pub fn restore(
        self,
        calls: impl Iterator<Item = (CallType, Position, ManualStates)>,
    ) -> Option<Tallies> {
        let is_legacy = self.is_legacy();
        let mut window = BTreeMap::new();
        let mut manual_states = BTreeMap::new();
        for (call_type, position, states) in calls {
            *window.entry((call_type, position)).or_default() += 1;
            for (kind, state) in ManualKind::ALL.into_iter().zip(states.0) {
                if let Some(state) = state {
                    *manual_states.entry((kind, call_type, state)).or_default() += 1;
                }
            }
        }
        let manual_states = match (self.manual_states, self.manual) {
            (Some(stored), _) if same_counts(&stored.0, &manual_states) => stored.0,
            (None, Some(stored)) if same_counts(&stored.0, &sum_over_types(&manual_states)) => {
                manual_states
            }
            _ => return None,
        };
        if !same_counts(&self.window.0, &window) {
            return None;
        }
        let processing = match (self.outcomes, self.processing) {
            (Some(stored), _) => stored.0,
            (None, Some(stored)) => merge_by_outcome(stored.0)?,
            (None, None) => return None,
        };
        let missing = self.missing.map_or_else(|| count_missing(&window), |m| m.0);
        let mut tallies = Tallies {
            calls: self.calls.0,
            processed: self.processed.0,
            expired: self.expired.0,
            missing,
            unobserved: self.unobserved,
            window: self.window.0,
            manual_states,
            duration: resume_all(self.duration.0, catalog::DURATION)?,
            processing: resume_all(processing, catalog::PROCESSING_TIME)?,
            silence: resume_all(self.silence.0, catalog::SILENCE)?,
            speed: resume_all(self.speed.0, catalog::SPEED)?,
            ratio: resume_all(self.ratio.0, catalog::RATIO)?,
            ..Tallies::default()
        };
        if let Some(mut stored) = self.listing_delay {
            if !stored.resume(catalog::LISTING_DELAY.bounds) {
                return None;
            }
            tallies.listing_delay = stored;
        }
        if is_legacy {
            drop_zeros(&mut tallies);
        }
        if let Some(stored) = self.teams {
            tallies.teams = Some(stored.resume(&tallies.as_group())?);
        }
        if let Some(stored) = self.agents {
            tallies.agents = Some(stored.resume(&tallies.as_group())?);
        }
        if let Some(stored) = self.inspections {
            tallies.inspections = Some(stored.resume()?);
        }
        Some(tallies)
    }
}

/// Drops series at 0 that older builds created at the start and this one does not.
fn drop_zeros(tallies: &mut Tallies) {
    let keep = |(call_type, status): &(CallType, Status), count: &mut u64| {
        *count > 0 || status.applies_to(*call_type)
    };
    tallies.processed.retain(keep);
    tallies.expired.retain(keep);
    tallies
        .window
        .retain(|(call_type, position), count| match position {
            Position::In(status) => keep(&(*call_type, *status), count),
            Position::Missing => true,
        });
    for by_role in [&mut tallies.silence, &mut tallies.speed, &mut tallies.ratio] {
        by_role.retain(|role, histogram| *role != Role::Unknown || histogram.count() > 0);
    }
}

/// The calls that are missing now: each was found missing at least once.
fn count_missing(window: &BTreeMap<(CallType, Position), u64>) -> BTreeMap<CallType, u64> {
    let missing = window
        .iter()
        .filter(|((_, position), _)| *position == Position::Missing);
    missing
        .map(|((call_type, _), count)| (*call_type, *count))
        .collect()
}

fn sum_over_types(
    states: &BTreeMap<(ManualKind, CallType, u8), u64>,
) -> BTreeMap<(ManualKind, u8), u64> {
    let mut sums = BTreeMap::new();
    for ((kind, _, state), count) in states {
        *sums.entry((*kind, *state)).or_default() += count;
    }
    sums
}

/// Merges the histograms of all failed statuses of a type.
fn merge_by_outcome(
    by_status: BTreeMap<(CallType, Status), Histogram>,
) -> Option<BTreeMap<(CallType, Outcome), Histogram>> {
    let mut merged = BTreeMap::new();
    for ((call_type, status), mut stored) in by_status {
        if !stored.resume(catalog::PROCESSING_TIME.bounds) {
            return None;
        }
        let key = (call_type, Outcome::of(status));
        histogram(&mut merged, key, catalog::PROCESSING_TIME).merge(&stored);
    }
    Some(merged)
}

fn resume_all<K: Ord>(
    mut histograms: BTreeMap<K, Histogram>,
    metric: Metric,
) -> Option<BTreeMap<K, Histogram>> {
    let are_valid = histograms.values_mut().all(|h| h.resume(metric.bounds));
    are_valid.then_some(histograms)
}

/// Whether two gauges have the same values. A missing series equals 0.
fn same_counts<K: Ord>(a: &BTreeMap<K, u64>, b: &BTreeMap<K, u64>) -> bool {
    let within = |a: &BTreeMap<K, u64>, b: &BTreeMap<K, u64>| {
        a.iter()
            .all(|(key, count)| *count == b.get(key).copied().unwrap_or_default())
    };
    within(a, b) && within(b, a)
}
