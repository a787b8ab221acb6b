mod limits;

use serde_json::{Value, json};

use super::*;
use crate::model::Measure;

const SAMPLE: &str = include_str!("../../../../tests/fixtures/credit-response.json");

fn parse(body: &str) -> Result<Inspection, ParseError> {
    parse_inspection(body.as_bytes(), &[])
}

fn parsed(body: &Value) -> Inspection {
    parse(&body.to_string()).unwrap()
}

/// An inspection for one scenario with these rules of speech.
fn with_rules(rules: &Value) -> Value {
    let setting = json!({"group_id": "g", "group_name": "sales"});
    json!([{"create_time": 1, "credit": [{"score": 90, "setting": setting, "rules": rules}]}])
}

fn rule(id: &str, valid: &Value) -> Value {
    json!({"valid": valid, "revise": -1, "setting": {"rule_id": id, "rule_name": "greeting"}})
}

/// Scenario, score, and the rules as kind, id, name and whether it is kept.
type Found = (String, Option<f64>, Vec<String>);

fn found(inspection: &Inspection) -> Vec<Found> {
    let rules = |scenario: &ScenarioResult| {
        let rules = scenario.rules.iter();
        rules
            .map(|rule| {
                let Named { id, name } = &rule.rule;
                let result = if rule.kept { "kept" } else { "violated" };
                format!("{} {id} {name} {result}", rule.kind.label())
            })
            .collect()
    };
    let scenarios = inspection.scenarios.iter();
    scenarios
        .map(|scenario| {
            let Named { id, name } = &scenario.scenario;
            let score = scenario.score.map(Measure::units);
            (format!("{id} {name}"), score, rules(scenario))
        })
        .collect()
}

#[test]
fn the_vendor_sample_is_parsed() {
    let inspection = parse(SAMPLE).unwrap();
    let first = (
        "groupid_0f5d9a52-0000-4000-8000-5ae67960b649 业务场景2".to_owned(),
        Some(75.0),
        vec![
            "dialogue 952280134373609472 对话规则 violated".to_owned(),
            "silence 966506182489411584 静默规则1 kept".to_owned(),
            "speed 966506182489411585 语速规则1 violated".to_owned(),
        ],
    );
    let second = (
        "groupid_cbe2442c-471a-4da3-a43b-5ae67960b648 业务场景1".to_owned(),
        Some(77.0),
        vec!["dialogue 967510375224315904 对话规则测试 violated".to_owned()],
    );
    assert_eq!(found(&inspection), [first, second]);
    assert_eq!(inspection.rejected, 0);
    let list: Value = serde_json::from_str(SAMPLE).unwrap();
    assert_eq!(parsed(&list[0]), inspection, "an object in place of a list");
}

#[test]
fn a_call_may_be_inspected_for_no_scenario() {
    for body in [
        json!([]),
        json!([{"create_time": 1, "credit": []}]),
        json!({"credit": []}),
        json!({"create_time": 1, "credit": null}),
        json!({"credit": [], "resultCode": "0", "resultDesc": "success"}),
        json!({"resultCode": "0300012", "resultDesc": "no data"}),
        json!({"resultCode": 300_012, "credit": null}),
    ] {
        assert_eq!(parsed(&body), Inspection::default(), "{body}");
    }
}

