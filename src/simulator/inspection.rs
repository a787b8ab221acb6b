//! The customer's business scenarios and quality rules, and what they find about a call.

use fastrand::Rng;
use serde::Serialize;

use super::call::{Call, VOICE};
use super::measures::Role;
use super::random::mix;
use super::spec::Spec;

/// What a rule checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[default]
    Dialogue,
    Silence,
    Speed,
    Interposal,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub kind: Kind,
    pub id: &'static str,
    name: &'static str,
    /// The name that it gets [`RENAMED_AFTER`].
    renamed: Option<&'static str>,
    /// Points that a violation costs.
    pub points: u8,
    /// Share of calls that violate it.
    pub(super) share: f64,
}

const fn rule(kind: Kind, id: &'static str, name: &'static str, points: u8, share: f64) -> Rule {
    Rule {
        kind,
        id,
        name,
        renamed: None,
        points,
        share,
    }
}

/// All rules. Two have the same name, and one is renamed.
pub const RULES: [Rule; 13] = {
    use Kind::{Dialogue, Interposal, Silence, Speed};
    [
        rule(Dialogue, "967510375224315901", "开场问候", 5, 0.06),
        rule(Dialogue, VIOLATED_RULE, "核实身份", 10, 0.05),
        rule(Dialogue, "967510375224315903", "结束语", 3, 0.12),
        rule(Dialogue, "967510375224315904", "结束语", 3, 0.08),
        rule(Dialogue, "967510375224315905", "禁用语", 20, 0.02),
        Rule {
            renamed: Some("Confirms the solution"),
            ..rule(Dialogue, "967510375224315906", "Sums up the call", 5, 0.1)
        },
        rule(Dialogue, "967510375224315907", "Offers a callback", 5, 0.15),
        rule(Silence, "966506182489411584", "长时间静默", 5, 0.07),
        rule(Silence, "966506182489411585", "Pause over 10 s", 3, 0.1),
        rule(Speed, "966506182489411586", "语速过快", 5, 0.08),
        rule(Speed, "966506182489411587", "Speaks too fast", 5, 0.06),
        rule(Interposal, "966506182489411588", "抢话", 5, 0.06),
        rule(Interposal, "966506182489411589", "Interrupts", 5, 0.05),
    ]
};

/// Stands for any number of further rules. Nobody violates it.
pub(super) const EXTRA_RULE: Rule = rule(Kind::Interposal, "", "", 0, 0.0);

/// The rule of dialogue that [`Scenario::rule_violated`](super::spec::Scenario) is about.
pub const VIOLATED_RULE: &str = "967510375224315902";
/// Seconds from the start of the world until a rule is renamed.
pub const RENAMED_AFTER: u32 = 6 * 3600;

impl Rule {
    pub fn name_at(&self, spec: &Spec, now: u32) -> &'static str {
        match self.renamed {
            Some(renamed) if now >= spec.start.saturating_add(RENAMED_AFTER) => renamed,
            _ => self.name,
        }
    }
}

/// What a call can be inspected for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BusinessScenario {
    pub id: &'static str,
    pub name: &'static str,
    /// Indices of its rules in [`RULES`].
    pub(super) rules: &'static [usize],
}

/// All business scenarios, with rules of each kind. They share some.
pub const SCENARIOS: [BusinessScenario; 4] = [
    BusinessScenario {
        id: "groupid_cbe2442c-471a-4da3-a43b-5ae67960b641",
        name: "售前咨询",
        rules: &[0, 2, 4, 7, 9, 11],
    },
    BusinessScenario {
        id: FALLING_SCENARIO,
        name: "售后服务",
        rules: &[0, 1, 3, 4, 7, 9, 11],
    },
    BusinessScenario {
        id: "groupid_cbe2442c-471a-4da3-a43b-5ae67960b643",
        name: "Complaints",
        rules: &[1, 5, 6, 8, 10, 12],
    },
    BusinessScenario {
        id: "groupid_cbe2442c-471a-4da3-a43b-5ae67960b644",
        name: "Renewals",
        rules: &[2, 3, 5, 8, 10, 12],
    },
];

/// The one that [`Scenario::scores_falling`](super::spec::Scenario) is about.
pub const FALLING_SCENARIO: &str = "groupid_cbe2442c-471a-4da3-a43b-5ae67960b642";

