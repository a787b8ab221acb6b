//! Teams, rules and scores of the contact centre.

use std::collections::{BTreeMap, BTreeSet};

use super::super::expected::ExpectedRule;
use super::super::inspection::{FALLING_SCENARIO, Kind, RENAMED_AFTER, SCENARIOS, VIOLATED_RULE};
use super::super::measures::{Channel, Role};
use super::super::spec::{Scenario, Spec};
use super::super::teams::TEAMS;
use super::super::world::World;
use super::{DAY, START, eventful};

#[test]
fn results_have_a_plausible_shape() {
    let mut world = World::new(eventful());
    let end = START + 5 * DAY;
    let truth = world.results(START, end);
    assert!(truth.calls > 15_000);
    let share = truth.empty as f64 / truth.calls as f64;
    assert!((0.04..0.06).contains(&share), "{share}");
    assert_eq!(truth.scenarios.len(), SCENARIOS.len());
    let scored: u64 = truth
        .scenarios
        .values()
        .flat_map(|scenario| scenario.scores.values())
        .sum();
    assert!(
        scored > truth.calls + truth.calls / 10,
        "some have two scenarios"
    );
    for scenario in truth.scenarios.values() {
        let kinds: BTreeSet<Kind> = scenario.rules.values().map(|rule| rule.kind).collect();
        assert_eq!(kinds.len(), 4, "{}", scenario.name);
        for rule in scenario.rules.values() {
            let share = rule.violated as f64 / (rule.kept + rule.violated) as f64;
            assert!((0.005..0.4).contains(&share), "{} {share}", rule.name);
        }
    }
    let mut earlier = 0;
    for call in world.calls(START, end, end) {
        for outcome in call.inspection() {
            let violated = outcome.rules.iter().filter(|rule| !rule.is_kept());
            let cost: u32 = violated.map(|rule| u32::from(rule.rule.points)).sum();
            assert_eq!(u32::from(outcome.score), 100 - cost.min(100));
        }
        earlier += usize::from(call.earlier_inspection().is_some());
    }
    assert!(earlier > 500, "{earlier}");
}

#[test]
fn two_rules_share_a_name_and_one_is_renamed() {
    let mut world = World::new(eventful());
    let names = |world: &mut World, now| -> Vec<&str> {
        let results = world.results(START, now);
        let rules = results
            .scenarios
            .into_values()
            .flat_map(|scenario| scenario.rules);
        let names: BTreeMap<_, _> = rules.map(|(id, rule)| (id, rule.name)).collect();
        names.into_values().collect()
    };
    let before = names(&mut world, START + RENAMED_AFTER - 1);
    let after = names(&mut world, START + RENAMED_AFTER);
    assert_eq!(before.iter().filter(|name| **name == "结束语").count(), 2);
    assert!(before.contains(&"Sums up the call") && !after.contains(&"Sums up the call"));
    assert!(after.contains(&"Confirms the solution"));
}

#[test]
fn an_incident_violates_a_rule_or_lowers_scores_and_changes_nothing_else() {
    let end = START + DAY;
    let under = |scenario: Scenario| {
        let mut world = World::new(eventful());
        world.set_scenario(scenario, START);
        world
    };
    let mut normal = under(Scenario::default());
    let mut forgotten = under(Scenario {
        rule_violated: true,
        ..Scenario::default()
    });
    let mut falling = under(Scenario {
        scores_falling: true,
        ..Scenario::default()
    });
    let truth = normal.truth(START + 1, end);
    assert_eq!(forgotten.truth(START + 1, end), truth);
    assert_eq!(falling.truth(START + 1, end), truth);

    let results = |world: &mut World| world.results(START + 1, end);
    let share = |rule: &ExpectedRule| rule.violated as f64 / (rule.kept + rule.violated) as f64;
    let before = results(&mut normal);
    for (id, scenario) in results(&mut forgotten).scenarios {
        for (rule, after) in scenario.rules {
            let before = share(&before.scenarios[id].rules[rule]);
            match rule == VIOLATED_RULE {
                true => assert!(share(&after) > 0.6 && before < 0.2, "{}", share(&after)),
                false => assert!((share(&after) - before).abs() < 1e-9, "{}", after.name),
            }
        }
    }
    let mean = |scores: &BTreeMap<u8, u64>| {
        let sum: u64 = scores
            .iter()
            .map(|(score, calls)| u64::from(*score) * calls)
            .sum();
        sum as f64 / scores.values().sum::<u64>() as f64
    };
    for (id, scenario) in results(&mut falling).scenarios {
        let change = mean(&before.scenarios[id].scores) - mean(&scenario.scores);
        match id == FALLING_SCENARIO {
            true => assert!(change > 8.0, "{change}"),
            false => assert!(change.abs() < 1e-9, "{change}"),
        }
    }
}

#[test]
fn teams_differ_and_some_agents_have_none() {
    let spec = Spec {
        null_share: 0.0,
        text_share: 0.0,
        ..eventful()
    };
    let csv = spec.teams_csv();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("staff_id,team"));
    let teams: BTreeMap<&str, &str> = lines.map(|line| line.split_once(',').unwrap()).collect();
    let distinct: BTreeSet<&&str> = teams.values().collect();
    assert_eq!(distinct.len(), TEAMS.len());
    let without = spec.agents as usize - teams.len();
    assert!((1..=10).contains(&without), "{without}");

    let mut world = World::new(spec);
    let (mut speeds, mut violations) = (BTreeMap::new(), BTreeMap::new());
    let end = START + 5 * DAY;
    for call in world.calls(START, end, end) {
        let team = teams.get(&*call.staff_id()).copied();
        assert_eq!(call.team().map(|team| team.name), team);
        let measures = call.measures();
        let is_staff = |channel: &&Channel| channel.role == Some(Role::Staff);
        let channels = [measures.left, measures.right];
        let speed = channels.iter().find(is_staff).unwrap().speed.unwrap();
        let (sum, calls) = speeds.entry(team).or_insert((0.0, 0.0));
        (*sum, *calls) = (*sum + speed as f64 / 1e6, *calls + 1.0);
        let rules = call
            .inspection()
            .into_iter()
            .flat_map(|outcome| outcome.rules);
        let (violated, rated) = violations.entry(team).or_insert((0.0, 0.0));
        for rule in rules {
            (*violated, *rated) = (
                *violated + f64::from(u8::from(!rule.is_kept())),
                *rated + 1.0,
            );
        }
    }
    let mean = |sums: &BTreeMap<Option<&str>, (f64, f64)>, team| {
        let (sum, count) = sums[&Some(team)];
        sum / count
    };
    assert!(mean(&speeds, "夜班") > mean(&speeds, "Billing") + 30.0);
    assert!(mean(&violations, "夜班") > 2.0 * mean(&violations, "VIP"));
    assert!(speeds.contains_key(&None));
}
