//! What the automatic inspection found: scores by scenario, and kept and violated rules.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::folded::Folded;
use super::groups::OTHER;
use crate::metrics::catalog;
use crate::metrics::histogram::Histogram;
use crate::model::{Inspection, Named, RuleKind, RuleResult, ScenarioResult, UnixSeconds};

/// Scenarios with series of their own.
const MAX_SCENARIOS: usize = 50;

/// Scores and rules of one target. Field names are the format on disk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Inspections {
    /// In the order in which they were first seen.
    pub(super) scenarios: Vec<Scenario>,
    /// Most rules with series of their own.
    #[serde(skip)]
    max_rules: usize,
    /// The rules that are counted under `other`, as far as they were seen since the start.
    #[serde(skip)]
    pub(super) folded: Folded,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(in crate::metrics) struct Scenario {
    pub(in crate::metrics) name: Name,
    pub(in crate::metrics) score: Histogram,
    /// In the order in which they were first seen.
    pub(in crate::metrics) rules: Vec<Rule>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(in crate::metrics) struct Rule {
    pub(in crate::metrics) kind: RuleKind,
    pub(in crate::metrics) name: Name,
    pub(in crate::metrics) kept: u64,
    pub(in crate::metrics) violated: u64,
}

/// A scenario's or rule's identity and its current name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(in crate::metrics) struct Name {
    /// Empty for all those without a series of their own.
    id: String,
    name: String,
    /// Upload time of the call that the name comes from. Results do not arrive in order, and the
    /// newest name counts.
    named_at: UnixSeconds,
    /// The name, with the id if an earlier one has the same.
    #[serde(skip)]
    pub(in crate::metrics) label: String,
}

impl Name {
    fn new(named: &Named, at: UnixSeconds) -> Self {
        Self {
            id: named.id.clone(),
            name: named.name.clone(),
            named_at: at,
            label: String::new(),
        }
    }

    fn other() -> Self {
        Self {
            id: String::new(),
            name: OTHER.to_owned(),
            named_at: 0,
            label: String::new(),
        }
    }

    fn rename(&mut self, named: &Named, at: UnixSeconds) {
        if !self.id.is_empty() && at >= self.named_at {
            named.name.clone_into(&mut self.name);
            self.named_at = at;
        }
    }
}

impl Scenario {
    fn new(name: Name) -> Self {
        Self {
            name,
            score: Histogram::new(catalog::SCORE.bounds),
            rules: Vec::new(),
        }
    }
}

impl PartialEq for Inspections {
    fn eq(&self, other: &Self) -> bool {
        self.scenarios == other.scenarios
    }
}

impl Inspections {
    /// Changes the number of rules with series of their own. Those that have some keep them.
    pub(super) fn limit(&mut self, max_rules: usize) {
        self.max_rules = max_rules;
        self.folded.clear();
    }

    /// Continues what was read from disk; `None` if it is not valid.
    pub(super) fn resume(mut self) -> Option<Self> {
        let mut histograms = self
            .scenarios
            .iter_mut()
            .map(|scenario| &mut scenario.score);
        let are_valid = histograms.all(|score| score.resume(catalog::SCORE.bounds));
        self.label();
        (are_valid && self.has_unique_ids()).then_some(self)
    }

    fn has_unique_ids(&self) -> bool {
        let mut scenarios = HashSet::new();
        self.scenarios.iter().all(|scenario| {
            let mut rules = HashSet::new();
            let mut ids = scenario.rules.iter();
            scenarios.insert(&scenario.name.id)
                && ids.all(|rule| rules.insert((rule.kind, &rule.name.id)))
        })
    }

    /// Counts the inspection of a call uploaded at `uploaded`.
    pub(super) fn count(&mut self, inspection: &Inspection, uploaded: UnixSeconds) {
        for result in &inspection.scenarios {
            let scenario = self.scenario(&result.scenario, uploaded);
            if let Some(score) = result.score {
                self.scenarios[scenario].score.observe(score, None);
            }
            for rule in &result.rules {
                self.count_rule(scenario, result, rule, uploaded);
            }
        }
        self.label();
    }

    /// Index of a scenario, which is added if it is new.
    fn scenario(&mut self, named: &Named, at: UnixSeconds) -> usize {
        let find = |scenarios: &[Scenario], id: &str| {
            scenarios.iter().position(|known| known.name.id == id)
        };
        if let Some(known) = find(&self.scenarios, &named.id) {
            self.scenarios[known].name.rename(named, at);
            return known;
        }
        let own = self
            .scenarios
            .iter()
            .filter(|known| !known.name.id.is_empty());
        let name = if own.count() < MAX_SCENARIOS {
            Name::new(named, at)
        } else if let Some(other) = find(&self.scenarios, "") {
            return other;
        } else {
            Name::other()
        };
        self.scenarios.push(Scenario::new(name));
        self.scenarios.len() - 1
    }

    fn count_rule(
        &mut self,
        scenario: usize,
        result: &ScenarioResult,
        rule: &RuleResult,
        at: UnixSeconds,
    ) {
        let find = |rules: &[Rule], id: &str| {
            let mut rules = rules.iter();
            rules.position(|known| known.kind == rule.kind && known.name.id == id)
        };
        let rules = self.scenarios.iter().flat_map(|scenario| &scenario.rules);
        let own = rules.filter(|known| !known.name.id.is_empty()).count();
        let rules = &mut self.scenarios[scenario].rules;
        let known = match find(rules, &rule.rule.id) {
            Some(known) => {
                rules[known].name.rename(&rule.rule, at);
                Some(known)
            }
            None if own < self.max_rules => None,
            None => {
                self.folded
                    .insert((&result.scenario.id, rule.kind, &rule.rule.id));
                find(rules, "")
            }
        };
        let known = known.unwrap_or_else(|| {
            let name = match own < self.max_rules {
                true => Name::new(&rule.rule, at),
                false => Name::other(),
            };
            rules.push(Rule {
                kind: rule.kind,
                name,
                kept: 0,
                violated: 0,
            });
            rules.len() - 1
        });
        let counted = &mut rules[known];
        match rule.kept {
            true => counted.kept += 1,
            false => counted.violated += 1,
        }
    }

    /// Gives each scenario, and each rule of a kind in it, a label that no other has.
    fn label(&mut self) {
        label_all(self.scenarios.iter_mut().map(|scenario| &mut scenario.name));
        for scenario in &mut self.scenarios {
            for kind in RuleKind::ALL {
                let rules = scenario.rules.iter_mut();
                label_all(
                    rules
                        .filter(|rule| rule.kind == kind)
                        .map(|rule| &mut rule.name),
                );
            }
        }
    }
}

/// The first one with a name gets it as its label; the id tells the others apart.
fn label_all<'a>(names: impl Iterator<Item = &'a mut Name>) {
    // What stands for many keeps its label.
    let mut taken = BTreeSet::from([OTHER.to_owned()]);
    for name in names {
        let mut label = name.name.clone();
        if !name.id.is_empty() && taken.contains(&label) {
            label = format!("{} ({})", name.name, name.id);
        }
        // Only if a name looks like another one with its id.
        while !name.id.is_empty() && taken.contains(&label) {
            label.push('\'');
        }
        taken.insert(label.clone());
        name.label = label;
    }
}

#[cfg(test)]
mod tests;
