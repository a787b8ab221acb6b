//! The counters, histograms and window gauges of one target: a fold over the ledger's events.

mod folded;
mod groups;
mod inspections;
mod pairs;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::catalog;
use super::histogram::{ExemplarSource, Histogram};
use crate::model::{
    CallType, Event, Inspection, ManualKind, Measure, Measures, Outcome, Position, ProcessingTime,
    Role, Status, Teams, UnixSeconds, label_text,
};
pub(super) use groups::{Distribution, Group};
pub use groups::{Groups, Sum};
pub use inspections::Inspections;
use inspections::Scenario;
pub use stored::StoredTallies;

/// Counters, histograms and window gauges of one target.
///
/// Serialised names are the format on disk; [`StoredTallies`] reads it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Tallies {
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) calls: BTreeMap<CallType, u64>,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) processed: BTreeMap<(CallType, Status), u64>,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) expired: BTreeMap<(CallType, Status), u64>,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) missing: BTreeMap<CallType, u64>,
    pub(super) unobserved: u64,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) window: BTreeMap<(CallType, Position), u64>,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) manual_states: BTreeMap<(ManualKind, CallType, u8), u64>,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) duration: BTreeMap<CallType, Histogram>,
    #[serde(rename = "outcomes", serialize_with = "pairs::serialize")]
    pub(super) processing: BTreeMap<(CallType, Outcome), Histogram>,
    pub(super) listing_delay: Histogram,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) silence: BTreeMap<Role, Histogram>,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) speed: BTreeMap<Role, Histogram>,
    #[serde(serialize_with = "pairs::serialize")]
    pub(super) ratio: BTreeMap<Role, Histogram>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) teams: Option<Groups<Histogram>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agents: Option<Groups<Sum>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inspections: Option<Inspections>,
    /// Who is in which team now. A counted call stays where it is.
    #[serde(skip)]
    team_of: Arc<Teams>,
    #[serde(skip)]
    exemplars_enabled: bool,
}

impl Default for Tallies {
    /// Nothing is counted; series that do not depend on the configuration exist at 0.
    fn default() -> Self {
        // The series of `role="unknown"` appear with the first call whose speaker the vendor does not
        // name. Starting them at 0 would add 45 series per target that stay at 0 for nearly everyone.
        // The cost: `rate()` misses the first such call.
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
            manual_states: BTreeMap::new(),
            duration: BTreeMap::new(),
            processing: BTreeMap::new(),
            listing_delay: Histogram::new(catalog::LISTING_DELAY.bounds),
            silence: by_role(catalog::SILENCE),
            speed: by_role(catalog::SPEED),
            ratio: by_role(catalog::RATIO),
            teams: None,
            agents: None,
            inspections: None,
            team_of: Arc::default(),
            exemplars_enabled: false,
        }
    }
}

impl Tallies {
    /// Creates the series of these types and statuses at 0: `rate()` would miss the first call of a
    /// series that starts with it. A status that does not apply to a type gets a series only if the
    /// vendor sends it.
    pub fn create_series(&mut self, call_types: &[CallType], statuses: &[Status]) {
        for call_type in call_types.iter().copied() {
            self.calls.entry(call_type).or_default();
            self.missing.entry(call_type).or_default();
            self.window
                .entry((call_type, Position::Missing))
                .or_default();
            histogram(&mut self.duration, call_type, catalog::DURATION);
            for outcome in Outcome::ALL {
                let key = (call_type, outcome);
                histogram(&mut self.processing, key, catalog::PROCESSING_TIME);
            }
            for kind in ManualKind::ALL {
                self.manual_states.entry((kind, call_type, 0)).or_default();
            }
            for status in statuses.iter().copied().filter(|s| s.applies_to(call_type)) {
                let key = (call_type, status);
                self.window
                    .entry((call_type, Position::In(status)))
                    .or_default();
                if status.is_final() {
                    self.processed.entry(key).or_default();
                } else {
                    self.expired.entry(key).or_default();
                }
            }
        }
    }

    /// Keeps an exemplar per bucket from now on.
    pub fn enable_exemplars(&mut self) {
        self.exemplars_enabled = true;
    }

