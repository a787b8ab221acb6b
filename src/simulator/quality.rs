//! The customer's business scenarios and quality rules.

use serde::Serialize;

use super::spec::Spec;

/// What a rule checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
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
