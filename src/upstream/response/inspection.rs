//! Parses the inspection result of one call.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::envelope::{Envelope, EnvelopeError, Fields, Meaning};
use super::lenient::Lenient;
use super::{ParseError, not_json, repair};
use crate::model::{Inspection, Named, RuleKind, RuleResult, ScenarioResult};

/// Scenarios taken of one call.
const MAX_SCENARIOS: usize = 50;
/// Rules taken of one call, over all its scenarios.
const MAX_RULES: usize = 2000;

/// Parses a list of inspections, or a single one. What cannot be used is counted and costs nothing
/// beside it. A result without scenarios is not an error, nor is a code that means "no data".
///
/// Of several inspections the newest is taken: the others are earlier ones of the same call, which
/// would count it again. Those of the same time are parts of one.
///
/// # Errors
///
/// If the body is neither, or has only an error inside.
pub fn parse_inspection(body: &[u8], success_codes: &[String]) -> Result<Inspection, ParseError> {
    let text = json(body)?;
    let entries = serde_json::from_str(&text).ok().and_then(list);
    let Some(entries) = entries else {
        let reason = "it is JSON, but not an inspection result";
        return Err(ParseError::Body(reason.into()));
    };
    let mut parser = Parser::default();
    let (mut found, mut error) = (Vec::new(), None);
    for entry in &entries {
        let read = object(entry).map(|fields| {
            // None, of an entry without a time, is older than any time.
            let created = scalar(fields.get("create_time")).integer();
            scenarios(&fields, success_codes).map(|scenarios| (created, scenarios))
        });
        match read {
            Some(Ok(part)) => found.push(part),
            failed => {
                parser.rejected += 1;
                error = error.or(failed.and_then(Result::err));
            }
        }
    }
    if found.is_empty() && !entries.is_empty() {
        let reason = "it is a list without an inspection result";
        return Err(error.map_or(ParseError::Body(reason.into()), ParseError::Envelope));
    }
    let newest = found.iter().map(|(created, _)| *created).max();
    let parts = found
        .into_iter()
        .filter(|(created, _)| Some(*created) == newest);
    let entries = parts.flat_map(|(_, scenarios)| scenarios);
    let scenarios = entries.filter_map(|entry| parser.scenario(entry)).collect();
    Ok(Inspection::new(scenarios, parser.rejected))
}

/// The body if it is JSON, or repaired.
fn json(body: &[u8]) -> Result<Cow<'_, str>, ParseError> {
    let reason = match std::str::from_utf8(body) {
        Err(_) => "it is neither UTF-8 nor repairable JSON".to_owned(),
        Ok(text) => match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => return Ok(Cow::Borrowed(text)),
            Err(error) => not_json(&error),
        },
    };
    let repaired = repair::repair(body).map(Cow::Owned);
    repaired.ok_or(ParseError::Body(reason))
}

/// The scenarios of an inspection, unparsed. A failure must not look like a call that was inspected
/// for no scenario.
fn scenarios<'a>(
    fields: &Fields<'a>,
    success_codes: &[String],
) -> Result<Vec<&'a RawValue>, EnvelopeError> {
    let credit = fields.get("credit").copied();
    let scenarios = credit.and_then(list);
    let is_object = |entry: &&RawValue| entry.get().starts_with('{');
    let has_scenario = scenarios.iter().flatten().any(is_object);
    let envelope = Envelope::of(fields);
    let is_inspection = || {
        let is_dated = scalar(fields.get("create_time")).integer().is_some();
        is_dated && credit.is_some_and(|credit| credit.get() == "null")
    };
    match (scenarios, envelope.meaning(success_codes)) {
        // Scenarios outweigh any code.
        (Some(scenarios), _) if has_scenario => Ok(scenarios),
        (_, Meaning::NoData) => Ok(Vec::new()),
        (Some(scenarios), Meaning::Success) => Ok(scenarios),
        (None, Meaning::Success) if is_inspection() => Ok(Vec::new()),
        (_, meaning) => Err(EnvelopeError {
            finding: (meaning == Meaning::Success).then(|| "no list credit in it".to_owned()),
            ..envelope.error(success_codes)
        }),
    }
}