    /// Counts by team, with at most this number of teams; `None` for not at all. What is counted already has no
    /// team, so that the teams together always have the calls of the target.
    pub fn count_by_team(&mut self, max_teams: Option<usize>) {
        let whole = self.as_group();
        let known = self.teams.take();
        self.teams = max_teams.map(|max| {
            let mut teams = known.unwrap_or_else(|| Groups::new(whole.clone()));
            teams.limit(max);
            teams.create_series(self.team_of.names(), &whole);
            teams
        });
    }

    /// Counts by agent, like [`Tallies::count_by_team`].
    pub fn count_by_agent(&mut self, max_agents: Option<usize>) {
        let known = self.agents.take();
        self.agents = max_agents.map(|max| {
            let mut agents = known.unwrap_or_else(|| Groups::new(self.as_group()));
            agents.limit(max);
            agents
        });
    }

    /// Counts scores and rules, with at most this number of rules; `None` for not at all. Returns whether
    /// it forgets what was counted.
    pub fn count_inspections(&mut self, max_rules: Option<usize>) -> bool {
        let known = self.inspections.take();
        let forgets = known.is_some() && max_rules.is_none();
        self.inspections = max_rules.map(|max| {
            let mut inspections = known.unwrap_or_default();
            inspections.limit(max);
            inspections
        });
        forgets
    }

    /// Counts what the inspection of a call found.
    pub fn count_inspection(&mut self, inspection: &Inspection, uploaded: UnixSeconds) {
        if let Some(inspections) = &mut self.inspections {
            inspections.count(inspection, uploaded);
        }
    }

    /// Changes who is in which team. Counted calls stay where they are.
    pub fn set_teams(&mut self, teams: Arc<Teams>) {
        self.team_of = teams;
        let whole = self.as_group();
        if let Some(teams) = &mut self.teams {
            teams.create_series(self.team_of.names(), &whole);
        }
    }

    /// How many are counted under `other`; `None` for what is not counted.
    pub fn folded(&self) -> FoldedCounts {
        let teams = self.teams.as_ref().map(|teams| teams.folded.len());
        let agents = self.agents.as_ref().map(|agents| agents.folded.len());
        let rules = self.inspections.as_ref().map(|rules| rules.folded.len());
        vec![
            (catalog::FOLDED_TEAMS, teams),
            (catalog::FOLDED_AGENTS, agents),
            (catalog::FOLDED_RULES, rules),
        ]
    }

    /// A group that holds all calls: what groups divide among them.
    fn as_group<D: Distribution>(&self) -> Group<D> {
        let of_agents = |by_role: &BTreeMap<Role, Histogram>, metric| {
            let staff = by_role.get(&Role::Staff);
            staff.map_or_else(|| D::new(metric), D::of)
        };
        let duration = self.duration.iter();
        Group {
            processed: self.processed.clone(),
            duration: duration.map(|(of, all)| (*of, D::of(all))).collect(),
            silence: of_agents(&self.silence, catalog::SILENCE),
            speed: of_agents(&self.speed, catalog::SPEED),
            ratio: of_agents(&self.ratio, catalog::RATIO),
        }
    }

