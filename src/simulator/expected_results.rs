//! The true scores and rules, for comparison with the metrics of an exporter.

use std::collections::BTreeMap;

use serde::Serialize;

use super::call::Call;
use super::quality::Kind;
use super::world::World;

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

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
                let empty = ExpectedRule {
                    kind: rule.kind,
                    name: "",
                    kept: 0,
                    violated: 0,
                };
                let expected = scenario.rules.entry(rule.id).or_insert(empty);
                expected.name = rule.name_at(call.spec, now);
                match found.is_kept() {
                    true => expected.kept += 1,
                    false => expected.violated += 1,
                }
            }
        }
    }
}

impl World {
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