/// Parses scenarios within the limits, and counts what cannot be used.
#[derive(Default)]
struct Parser {
    scenarios: usize,
    rules: usize,
    rejected: u32,
}

impl Parser {
    fn scenario(&mut self, entry: &RawValue) -> Option<ScenarioResult> {
        let fields = object(entry).unwrap_or_default();
        let setting = setting(&fields);
        let id = text(setting.get("group_id"));
        let scenario = Named::new(&id, &text(setting.get("group_name")));
        self.scenarios += 1;
        let Some(scenario) = scenario.filter(|_| self.scenarios <= MAX_SCENARIOS) else {
            self.rejected += 1;
            return None;
        };
        let score = scalar(fields.get("score")).measure().ok();
        let score = score.filter(|score| *score <= Some(ScenarioResult::MAX_SCORE));
        self.rejected += u32::from(score.is_none());
        let mut rules = Vec::new();
        for kind in RuleKind::ALL {
            self.add_rules(kind, &fields, &mut rules);
        }
        Some(ScenarioResult {
            scenario,
            score: score.flatten(),
            rules,
        })
    }

    fn add_rules(&mut self, kind: RuleKind, fields: &Fields<'_>, rules: &mut Vec<RuleResult>) {
        let (key, id_key) = match kind {
            RuleKind::Dialogue => ("rules", "rule_id"),
            RuleKind::Silence => ("silence_rule", "silence_id"),
            RuleKind::Speed => ("speed_rule", "speed_id"),
            RuleKind::Interposal => ("interposal_rule", "interposal_id"),
        };
        let Some(value) = fields.get(key).filter(|value| value.get() != "null") else {
            return;
        };
        let Some(entries) = list(value) else {
            self.rejected += 1;
            return;
        };
        for entry in entries {
            self.rules += 1;
            let rule = rule(kind, id_key, entry).filter(|_| self.rules <= MAX_RULES);
            self.rejected += u32::from(rule.is_none());
            rules.extend(rule);
        }
    }
}

fn rule(kind: RuleKind, id_key: &str, entry: &RawValue) -> Option<RuleResult> {
    let fields = object(entry)?;
    let setting = setting(&fields);
    let names = [
        setting.get("rule_name"),
        setting.get("name"),
        fields.get("name"),
    ];
    let mut names = names.into_iter().map(text);
    let name = names.find(|name| !name.trim().is_empty());
    let revise = scalar(fields.get("revise")).integer();
    Some(RuleResult {
        kind,
        rule: Named::new(&text(setting.get(id_key)), &name.unwrap_or_default())?,
        kept: RuleResult::verdict(boolean(fields.get("valid")), revise)?,
    })
}

fn setting<'a>(fields: &Fields<'a>) -> Fields<'a> {
    let setting = fields.get("setting").copied();
    setting.and_then(object).unwrap_or_default()
}

/// The elements of an array, or the object as the only one.
fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    match value.get().starts_with('{') {
        true => Some(vec![value]),
        false => serde_json::from_str(value.get()).ok(),
    }
}

fn object(value: &RawValue) -> Option<Fields<'_>> {
    serde_json::from_str(value.get()).ok()
}

fn scalar<'a>(value: Option<&&'a RawValue>) -> Lenient<'a> {
    value.map(|value| Lenient::from(*value)).unwrap_or_default()
}

fn text(value: Option<&&RawValue>) -> String {
    let text = scalar(value).text().map(Cow::into_owned);
    text.unwrap_or_default()
}

/// A boolean, also as a string or a number.
fn boolean(value: Option<&&RawValue>) -> Option<bool> {
    let text = value?.get().trim_matches('"').trim().to_ascii_lowercase();
    match &*text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