    /// Counts an event. The source is the record that caused it, if one did; `staff_id` its agent.
    pub fn apply(&mut self, event: &Event, source: Option<ExemplarSource>, staff_id: Option<&str>) {
        let series = self.processed.len() + self.duration.len();
        if matches!(event, Event::Processed { .. } | Event::Succeeded { .. }) {
            let staff_id = staff_id.unwrap_or_default();
            if let Some(teams) = &mut self.teams {
                teams.apply(event, self.team_of.of(staff_id).unwrap_or_default());
            }
            if let Some(agents) = &mut self.agents {
                agents.apply(event, &label_text(staff_id));
            }
        }
        match *event {
            Event::Appeared { call_type, status } => {
                increase(&mut self.calls, call_type);
                increase(&mut self.window, (call_type, Position::In(status)));
            }
            Event::Returned { call_type, status } => {
                increase(&mut self.window, (call_type, Position::In(status)));
            }
            Event::Moved {
                call_type,
                from,
                to,
            } => {
                decrease(&mut self.window, (call_type, from));
                increase(&mut self.window, (call_type, to));
                if to == Position::Missing {
                    increase(&mut self.missing, call_type);
                }
            }
            Event::Processed {
                call_type,
                status,
                processing_time,
            } => {
                increase(&mut self.processed, (call_type, status));
                match processing_time {
                    ProcessingTime::Observed(seconds) => {
                        let source = self.exemplar_source(source);
                        let key = (call_type, Outcome::of(status));
                        histogram(&mut self.processing, key, catalog::PROCESSING_TIME)
                            .observe(Measure::from_integer(seconds), source);
                    }
                    ProcessingTime::FinalWhenFirstSeen => {}
                    ProcessingTime::NotObserved => self.unobserved += 1,
                }
            }
            Event::Succeeded {
                call_type,
                measures,
            } => self.observe_measures(call_type, &measures, source),
            Event::ManualStateChanged {
                call_type,
                kind,
                from,
                to,
            } => {
                if let Some(state) = from {
                    decrease(&mut self.manual_states, (kind, call_type, state));
                }
                if let Some(state) = to {
                    increase(&mut self.manual_states, (kind, call_type, state));
                }
            }
            Event::Forgotten {
                call_type,
                position,
                never_final,
            } => {
                decrease(&mut self.window, (call_type, position));
                if let Some(status) = never_final {
                    increase(&mut self.expired, (call_type, status));
                }
            }
        }
        // A type or a status that the vendor had not sent before.
        if self.processed.len() + self.duration.len() > series
            && let Some(mut teams) = self.teams.take()
        {
            teams.complete(&self.as_group());
            self.teams = Some(teams);
        }
    }

    /// Observes the time from the upload of a call until it was first seen in the list.
    pub fn observe_listing_delay(&mut self, seconds: UnixSeconds, source: Option<ExemplarSource>) {
        let source = self.exemplar_source(source);
        self.listing_delay
            .observe(Measure::from_integer(seconds), source);
    }

    /// The source, if exemplars are enabled and the vendor knows the call by this identity.
    fn exemplar_source(&self, source: Option<ExemplarSource>) -> Option<ExemplarSource> {
        source.filter(|source| self.exemplars_enabled && source.call.uuid().is_some())
    }

    fn observe_measures(
        &mut self,
        call_type: CallType,
        measures: &Measures,
        source: Option<ExemplarSource>,
    ) {
        let source = self.exemplar_source(source);
        if let Some(duration) = measures.duration {
            histogram(&mut self.duration, call_type, catalog::DURATION).observe(duration, source);
        }
        if call_type != CallType::VOICE {
            return;
        }
        for speech in measures.channels {
            for (histograms, metric, value) in [
                (&mut self.silence, catalog::SILENCE, speech.silence),
                (&mut self.speed, catalog::SPEED, speech.speed),
                (&mut self.ratio, catalog::RATIO, speech.ratio),
            ] {
                if let Some(value) = value {
                    histogram(histograms, speech.role, metric).observe(value, source);
                }
            }
        }
    }

    /// Call types that have series.
    pub fn call_types(&self) -> impl Iterator<Item = CallType> {
        self.calls.keys().copied()
    }

    pub(super) fn scenarios(&self) -> &[Scenario] {
        let inspections = self.inspections.as_ref();
        inspections.map_or(&[], |inspections| &inspections.scenarios)
    }

    /// Number of calls ever counted.
    pub fn total_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Number of calls in the lookback by type and position.
    pub fn window(&self) -> impl Iterator<Item = (CallType, Position, u64)> {
        self.window
            .iter()
            .map(|((call_type, position), count)| (*call_type, *position, *count))
    }
}

/// Numbers of teams, agents and rules that are counted under `other`, and the gauge of each.
pub type FoldedCounts = Vec<(catalog::Metric, Option<usize>)>;

/// Upload time of the oldest call by type and status that is not final.
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

fn increase<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    *counts.entry(key).or_default() += 1;
}

/// The ledger never removes a call from a position that it was not in. If it did, a gauge that is off
/// by one would be better than one that wraps.
fn decrease<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    match counts.get_mut(&key) {
        Some(count) if *count > 0 => *count -= 1,
        _ => debug_assert!(false, "a gauge went below zero"),
    }
}
