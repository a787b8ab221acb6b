//! The agents and their teams.

use super::random::mix;
use super::spec::Spec;

/// A team and what distinguishes its agents from the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Team {
    pub name: &'static str,
    /// Added to the mean speaking speed, characters per minute.
    pub(super) speed: f64,
    /// Added to the mean share of the call spent speaking.
    pub(super) ratio: f64,
    /// Times as many rules are violated.
    pub(super) violations: f64,
}

const fn team(name: &'static str, speed: f64, ratio: f64, violations: f64) -> Team {
    Team {
        name,
        speed,
        ratio,
        violations,
    }
}

/// All teams. On average they are like agents without one.
pub const TEAMS: [Team; 6] = [
    team("售后一组", 0.0, 0.02, 0.8),
    team("售后二组", 4.0, 0.0, 1.1),
    team("Billing", -16.0, 0.02, 0.6),
    team("Retention", 8.0, 0.04, 1.3),
    team("VIP", -18.0, 0.0, 0.5),
    team("夜班", 22.0, -0.08, 2.2),
];

/// One agent in this number belongs to no team.
const WITHOUT_TEAM: u64 = 16;

/// The number of the agent who took the call with this seed.
pub(super) fn agent_of(call: u64, spec: &Spec) -> u64 {
    mix(call, 9) % u64::from(spec.agents.max(1))
}

/// The team of an agent, if any.
pub(super) fn team_of(agent: u64, spec: &Spec) -> Option<&'static Team> {
    let draw = mix(mix(spec.seed, 20), agent);
    let index = (draw / WITHOUT_TEAM) % TEAMS.len() as u64;
    (!draw.is_multiple_of(WITHOUT_TEAM)).then(|| &TEAMS[index as usize])
}

/// An agent's id: 19 digits.
pub(super) fn staff_id(agent: u64) -> String {
    (1_600_226_440_112_000_000 + agent).to_string()
}

impl Spec {
    /// The teams as a file with the columns `staff_id` and `team`. Leaves out agents without one.
    pub fn teams_csv(&self) -> String {
        let mut csv = "staff_id,team\n".to_owned();
        for agent in 0..u64::from(self.agents.max(1)) {
            if let Some(team) = team_of(agent, self) {
                csv += &format!("{},{}\n", staff_id(agent), team.name);
            }
        }
        csv
    }
}