#[test]
fn an_error_is_not_an_inspection() {
    const NO_LIST: &str = "no list credit in it";
    for (body, says) in [
        ("{}", NO_LIST),
        ("[{}]", NO_LIST),
        (r#"{"data": [], "paging": {"total": 0}}"#, NO_LIST),
        (r#"{"create_time": 1}"#, NO_LIST),
        (r#"{"credit": null}"#, NO_LIST),
        (r#"{"create_time": 1, "credit": "x"}"#, NO_LIST),
        (
            r#"{"resultCode": "0", "credit": 7}"#,
            "0 no list credit in it",
        ),
        (
            r#"[{"error_code": "0300028", "error_msg": "failed"}]"#,
            "0300028 failed",
        ),
        (r#"{"retCode": 5, "retMsg": "no", "credit": []}"#, "5 no"),
        (
            r#"{"returnCode": "5", "create_time": 1, "credit": null}"#,
            "5",
        ),
        (
            r#"{"resultCode": "5", "data": [], "paging": {"total": 0}}"#,
            "5",
        ),
        (r#"{"errorCode": "5", "credit": [null]}"#, "5"),
    ] {
        match parse(body) {
            Err(ParseError::Envelope(error)) => assert_eq!(error.to_string(), says, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    for (body, says) in [
        ("null", "not an inspection result"),
        ("7", "not an inspection result"),
        ("\"\"", "not an inspection result"),
        ("[1, null]", "a list without"),
        ("", "ends unexpectedly"),
        ("[{\"credit\": [", "ends unexpectedly"),
        ("<html>", "not JSON"),
        ("[] []", "not JSON"),
    ] {
        match parse(body) {
            Err(ParseError::Body(reason)) => assert!(reason.contains(says), "{body}: {reason}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    assert!(parse_inspection(b"\xff", &[]).is_err());
    let success = ["5".to_owned()];
    let body = br#"{"resultCode": "5", "credit": []}"#;
    assert_eq!(parse_inspection(body, &success), Ok(Inspection::default()));
}

#[test]
fn scenarios_outweigh_an_error_code_and_an_unusable_neighbour() {
    let mut list = with_rules(&json!([]));
    list[0]["resultCode"] = json!("0300028");
    list.as_array_mut()
        .unwrap()
        .extend([json!(null), json!({"retCode": 5})]);
    let inspection = parsed(&list);
    assert_eq!(found(&inspection), [("g sales".into(), Some(90.0), vec![])]);
    assert_eq!(inspection.rejected, 2);
}

#[test]
fn the_newest_inspection_is_taken_and_its_parts_are_joined() {
    let part = |time: Value, id: &str| json!({"create_time": time, "credit": [{"setting": {"group_id": id}}]});
    let ids = |list: Vec<Value>| -> Vec<String> {
        let scenarios = parsed(&Value::from(list)).scenarios;
        scenarios
            .into_iter()
            .map(|scenario| scenario.scenario.id)
            .collect()
    };
    let list = vec![
        part(json!(1_635_410_113), "a"),
        part(json!("1635410999"), "b"),
        part(json!(null), "c"),
        part(json!(1_635_410_999), "d"),
        part(json!(5), "e"),
    ];
    assert_eq!(ids(list), ["b", "d"]);
    assert_eq!(
        ids(vec![part(json!("x"), "a"), part(json!(null), "b")]),
        ["a", "b"]
    );
    let later_empty = vec![part(json!(1), "a"), json!({"create_time": 2, "credit": []})];
    assert_eq!(ids(later_empty), [""; 0]);
}

#[test]
fn values_may_have_the_wrong_type() {
    let rules = json!([
        {"valid": "false", "revise": "-1", "setting": {"rule_id": 967_510_375_224_315_904_u64, "rule_name": "a"}},
        {"valid": 1, "setting": {"rule_id": "2", "rule_name": null, "name": "b"}},
        {"valid": "True", "revise": null, "name": "c", "more": {"x": []}},
        {"valid": "0", "revise": "1", "setting": {"rule_id": "4"}},
        {"valid": true, "revise": 0, "setting": {"rule_name": 5}},
        {"revise": 1.0, "setting": {"rule_id": "6"}},
    ]);
    let mut body = with_rules(&rules);
    body[0]["credit"][0]["score"] = json!("76.5");
    body[0]["credit"][0]["setting"] = json!({"group_id": 17, "group_name": "  "});
    body[0]["credit"][0]["silence_rule"] = json!(null);
    body[0]["credit"][0]["speed_rule"] =
        json!({"valid": true, "setting": {"speed_id": "7", "name": "d"}});
    let inspection = parsed(&body);
    let rules = [
        "dialogue 2 b kept",
        "dialogue 4 4 kept",
        "dialogue 5 5 violated",
        "dialogue 6 6 kept",
        "dialogue 967510375224315904 a violated",
        "dialogue c c kept",
        "speed 7 d kept",
    ];
    let rules = rules.map(str::to_owned).to_vec();
    assert_eq!(found(&inspection), [("17 17".into(), Some(76.5), rules)]);
    assert_eq!(inspection.rejected, 0);
}

#[test]
fn what_is_unusable_is_counted_and_costs_nothing_beside_it() {
    let rules = json!([
        rule("1", &json!(true)),
        rule("2", &json!(null)),
        rule("3", &json!(2)),
        {"valid": true, "setting": {"rule_id": "\u{200b}", "rule_name": " "}},
        {"valid": true},
        "rule",
    ]);
    let mut body = with_rules(&rules);
    let credit = body[0]["credit"].as_array_mut().unwrap();
    credit[0]["interposal_rule"] = json!("none");
    credit.extend([json!(null), json!({"score": 5}), json!({"setting": "x"})]);
    let inspection = parsed(&body);
    let rules = vec!["dialogue 1 greeting kept".to_owned()];
    assert_eq!(found(&inspection), [("g sales".into(), Some(90.0), rules)]);
    // Five rules, a list of rules and three scenarios.
    assert_eq!(inspection.rejected, 9);
}

#[test]
fn a_score_has_0_to_100_points() {
    for (score, points, rejected) in [
        ("100", Some(100.0), 0),
        ("0", Some(0.0), 0),
        ("\"12.345678\"", Some(12.345_678), 0),
        ("null", None, 0),
        ("100.000001", None, 1),
        ("-0.1", None, 1),
        ("1e999", None, 1),
        ("\"NaN\"", None, 1),
        ("NaN", None, 1),
        ("true", None, 1),
        ("[50]", None, 1),
    ] {
        let body =
            format!(r#"{{"credit": [{{"score": {score}, "setting": {{"group_id": "g"}}}}]}}"#);
        let inspection = parse(&body).unwrap();
        assert_eq!(found(&inspection)[0].1, points, "{score}");
        assert_eq!(inspection.rejected, rejected, "{score}");
    }
}

#[test]
fn a_body_that_is_not_quite_json_is_repaired() {
    let body = "\u{feff}[{\"create_time\": 1, \"credit\": [{\"score\": 0x, \"setting\": \
        {\"group_name\": \"a\tb\",}, \"rules\": [{\"valid\": True, \"name\": \"c\"},]}]}]";
    let inspection = parse(body).unwrap();
    let rules = vec!["dialogue c c kept".to_owned()];
    assert_eq!(found(&inspection), [("a b a b".into(), None, rules)]);
    let invalid = b"{\"credit\": [{\"setting\": {\"group_id\": \"g\xff\"}}]}";
    let inspection = parse_inspection(invalid, &[]).unwrap();
    assert_eq!(inspection.scenarios[0].scenario.id, "g\u{fffd}");
}
