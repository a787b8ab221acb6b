//! The ground truth and the true inspection results, to compare an exporter with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::call::{Call, VOICE};
use super::inspection::Kind;
use super::measures::{Channel, Millionths, Role};
use super::world::World;

pub type ByType = BTreeMap<u8, u64>;
pub type ByStatus = BTreeMap<u8, BTreeMap<u16, u64>>;

/// An exact sum of measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub count: u64,
    /// In millionths of the measure's unit.
    pub millionths: u128,
}

impl Sum {
    fn add(&mut self, value: Option<Millionths>) {
        if let Some(value) = value {
            self.count += 1;
            self.millionths += u128::from(value);
        }
    }
}

/// The state of a window at a time. "Ever listed" means at some time until then. The history of a
/// deleted call ends with its deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// First upload time of the window, Unix seconds.
    pub from: u32,
    /// End of the window and time of this state, Unix seconds.
    pub now: u32,
    /// Calls ever listed.
    pub calls: ByType,
    /// Those of `calls` that have been deleted.
    pub deleted: ByType,
    /// Calls ever listed that reached a final status, by the first one.
    pub first_final: ByStatus,
    /// Calls ever listed that did not, by their last status.
    pub never_final: ByStatus,
    /// Calls listed now, by current status.
    pub current: ByStatus,
    /// Calls listed now with a manual state above -1, by kind and state.
    #[serde(skip_deserializing)]
    pub manual: BTreeMap<&'static str, BTreeMap<i8, u64>>,
    /// Duration in seconds of calls that succeeded while listed.
    pub duration: BTreeMap<u8, Sum>,
    /// Silence in seconds of voice calls that succeeded while listed.
    pub silence: BTreeMap<Role, Sum>,
    /// Speaking speed in characters per minute of the same calls.
    pub speed: BTreeMap<Role, Sum>,
    /// Share of the call spent speaking, of the same calls.
    pub ratio: BTreeMap<Role, Sum>,
}

impl Expected {
    fn add(&mut self, call: &Call<'_>, now: u32) {
        let kind = call.call_type();
        if call.visible_at() > now {
            return;
        }
        *self.calls.entry(kind).or_default() += 1;
        if call.is_visible(now) {
            count(&mut self.current, kind, call.status_at(now));
            for (name, state) in call.manual_at(now) {
                if state >= 0 {
                    let states = self.manual.entry(name).or_default();
                    *states.entry(state).or_default() += 1;
                }
            }
        } else {
            *self.deleted.entry(kind).or_default() += 1;
        }
        let last = call.last_listed(now);
        match call.first_final(last) {
            Some((_, status)) => count(&mut self.first_final, kind, status),
            None => count(&mut self.never_final, kind, call.status_at(last)),
        }
        if call.first_success(last).is_some() {
            let measures = call.measures();
            self.duration
                .entry(kind)
                .or_default()
                .add(measures.duration);
            if kind == VOICE {
                self.add_channel(&measures.left);
                self.add_channel(&measures.right);
            }
        }
    }

    fn add_channel(&mut self, channel: &Channel) {
        let role = channel.role.unwrap_or(Role::Unknown);
        self.silence.entry(role).or_default().add(channel.silence);
        self.speed.entry(role).or_default().add(channel.speed);
        self.ratio.entry(role).or_default().add(channel.ratio);
    }
}

fn count(counts: &mut ByStatus, kind: u8, status: u16) {
    *counts.entry(kind).or_default().entry(status).or_default() += 1;
}

/// The inspection results of a set of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExpectedResults {
    /// Calls with a result.
    pub calls: u64,
    /// Those of `calls` that were inspected for no scenario.
    pub empty: u64,
    /// By the id of the business scenario.
    pub scenarios: BTreeMap<&'static str, ExpectedScenario>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExpectedScenario {
    pub name: &'static str,
    /// Calls by score.
    pub scores: BTreeMap<u8, u64>,
    /// By id.
    pub rules: BTreeMap<&'static str, ExpectedRule>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExpectedRule {
    pub kind: Kind,
    /// The latest.
    pub name: &'static str,
    pub kept: u64,
    pub violated: u64,
}

impl ExpectedResults {
    /// Adds the result of a call that has succeeded. `now` determines the names.
    pub fn add(&mut self, call: &Call<'_>, now: u32) {
        let outcomes = call.inspection();
        self.calls += 1;
        self.empty += u64::from(outcomes.is_empty());
        for outcome in outcomes {
            let scenario = self.scenarios.entry(outcome.scenario.id).or_default();
            scenario.name = outcome.scenario.name;
            *scenario.scores.entry(outcome.score).or_default() += 1;
            for found in &outcome.rules {
                let rule = found.rule;
                let expected = scenario.rules.entry(rule.id).or_default();
                (expected.kind, expected.name) = (rule.kind, rule.name_at(call.spec, now));
                match found.is_kept() {
                    true => expected.kept += 1,
                    false => expected.violated += 1,
                }
            }
        }
    }
}

impl World {
    /// The truth at `now` about calls uploaded from `from` to `now`, both inclusive.
    pub fn truth(&mut self, from: u32, now: u32) -> Expected {
        let mut truth = Expected {
            from,
            now,
            ..Expected::default()
        };
        for call in self.calls(from, now, now) {
            truth.add(&call, now);
        }
        truth
    }

    /// The results at `now` of the calls uploaded from `from` to `now`, both inclusive, that
    /// succeeded while they were listed. Faults of the API do not change them.
    pub fn results(&mut self, from: u32, now: u32) -> ExpectedResults {
        let mut results = ExpectedResults::default();
        for call in self.calls(from, now, now) {
            if call.visible_at() <= now && call.first_success(call.last_listed(now)).is_some() {
                results.add(&call, now);
            }
        }
        results
    }
}