/// Share of calls that are inspected for no scenario, and for at most one.
const NO_SCENARIO: f64 = 0.05;
const ONE_SCENARIO: f64 = 0.75;
/// Share of results that a person reverses, and that a person reverses or confirms.
const REVERSED: f64 = 0.03;
const REVISED: f64 = 0.04;
/// Share of calls of which the vendor still has an earlier inspection.
const INSPECTED_BEFORE: f64 = 0.05;
/// Share of calls that violate the rule of [`Scenario::rule_violated`](super::spec::Scenario).
const VIOLATED_SHARE: f64 = 0.7;

/// The result for one business scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioOutcome {
    pub scenario: &'static BusinessScenario,
    /// 100 less the points of the violated rules, but not below 0.
    pub score: u8,
    pub rules: Vec<RuleOutcome>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleOutcome {
    pub rule: &'static Rule,
    /// The automatic result: true for kept.
    pub(super) valid: bool,
    /// A person's: -1 none, 0 violated, 1 kept.
    pub(super) revise: i8,
}

impl RuleOutcome {
    pub fn is_kept(&self) -> bool {
        match self.revise {
            0 => false,
            1 => true,
            _ => self.valid,
        }
    }
}

impl Call<'_> {
    /// The result, once the call has succeeded; it never changes.
    pub fn inspection(&self) -> Vec<ScenarioOutcome> {
        self.draw_inspection(self.hash(30))
    }

    /// The outdated result of an earlier inspection, if the vendor still has one.
    pub(super) fn earlier_inspection(&self) -> Option<Vec<ScenarioOutcome>> {
        let is_kept = Rng::with_seed(self.hash(31)).f64() < INSPECTED_BEFORE;
        is_kept.then(|| self.draw_inspection(self.hash(32)))
    }

    fn draw_inspection(&self, seed: u64) -> Vec<ScenarioOutcome> {
        let rng = &mut Rng::with_seed(seed);
        let (count, first) = (rng.f64(), rng.usize(0..SCENARIOS.len()));
        let other = (first + rng.usize(1..SCENARIOS.len())) % SCENARIOS.len();
        let scenarios = match count {
            count if count < NO_SCENARIO => &[][..],
            count if count < ONE_SCENARIO => &[first],
            _ => &[first, other],
        };
        let scenarios = scenarios.iter().map(|&index| &SCENARIOS[index]);
        scenarios
            .map(|scenario| {
                let rules = scenario.rules.iter();
                let rules = rules.filter_map(|&index| self.draw_rule(seed, scenario, index));
                let rules: Vec<RuleOutcome> = rules.collect();
                let violated = rules.iter().filter(|outcome| !outcome.is_kept());
                let cost: u32 = violated.map(|outcome| u32::from(outcome.rule.points)).sum();
                ScenarioOutcome {
                    scenario,
                    score: 100_u32.saturating_sub(cost) as u8,
                    rules,
                }
            })
            .collect()
    }

    /// The outcome of a rule, which depends on the rule alone and not on the scenario that it is
    /// checked for. `None` if the rule is about speech and there is none.
    fn draw_rule(
        &self,
        seed: u64,
        scenario: &BusinessScenario,
        index: usize,
    ) -> Option<RuleOutcome> {
        let rule = &RULES[index];
        if self.call_type() != VOICE && rule.kind != Kind::Dialogue {
            return None;
        }
        let rng = &mut Rng::with_seed(mix(seed, index as u64));
        let mut share = rule.share * self.team().map_or(1.0, |team| team.violations);
        match rule.kind {
            Kind::Speed => {
                let faster = self.staff_speed().unwrap_or(240.0) - 240.0;
                share *= (faster / 40.0).exp().clamp(0.1, 10.0);
            }
            Kind::Silence if self.scenario.long_silence => share *= 6.0,
            _ => {}
        }
        if self.scenario.scores_falling && scenario.id == FALLING_SCENARIO {
            share *= 6.0;
        }
        if self.scenario.rule_violated && rule.id == VIOLATED_RULE {
            share = VIOLATED_SHARE;
        }
        let valid = rng.f64() >= share;
        let revise = match rng.f64() {
            roll if roll < REVERSED => i8::from(!valid),
            roll if roll < REVISED => i8::from(valid),
            _ => -1,
        };
        Some(RuleOutcome {
            rule,
            valid,
            revise,
        })
    }

    /// Characters per minute, if they are known.
    fn staff_speed(&self) -> Option<f64> {
        let measures = self.measures();
        let mut channels = [measures.left, measures.right].into_iter();
        let staff = channels.find(|channel| channel.role == Some(Role::Staff))?;
        Some(staff.speed? as f64 / 1e6)
    }
}
