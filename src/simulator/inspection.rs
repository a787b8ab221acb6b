//! What the automatic inspection finds about a call.

use fastrand::Rng;

use super::call::{Call, VOICE};
use super::measures::Role;
use super::quality::{
    BusinessScenario, FALLING_SCENARIO, Kind, RULES, Rule, SCENARIOS, VIOLATED_RULE,
};
use super::random::mix;

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
