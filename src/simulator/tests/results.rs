//! Teams, inspection results and their truth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::Caller;
use super::super::call::Call;
use super::super::expected_results::{ExpectedResults, ExpectedRule};
use super::super::faults::{Answer, Fault, Faults};
use super::super::measures::{Channel, Role};
use super::super::quality::{Kind, RENAMED_AFTER, SCENARIOS, SINKING_SCENARIO, SUDDEN_RULE};
use super::super::reply::{Delivery, Reply};
use super::super::result_faults::ResultFaults;
use super::super::spec::{Scenario, Spec};
use super::super::teams::TEAMS;
use super::super::world::World;
use super::bench::{Bench, value};
use super::{DAY, START, eventful};

fn credit(bench: &Bench, uuid: &str) -> Reply {
    let bearer = bench.bearer();
    let caller = Caller {
        authorization: Some(&bearer),
        user_id: None,
    };
    let body = json!({ "call_uuid": uuid });
    bench.simulator.credit(caller, body.to_string().as_bytes())
}

/// Identities of the calls that have succeeded while listed.
fn succeeded(bench: &Bench) -> Vec<String> {
    let now = bench.simulator.now() as u32;
    let mut world = bench.simulator.world();
    let has_succeeded = |call: &Call<'_>| {
        let last = call.gone_at().map_or(now, |gone| now.min(gone - 1));
        call.visible_at() <= now && call.first_success(last).is_some()
    };
    let calls = world.calls(START, now, now).filter(has_succeeded);
    calls.map(|call| call.uuid()).collect()
}

/// Counts a response by the vendor's documentation.
fn count(results: &mut BTreeMap<String, [u64; 2]>, response: &Value) -> Vec<(String, u64)> {
    let number = |value: &Value| -> i64 {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        text.parse().unwrap()
    };
    let id = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    let list = match response {
        Value::Array(list) => list.clone(),
        object => vec![object.clone()],
    };
    let newest = list
        .iter()
        .max_by_key(|inspection| number(&inspection["create_time"]));
    let mut scores = Vec::new();
    for scenario in newest.unwrap()["credit"].as_array().unwrap() {
        let group = id(&scenario["setting"]["group_id"]);
        scores.push((group.clone(), number(&scenario["score"]) as u64));
        for (list, key) in [
            ("rules", "rule_id"),
            ("silence_rule", "silence_id"),
            ("speed_rule", "speed_id"),
            ("interposal_rule", "interposal_id"),
        ] {
            for rule in scenario[list].as_array().into_iter().flatten() {
                let kept = match number(&rule["revise"]) {
                    -1 => rule["valid"] == true || rule["valid"] == "true",
                    revise => revise == 1,
                };
                let key = format!("{group} {list} {}", id(&rule["setting"][key]));
                results.entry(key).or_default()[usize::from(kept)] += 1;
            }
        }
    }
    scores
}

fn by_rule(expected: &ExpectedResults) -> BTreeMap<String, [u64; 2]> {
    let mut rules = BTreeMap::new();
    for (group, scenario) in &expected.scenarios {
        for (id, rule) in &scenario.rules {
            let list = match rule.kind {
                Kind::Dialogue => "rules",
                Kind::Silence => "silence_rule",
                Kind::Speed => "speed_rule",
                Kind::Interposal => "interposal_rule",
            };
            rules.insert(format!("{group} {list} {id}"), [rule.violated, rule.kept]);
        }
    }
    rules
}

#[test]
fn responses_agree_with_the_truth_whatever_their_shape() {
    let bench = Bench::new(eventful());
    let truth = bench.simulator.results(None, None);
    for results in [
        ResultFaults::default(),
        ResultFaults {
            as_object: true,
            wrong_types: true,
            ..ResultFaults::default()
        },
        ResultFaults {
            hostile_names: true,
            extra_rules: 3,
            ..ResultFaults::default()
        },
    ] {
        bench.simulator.set_faults(Faults {
            results,
            ..Faults::default()
        });
        let mut rules = BTreeMap::new();
        let mut scores: BTreeMap<String, BTreeMap<u8, u64>> = BTreeMap::new();
        let calls = succeeded(&bench);
        let mut empty = 0;
        for uuid in &calls {
            let found = count(&mut rules, &value(&credit(&bench, uuid)));
            empty += u64::from(found.is_empty());
            for (group, score) in found {
                *scores
                    .entry(group)
                    .or_default()
                    .entry(score as u8)
                    .or_default() += 1;
            }
        }
        rules.retain(|key, _| !key.contains("extra-"));
        assert_eq!(rules, by_rule(&truth));
        let true_scores = truth.scenarios.iter();
        let true_scores =
            true_scores.map(|(id, scenario)| ((*id).to_owned(), scenario.scores.clone()));
        assert_eq!(scores, true_scores.collect());
        assert_eq!((calls.len() as u64, empty), (truth.calls, truth.empty));
    }
}

