//! Inspection results and their truth.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Caller;
use super::super::call::Call;
use super::super::expected::ExpectedResults;
use super::super::faults::ResultFaults;
use super::super::faults::{Answer, Fault, Faults};
use super::super::inspection::Kind;
use super::super::reply::{Delivery, Reply};
use super::bench::{Bench, value};
use super::{START, eventful};

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
        let last = call.last_listed(now);
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
        credit: answers
            .map(|answer| Fault {
                delay_ms: 20,
                ..Fault::next(answer, 1)
            })
            .to_vec(),
        ..Faults::default()
    });
    let replies: Vec<Reply> = (0..7).map(|_| credit(&bench, uuid)).collect();
    assert!(replies.iter().all(|reply| reply.delay_ms == 20));
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
