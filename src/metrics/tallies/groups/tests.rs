use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::metrics::tallies::{StoredTallies, Tallies};
use crate::model::{Measures, ProcessingTime, Speech, Teams};

const VOICE: CallType = CallType::VOICE;

fn succeeded(seconds: u32) -> [Event; 2] {
    let agent = Speech {
        role: Role::Staff,
        speed: Measure::from_units(200.1),
        silence: None,
        ratio: Measure::from_units(0.3),
    };
    [
        Event::Processed {
            call_type: VOICE,
            status: Status::SUCCEEDED,
            processing_time: ProcessingTime::FinalWhenFirstSeen,
        },
        Event::Succeeded {
            call_type: VOICE,
            measures: Measures {
                duration: Some(Measure::from_integer(seconds)),
                channels: [Speech::default(), agent],
            },
        },
    ]
}

fn teams(rows: &[(&str, &str)]) -> Arc<Teams> {
    let mut teams = Teams::default();
    for (staff_id, team) in rows {
        teams.assign(staff_id, team).unwrap();
    }
    Arc::new(teams)
}

fn tallies(rows: &[(&str, &str)], max_teams: usize, max_agents: usize) -> Tallies {
    let mut tallies = Tallies::default();
    tallies.create_series(&[VOICE], &[Status::SUCCEEDED]);
    tallies.set_teams(teams(rows));
    tallies.count_by_team(Some(max_teams));
    tallies.count_by_agent(Some(max_agents));
    tallies
}

fn count(tallies: &mut Tallies, staff_id: &str) {
    for event in succeeded(60) {
        tallies.apply(&event, None, Some(staff_id));
    }
}

/// Calls by group, without groups at 0.
fn processed<D: Distribution>(groups: &Groups<D>) -> Vec<(&str, u64)> {
    let calls = |group: &Group<D>| group.processed.values().sum();
    let groups = groups.iter().map(|(label, group)| (label, calls(group)));
    groups.filter(|(_, calls)| *calls > 0).collect()
}

fn folded(tallies: &Tallies) -> [Option<usize>; 2] {
    let [teams, agents, _rules] = tallies.folded().try_into().unwrap();
    [teams.1, agents.1]
}

/// What a file keeps.
fn restarted(tallies: &Tallies) -> Option<Tallies> {
    let stored: StoredTallies =
        serde_json::from_str(&serde_json::to_string(tallies).unwrap()).unwrap();
    stored.restore(std::iter::empty())
}

#[test]
fn a_call_counts_in_the_team_that_its_agent_is_in_then() {
    let mut tallies = tallies(&[("1", "a"), ("2", "b")], 50, 500);
    for staff_id in ["1", " 2 ", "3", ""] {
        count(&mut tallies, staff_id);
    }
    tallies.set_teams(teams(&[("1", "c"), ("3", "b")]));
    count(&mut tallies, "1");
    count(&mut tallies, "3");
    let by_team = tallies.teams.as_ref().unwrap();
    assert_eq!(
        processed(by_team),
        [("a", 1), ("b", 2), ("c", 1), ("none", 2)]
    );
    let by_agent = tallies.agents.as_ref().unwrap();
    assert_eq!(
        processed(by_agent),
        [("1", 2), ("2", 1), ("3", 2), ("none", 1)]
    );
    let c = &by_team.by_label["c"];
    assert_eq!(c.duration[&VOICE].total(), (1, 60_000_000_000));
    assert_eq!(c.speed.total(), (1, 200_100_000_000));
    assert_eq!(c.silence.total(), (0, 0));
}

#[test]
fn a_status_that_is_new_starts_at_zero_in_the_other_teams() {
    let mut tallies = tallies(&[("1", "a"), ("2", "b")], 50, 0);
    let key = (CallType::TEXT, Status::SUCCEEDED);
    let event = Event::Processed {
        call_type: key.0,
        status: key.1,
        processing_time: ProcessingTime::FinalWhenFirstSeen,
    };
    tallies.apply(&event, None, Some("1"));
    let calls = |label| tallies.teams.as_ref().unwrap().by_label[label].processed[&key];
    assert_eq!(["a", "b", "none", "other"].map(calls), [1, 0, 0, 0]);
}

#[test]
fn teams_of_the_file_start_at_zero() {
    let tallies = tallies(&[("1", "a"), ("2", "b")], 1, 0);
    let labels: Vec<&str> = tallies
        .teams
        .as_ref()
        .unwrap()
        .iter()
        .map(|(label, group)| {
            assert_eq!(group.processed[&(VOICE, Status::SUCCEEDED)], 0);
            assert_eq!(group.duration[&VOICE].total(), (0, 0));
            label
        })
        .collect();
    assert_eq!(labels, ["a", "none", "other"]);
    assert_eq!(folded(&tallies), [Some(1), Some(0)]);
}