#[test]
fn results_have_a_plausible_shape() {
    let mut world = World::new(eventful());
    let end = START + 5 * DAY;
    let truth = world.results(START, end, |_| true);
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
    let some = world.results(START, end, |uuid| uuid.starts_with('0'));
    assert!(some.calls > 0 && some.calls < truth.calls / 10);
}

#[test]
fn two_rules_share_a_name_and_one_is_renamed() {
    let mut world = World::new(eventful());
    let names = |world: &mut World, now| -> Vec<&str> {
        let results = world.results(START, now, |_| true);
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
fn the_endpoint_answers_like_the_vendor() {
    let bench = Bench::new(eventful());
    let now = bench.simulator.now() as u32;
    let (waiting, deleted) = {
        let mut world = bench.simulator.world();
        let mut calls = world.calls(START, now, now);
        let is_waiting =
            |call: &Call<'_>| call.is_visible(now) && call.first_success(now).is_none();
        let waiting = calls.find(is_waiting).unwrap().uuid();
        let deleted = calls.find(|call| call.gone_at().is_some_and(|gone| gone <= now));
        (waiting, deleted.unwrap().uuid())
    };
    assert_eq!(value(&credit(&bench, &waiting)), json!([]));
    assert_eq!(credit(&bench, &deleted).status, 200);
    for unknown in ["00000000-0000-4000-8000-000000000000", "no uuid", ""] {
        assert_eq!(credit(&bench, unknown).status, 500, "{unknown}");
    }
    let bearer = bench.bearer();
    let ask = |authorization: Option<&str>, body: &[u8]| {
        let caller = Caller {
            authorization,
            user_id: None,
        };
        bench.simulator.credit(caller, body).status
    };
    assert_eq!(ask(None, b"{}"), 401);
    assert_eq!(ask(Some(&bearer), b"{}"), 400);
    assert_eq!(ask(Some(&bearer), b"[]"), 400);
    assert_eq!(bench.simulator.stats().total("credit"), 8);
    bench.simulator.set_faults(Faults {
        results: ResultFaults {
            deleted_unknown: true,
            ..ResultFaults::default()
        },
        ..Faults::default()
    });
    assert_eq!(credit(&bench, &deleted).status, 500);
}

#[test]
fn results_have_faults_of_their_own() {
    let bench = Bench::new(eventful());
    let uuid = &succeeded(&bench)[0];
    let answers = [
        Answer::Http(502),
        Answer::Http(404),
        Answer::Envelope,
        Answer::NullData,
        Answer::NoData,
        Answer::CutBody,
        Answer::Reset,
    ];
    bench.simulator.set_faults(Faults {
        credit: answers.map(|answer| Fault::next(answer, 1)).to_vec(),
        ..Faults::default()
    });
    let replies: Vec<Reply> = (0..7).map(|_| credit(&bench, uuid)).collect();
    assert!(replies[0].is_html && replies[0].status == 502);
    assert_eq!(replies[1].status, 404);
    assert!(value(&replies[2])["resultCode"].is_string());
    assert_eq!(value(&replies[3]), Value::Null);
    assert_eq!(value(&replies[4]), json!({}));
    assert_eq!(replies[5].delivery, Delivery::Cut);
    assert_eq!(replies[6].delivery, Delivery::Reset);
    assert_eq!(bench.page(&bench.bearer(), json!({})).status, 200);

    bench.simulator.set_faults(Faults {
        results: ResultFaults {
            requests_per_second: Some(2),
            ..ResultFaults::default()
        },
        ..Faults::default()
    });
    bench.advance(1);
    let statuses: Vec<u16> = (0..3).map(|_| credit(&bench, uuid).status).collect();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(bench.page(&bench.bearer(), json!({})).status, 200);
    assert_eq!(bench.simulator.stats().peak_credit_per_second, 7);
}

#[test]
fn faults_of_results_are_checked() {
    for (json, says) in [
        (
            r#"{"credit": [{"answer": {"http": 200}, "next": 1}]}"#,
            "credit[0].answer.http",
        ),
        (
            r#"{"credit": [{"answer": "slow", "share": 2}]}"#,
            "credit[0].share",
        ),
        (r#"{"results": {"as_list": true}}"#, "as_list"),
    ] {
        let error = Faults::parse(json.as_bytes()).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
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

    let results = |world: &mut World| world.results(START + 1, end, |_| true);
    let share = |rule: &ExpectedRule| rule.violated as f64 / (rule.kept + rule.violated) as f64;
    let before = results(&mut normal);
    for (id, scenario) in results(&mut forgotten).scenarios {
        for (rule, after) in scenario.rules {
            let before = share(&before.scenarios[id].rules[rule]);
            match rule == SUDDEN_RULE {
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
        match id == SINKING_SCENARIO {
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
