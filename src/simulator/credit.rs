//! The endpoint for the inspection result of one call.

use serde_json::{Value, json};

use super::answer::{Api, Caller};
use super::call::Call;
use super::faults::Answer;
use super::inspection::{RuleOutcome, ScenarioOutcome};
use super::quality::Kind;
use super::reply::Reply;
use super::result_faults::ResultFaults;
use super::vendor::Simulator;

/// Seconds from an earlier inspection to the last one.
const BETWEEN_INSPECTIONS: u32 = 3600;

impl Simulator {
    /// `POST /apiaccess/CCISQM/rest/ccisqm/v1/appraisecall/credit`: the result of a call.
    pub fn credit(&self, caller: Caller<'_>, body: &[u8]) -> Reply {
        let reply = self.credit_reply(caller, body);
        self.finish("credit", reply)
    }

    fn credit_reply(&self, caller: Caller<'_>, body: &[u8]) -> Reply {
        let now = self.now();
        let fault = match self.state().admit(Api::Credit, caller, now) {
            Ok(fault) => fault,
            Err(refusal) => return refusal,
        };
        match fault.as_ref().map(|fault| fault.answer) {
            Some(Answer::NullData) => return Reply::json(&Value::Null).named("null_data"),
            Some(Answer::NoData) => return Reply::json(&json!({})).named("no_data"),
            _ => {}
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(uuid) = body["call_uuid"].as_str() else {
            return Reply::error(400, "call_uuid is required, a string");
        };
        let faults = self.faults().results;
        let now = now as u32;
        let mut world = self.world();
        let call = world.find(uuid, now);
        let is_known = |call: &Call<'_>| {
            call.is_visible(now) || call.visible_at() <= now && !faults.deleted_unknown
        };
        match call.filter(is_known) {
            Some(call) => Reply::json(&inspections(&call, now, &faults)).with_fault(fault.as_ref()),
            None => Reply::error(500, "the call does not exist"),
        }
    }
}

/// The inspections of a call so far, the newest first or last.
fn inspections(call: &Call<'_>, now: u32, faults: &ResultFaults) -> Value {
    let Some(succeeded) = call.first_success(now) else {
        return json!([]);
    };
    let dated = |time: u32, outcomes: &[ScenarioOutcome]| {
        let credit = outcomes.iter();
        let credit = credit.map(|outcome| scenario(call, outcome, now, faults));
        let credit: Vec<Value> = credit.collect();
        let mut inspection = json!({"create_time": time, "credit": credit});
        if faults.wrong_types {
            loosen(&mut inspection);
        }
        inspection
    };
    let newest = dated(succeeded, &call.inspection());
    match call.earlier_inspection() {
        Some(outcomes) => {
            let earlier = dated(succeeded.saturating_sub(BETWEEN_INSPECTIONS), &outcomes);
            match call.hash(33).is_multiple_of(2) {
                true => json!([newest, earlier]),
                false => json!([earlier, newest]),
            }
        }
        None if faults.as_object => newest,
        None => json!([newest]),
    }
}

fn scenario(call: &Call<'_>, outcome: &ScenarioOutcome, now: u32, faults: &ResultFaults) -> Value {
    let mut scenario = json!({
        "score": outcome.score,
        "setting": {
            "group_id": outcome.scenario.id,
            "group_name": name(outcome.scenario.name, faults),
            "ignore_sensitive": 0,
            "description": "",
        },
    });
    for (kind, key) in [
        (Kind::Dialogue, "rules"),
        (Kind::Silence, "silence_rule"),
        (Kind::Speed, "speed_rule"),
        (Kind::Interposal, "interposal_rule"),
    ] {
        let rules = outcome.rules.iter().filter(|found| found.rule.kind == kind);
        let rules = rules.map(|found| {
            let name = name(found.rule.name_at(call.spec, now), faults);
            rule(found, found.rule.id, &name, call.hash(34))
        });
        let mut rules: Vec<Value> = rules.collect();
        if kind == Kind::Interposal {
            rules.extend((0..faults.extra_rules).map(|number| extra_rule(number, faults)));
        }
        // The vendor leaves out a kind without rules.
        if !rules.is_empty() {
            scenario[key] = rules.into();
        }
    }
    scenario
}

fn rule(found: &RuleOutcome, id: &str, name: &str, revise_id: u64) -> Value {
    let score = match found.is_kept() {
        true => 0,
        false => -i32::from(found.rule.points),
    };
    let (id_key, name_key) = match found.rule.kind {
        Kind::Dialogue => ("rule_id", "rule_name"),
        Kind::Silence => ("silence_id", "name"),
        Kind::Speed => ("speed_id", "name"),
        Kind::Interposal => ("interposal_id", "name"),
    };
    let mut rule = json!({
        "valid": found.valid,
        "score": score,
        "invalid_segment": [],
        "revise_id": format!("rule{revise_id:016x}"),
        "revise": found.revise,
        "setting": {id_key: id, name_key: name},
    });
    if found.rule.kind != Kind::Dialogue {
        rule["name"] = json!(name);
    }
    rule
}

fn extra_rule(number: u32, faults: &ResultFaults) -> Value {
    let id = format!("extra-{number}");
    let name = name(&id, faults);
    json!({
        "valid": true,
        "score": 0,
        "invalid_segment": [],
        "revise": -1,
        "name": name,
        "setting": {"interposal_id": id, "name": name},
    })
}

fn name(name: &str, faults: &ResultFaults) -> String {
    match faults.hostile_names {
        true => format!(
            " \u{202e}{name}\u{200b}\n\u{7}\"}} \\{{{}",
            "长".repeat(300)
        ),
        false => name.to_owned(),
    }
}

/// Replaces numbers and booleans by strings, and ids of digits by numbers.
fn loosen(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(loosen),
        Value::Object(fields) => fields.values_mut().for_each(loosen),
        Value::Number(_) | Value::Bool(_) => *value = Value::String(value.to_string()),
        Value::String(text) => {
            if let Ok(number) = text.parse::<u64>() {
                *value = json!(number);
            }
        }
        Value::Null => {}
    }
}