#[test]
fn what_exceeds_the_limit_is_other() {
    let mut tallies = tallies(
        &[("1", "a"), ("2", "b"), ("3", "other"), ("4", "none")],
        1,
        2,
    );
    for staff_id in ["1", "2", "3", "4", "5", "5", "none"] {
        count(&mut tallies, staff_id);
    }
    let by_team = [("a", 1), ("none", 4), ("other", 2)];
    assert_eq!(processed(tallies.teams.as_ref().unwrap()), by_team);
    let by_agent = [("1", 1), ("2", 1), ("none", 1), ("other", 4)];
    assert_eq!(processed(tallies.agents.as_ref().unwrap()), by_agent);
    assert_eq!(folded(&tallies), [Some(1), Some(3)]);
    // With more room, further groups get labels of their own.
    tallies.count_by_agent(Some(3));
    count(&mut tallies, "5");
    assert_eq!(processed(tallies.agents.as_ref().unwrap())[2], ("5", 1));
    assert_eq!(folded(&tallies)[1], Some(0));
}

#[test]
fn hostile_agents_get_a_bounded_number_of_series() {
    let mut tallies = tallies(&[], 50, 500);
    for n in 0..10_000 {
        count(&mut tallies, &format!("\u{202e}{n}\n{}", "长".repeat(1000)));
    }
    let labels = tallies.agents.as_ref().unwrap().by_label.keys();
    assert_eq!(labels.len(), 502);
    assert!({ labels }.all(|label| label.chars().count() <= 100));
    assert_eq!(folded(&tallies)[1], Some(9500));
}

#[test]
fn what_was_counted_before_has_no_group() {
    let mut tallies = Tallies::default();
    count(&mut tallies, "1");
    tallies.count_by_team(Some(50));
    tallies.count_by_agent(Some(500));
    count(&mut tallies, "1");
    let by_agent = tallies.agents.as_ref().unwrap();
    assert_eq!(processed(by_agent), [("1", 1), ("none", 1)]);
    assert_eq!(by_agent.by_label[NONE].ratio.total(), (1, 300_000_000));
    // Disabled and enabled again.
    tallies.count_by_agent(None);
    assert_eq!(folded(&tallies), [Some(0), None]);
    tallies.count_by_agent(Some(500));
    assert_eq!(processed(tallies.agents.as_ref().unwrap()), [("none", 2)]);
}

#[test]
fn groups_that_do_not_add_up_are_refused() {
    let mut tallies = tallies(&[("1", "a")], 50, 500);
    count(&mut tallies, "1");
    assert_eq!(
        restarted(&tallies).map(|restored| restored.teams),
        Some(tallies.teams.clone())
    );
    let mut damaged = tallies.clone();
    let teams = damaged.teams.as_mut().unwrap();
    teams.by_label.remove("a").unwrap();
    assert!(restarted(&damaged).is_none());
    let mut damaged = tallies;
    let agents = damaged.agents.as_mut().unwrap();
    agents.by_label.get_mut("1").unwrap().speed.count += 1;
    assert!(restarted(&damaged).is_none());
}

proptest! {
    #[test]
    fn groups_together_have_the_calls_of_the_target(
        steps in prop::collection::vec((0..12_u8, 0..6_u8, 0..3_u8, 0..4_u32), 0..60),
        max_teams in 0..4_usize,
        max_agents in 0..4_usize,
    ) {
        let mut tallies = tallies(&[("0", "a"), ("1", "b")], max_teams, max_agents);
        for (what, staff, status, seconds) in steps {
            let staff_id = staff.to_string();
            let staff_id = (staff < 5).then_some(staff_id.as_str());
            match what {
                0 => tallies.set_teams(teams(&[("0", "b"), ("1", "c"), ("3", "d")])),
                1 => tallies = restarted(&tallies).unwrap(),
                2 => {
                    tallies.count_by_agent(None);
                    tallies.count_by_agent(Some(max_agents + 1));
                }
                3..6 => {
                    let event = Event::Processed {
                        call_type: CallType::from_number(status.into()),
                        status: [Status::SUCCEEDED, Status::from_number(32)][usize::from(status > 0)],
                        processing_time: ProcessingTime::NotObserved,
                    };
                    tallies.apply(&event, None, staff_id);
                }
                _ => succeeded(seconds).iter().for_each(|event| tallies.apply(event, None, staff_id)),
            }
            let whole = totals([&tallies.as_group::<Histogram>()]);
            prop_assert_eq!(&tallies.teams.as_ref().unwrap().totals(), &whole);
            prop_assert_eq!(&tallies.agents.as_ref().unwrap().totals(), &whole);
        }
    }
}
