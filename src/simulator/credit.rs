//! The endpoint for the inspection result of one call.

use serde_json::{Value, json};

use super::call::Call;
use super::endpoints::{Api, Caller};
use super::faults::{Answer, ResultFaults};
use super::inspection::{EXTRA_RULE, Kind, RuleOutcome, ScenarioOutcome};
use super::reply::Reply;
use super::vendor::Simulator;

/// The keys of each kind of rule: of the list, and of id and name in a rule's settings.
const KEYS: [(Kind, &str, &str, &str); 4] = [
    (Kind::Dialogue, "rules", "rule_id", "rule_name"),
    (Kind::Silence, "silence_rule", "silence_id", "name"),
    (Kind::Speed, "speed_rule", "speed_id", "name"),
    (Kind::Interposal, "interposal_rule", "interposal_id", "name"),
];

/// Seconds from an earlier inspection to the last one.
const BETWEEN_INSPECTIONS: u32 = 3600;

impl Simulator {
    /// `POST /apiaccess/CCISQM/rest/ccisqm/v1/appraisecall/credit`: the result of a call.
    pub fn credit(&self, caller: Caller<'_>, body: &[u8]) -> Reply {
        self.finish("credit", self.credit_reply(caller, body))
    }

    fn credit_reply(&self, caller: Caller<'_>, body: &[u8]) -> Result<Reply, Reply> {
        let now = self.now();
        let fault = self.state().admit(Api::Credit, caller, now)?;
        let reply = match fault.as_ref().map(|fault| fault.answer) {
            Some(Answer::NullData) => Reply::json(&Value::Null).named("null_data"),
            Some(Answer::NoData) => Reply::json(&json!({})).named("no_data"),
            _ => self.inspection(body, now as u32)?,
        };
        Ok(reply.with_fault(fault.as_ref()))
    }

    /// The correct reply.
    fn inspection(&self, body: &[u8], now: u32) -> Result<Reply, Reply> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let uuid = body["call_uuid"].as_str();
        let uuid = uuid.ok_or_else(|| Reply::error(400, "call_uuid is required, a string"))?;
        let faults = self.faults().results;
        let mut world = self.world();
        let call = world.find(uuid, now).filter(|call| {
            call.is_visible(now) || call.visible_at() <= now && !faults.deleted_unknown
        });
        let call = call.ok_or_else(|| Reply::error(500, "the call does not exist"))?;
        Ok(Reply::json(&inspections(&call, now, &faults)))
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
    for (kind, key, id_key, name_key) in KEYS {
        let rule = |found: &RuleOutcome, id: &str, text: &str| {
            let name = name(text, faults);
            let mut rule = json!({
                "valid": found.valid,
                "score": if found.is_kept() { 0 } else { -i32::from(found.rule.points) },
                "invalid_segment": [],
                "revise_id": format!("rule{:016x}", call.hash(34)),
                "revise": found.revise,
                "setting": {id_key: id, name_key: name},
            });
            if kind != Kind::Dialogue {
                rule["name"] = json!(name);
            }
            rule
        };
        let rules = outcome.rules.iter().filter(|found| found.rule.kind == kind);
        let rules =
            rules.map(|found| rule(found, found.rule.id, found.rule.name_at(call.spec, now)));
        let mut rules: Vec<Value> = rules.collect();
        if kind == EXTRA_RULE.kind {
            let kept = RuleOutcome {
                rule: &EXTRA_RULE,
                valid: true,
                revise: -1,
            };
            let ids = (0..faults.extra_rules).map(|number| format!("extra-{number}"));
            rules.extend(ids.map(|id| rule(&kept, &id, &id)));
        }
        // The vendor leaves out a kind without rules.
        if !rules.is_empty() {
            scenario[key] = rules.into();
        }
    }
    scenario
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
