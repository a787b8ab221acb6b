//! What the automatic inspection found about one call.

use serde::{Deserialize, Serialize};

use super::{Measure, label_text};

/// The result of one call's inspection. Empty if the call was inspected for no scenario.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Inspection {
    /// Each scenario once, by id.
    pub scenarios: Vec<ScenarioResult>,
    /// Scenarios, rules and scores that cannot be used.
    pub rejected: u32,
}

/// The result for one of the customer's business scenarios.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScenarioResult {
    pub scenario: Named,
    /// Points, up to [`Self::MAX_SCORE`].
    pub score: Option<Measure>,
    /// Each rule once, by kind and id.
    pub rules: Vec<RuleResult>,
}

/// Whether a call kept one rule. A person's revision is applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleResult {
    pub kind: RuleKind,
    pub rule: Named,
    pub kept: bool,
}

/// A scenario or rule: the id stays, the name is the customer's words and may change. Neither is
/// empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Named {
    pub id: String,
    pub name: String,
}

/// What a rule checks. The names of the variants are the format on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum RuleKind {
    /// What is said.
    Dialogue,
    /// How long nobody speaks.
    Silence,
    /// How fast the agent speaks.
    Speed,
    /// Whether the agent talks over the customer.
    Interposal,
}

impl RuleKind {
    /// Every kind, in the order of the exposition.
    pub const ALL: [Self; 4] = [Self::Dialogue, Self::Silence, Self::Speed, Self::Interposal];

    /// The label `kind`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Dialogue => "dialogue",
            Self::Silence => "silence",
            Self::Speed => "speed",
            Self::Interposal => "interposal",
        }
    }
}

impl Inspection {
    /// Merges entries of the same scenario, which would count a call twice: a rule that one of them
    /// violates is violated, and the lowest score counts.
    pub fn new(mut scenarios: Vec<ScenarioResult>, rejected: u32) -> Self {
        scenarios.sort_by(|a, b| a.scenario.id.cmp(&b.scenario.id));
        scenarios.dedup_by(|later, first| {
            let is_same = later.scenario.id == first.scenario.id;
            if is_same {
                first.score = [first.score, later.score].into_iter().flatten().min();
                first.rules.append(&mut later.rules);
            }
            is_same
        });
        for scenario in &mut scenarios {
            // The violated entry of a rule first, so that it is the one that remains.
            (scenario.rules)
                .sort_by(|a, b| (a.kind, &a.rule.id, a.kept).cmp(&(b.kind, &b.rule.id, b.kept)));
            (scenario.rules).dedup_by(|a, b| (a.kind, &a.rule.id) == (b.kind, &b.rule.id));
        }
        Self {
            scenarios,
            rejected,
        }
    }
}

impl ScenarioResult {
    /// Highest possible score.
    pub const MAX_SCORE: Measure = Measure::from_integer(100);
}

impl RuleResult {
    /// Whether a rule is kept: a person's revision (0 violated, 1 kept) wins over the automatic
    /// result. `None` if neither says.
    pub fn verdict(valid: Option<bool>, revise: Option<i64>) -> Option<bool> {
        match revise {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => valid,
        }
    }
}

impl Named {
    /// Cleans both texts. Each replaces the other if that is empty; `None` if both are.
    pub fn new(id: &str, name: &str) -> Option<Self> {
        let (id, name) = (label_text(id), label_text(name));
        let or = |text: &str, other: &str| if text.is_empty() { other } else { text }.to_owned();
        let named = Self {
            id: or(&id, &name),
            name: or(&name, &id),
        };
        (!named.id.is_empty()).then_some(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, name: &str) -> Named {
        Named::new(id, name).unwrap()
    }

    fn rule(kind: RuleKind, id: &str, kept: bool) -> RuleResult {
        let rule = named(id, "");
        RuleResult { kind, rule, kept }
    }

    fn scenario(id: &str, score: Option<u32>, rules: Vec<RuleResult>) -> ScenarioResult {
        ScenarioResult {
            scenario: named(id, ""),
            score: score.map(Measure::from_integer),
            rules,
        }
    }

    #[test]
    fn names_lose_what_is_invisible() {
        let hidden = " \u{202e}no\u{200b} \u{ad}r\u{0}i\ng\u{feff}h\u{e0061}t\u{2029}\u{9} ";
        assert_eq!(named("7", hidden).name, "no right");
        assert_eq!(named("7", "语速规则 1（新）").name, "语速规则 1（新）");
        assert_eq!(named("\u{200d}7\u{7f}", "x").id, "7");
        assert_eq!(named("7", "x".repeat(99).as_str()).name.len(), 99);
        let long = format!("{} x", "规".repeat(99));
        assert_eq!(named("7", &long).name, "规".repeat(99));
        assert_eq!(named(&"规".repeat(101), "x").id.chars().count(), 100);
    }

    #[test]
    fn id_and_name_replace_each_other() {
        assert_eq!(named("7", " \u{200b}"), named("7", "7"));
        assert_eq!(named("", "greeting"), named("greeting", "greeting"));
        assert_eq!(Named::new(" ", "\u{202e}\n"), None);
    }

    #[test]
    fn a_revision_wins_over_the_automatic_result() {
        for (valid, revise, kept) in [
            (Some(true), Some(0), Some(false)),
            (Some(false), Some(1), Some(true)),
            (Some(false), Some(-1), Some(false)),
            (Some(true), Some(2), Some(true)),
            (Some(true), None, Some(true)),
            (None, Some(1), Some(true)),
            (None, Some(-1), None),
            (None, None, None),
        ] {
            assert_eq!(
                RuleResult::verdict(valid, revise),
                kept,
                "{valid:?} {revise:?}"
            );
        }
    }

    #[test]
    fn each_rule_counts_once_in_its_scenario() {
        use RuleKind::{Dialogue, Silence};
        let twice = vec![
            rule(Dialogue, "2", true),
            rule(Dialogue, "1", true),
            rule(Dialogue, "1", false),
            rule(Silence, "1", true),
            rule(Dialogue, "1", true),
        ];
        let other = vec![rule(Dialogue, "1", true)];
        let inspection = Inspection::new(
            vec![scenario("b", None, twice), scenario("a", None, other)],
            3,
        );
        let merged = vec![
            rule(Dialogue, "1", false),
            rule(Dialogue, "2", true),
            rule(Silence, "1", true),
        ];
        let expected = vec![
            scenario("a", None, vec![rule(Dialogue, "1", true)]),
            scenario("b", None, merged),
        ];
        assert_eq!(inspection.scenarios, expected);
        assert_eq!(inspection.rejected, 3);
    }

    #[test]
    fn entries_of_one_scenario_are_merged() {
        use RuleKind::Speed;
        let entries = vec![
            scenario("a", Some(90), vec![rule(Speed, "1", true)]),
            scenario("a", None, vec![rule(Speed, "2", true)]),
            scenario("a", Some(80), vec![rule(Speed, "1", false)]),
        ];
        let rules = vec![rule(Speed, "1", false), rule(Speed, "2", true)];
        assert_eq!(
            Inspection::new(entries, 0).scenarios,
            [scenario("a", Some(80), rules)]
        );
    }
}
