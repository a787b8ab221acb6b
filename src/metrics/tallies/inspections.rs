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
    /// The name, with the id if another one had the same label when this was named. It stays while
    /// the name does: a series that went to another rule could go back. Empty until it is given.
    #[serde(default)]
    pub(in crate::metrics) label: String,
}

impl Name {
    fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            named_at: 0,
            label: String::new(),
        }
    }

    /// Whether it stands for one alone.
    fn is_own(&self) -> bool {
        !self.id.is_empty()
    }

    fn rename(&mut self, named: &Named, at: UnixSeconds) {
        if self.is_own() && at >= self.named_at {
            if self.name != named.name {
                named.name.clone_into(&mut self.name);
                self.label.clear();
            }
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

impl Rule {
    fn new(kind: RuleKind, name: Name) -> Self {
        Self {
            kind,
            name,
            kept: 0,
            violated: 0,
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
        let own = self.scenarios.iter().filter(|known| known.name.is_own());
        let has_room = own.count() < MAX_SCENARIOS;
        let has_id = |known: &Scenario, id: &str| known.name.id == id;
        let index = place(&mut self.scenarios, named, has_room, has_id, Scenario::new);
        self.scenarios[index].name.rename(named, at);
        index
    }

    fn count_rule(
        &mut self,
        scenario: usize,
        result: &ScenarioResult,
        RuleResult { kind, rule, kept }: &RuleResult,
        at: UnixSeconds,
    ) {
        let rules = self.scenarios.iter().flat_map(|scenario| &scenario.rules);
        let has_room = rules.filter(|known| known.name.is_own()).count() < self.max_rules;
        let rules = &mut self.scenarios[scenario].rules;
        let has_id = |known: &Rule, id: &str| known.kind == *kind && known.name.id == id;
        let index = place(rules, rule, has_room, has_id, |name| Rule::new(*kind, name));
        let counted = &mut rules[index];
        counted.name.rename(rule, at);
        if !counted.name.is_own() {
            self.folded.insert((&result.scenario.id, kind, &rule.id));
        }
        match kept {
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

/// Index of what counts under this name, which is added if it is new: under its own name if there is
/// room, or else the one that stands for many.
fn place<T>(
    all: &mut Vec<T>,
    named: &Named,
    has_room: bool,
    has_id: impl Fn(&T, &str) -> bool,
    new: impl FnOnce(Name) -> T,
) -> usize {
    let find = |id: &str| all.iter().position(|known| has_id(known, id));
    let other = || if has_room { None } else { find("") };
    find(&named.id).or_else(other).unwrap_or_else(|| {
        all.push(new(match has_room {
            true => Name::new(&named.id, &named.name),
            false => Name::new("", OTHER),
        }));
        all.len() - 1
    })
}

/// Gives labels to those that have none. The first one with a name gets it; the id tells the others
/// apart.
fn label_all<'a>(names: impl Iterator<Item = &'a mut Name>) {
    // What stands for many keeps its label.
    let mut taken = BTreeSet::from([OTHER.to_owned()]);
    let mut unlabelled = Vec::new();
    for name in names {
        // A file may hold the same label twice.
        if name.label.is_empty() || !taken.insert(name.label.clone()) {
            unlabelled.push(name);
        }
    }
    for name in unlabelled {
        let mut label = name.name.clone();
        if name.is_own() && taken.contains(&label) {
            label = format!("{} ({})", name.name, name.id);
        }
        // Only if a name looks like another one with its id.
        while name.is_own() && taken.contains(&label) {
            label.push('\'');
        }
        taken.insert(label.clone());
        name.label = label;
    }
}

#[cfg(test)]
mod tests;
