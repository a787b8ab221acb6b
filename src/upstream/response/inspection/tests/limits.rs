//! Bodies that are too long, too deep or cut off.

use proptest::prelude::*;

use super::*;

#[test]
fn a_truncated_body_is_an_error() {
    let sample = SAMPLE.trim_end().as_bytes();
    for length in 0..sample.len() {
        let cut = parse_inspection(&sample[..length], &[]);
        assert!(matches!(cut, Err(ParseError::Body(_))), "{length}: {cut:?}");
    }
}

#[test]
fn scenarios_and_rules_are_limited() {
    let kept = json!(true);
    let rules: Vec<Value> = (0..1500)
        .map(|id| rule(&format!("{id:04}"), &kept))
        .collect();
    let scenario = |id: usize| json!({"setting": {"group_id": format!("{id:03}")}, "rules": rules});
    let inspection = parsed(&json!({"credit": [scenario(1), scenario(2)]}));
    let numbers = inspection
        .scenarios
        .iter()
        .map(|scenario| scenario.rules.len());
    assert_eq!(numbers.collect::<Vec<_>>(), [1500, 500]);
    assert_eq!(inspection.rejected, 1000);

    let many: Vec<Value> = (0..60)
        .map(|id| json!({"setting": {"group_id": id}}))
        .collect();
    let inspection = parsed(&json!({ "credit": many }));
    assert_eq!(inspection.scenarios.len(), MAX_SCENARIOS);
    assert_eq!(inspection.rejected, 10);
}

#[test]
fn deep_nesting_does_no_harm() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse(&deep).is_err());
    let beside = format!(r#"{{"credit": [], "x": {deep}}}"#);
    assert_eq!(parse(&beside), Ok(Inspection::default()));
    let within = format!(r#"{{"credit": [{{"rules": {deep}, "setting": {{"group_id": "g"}}}}]}}"#);
    assert_eq!(parse(&within).unwrap().rejected, 1);
}

proptest! {
    #[test]
    fn no_body_panics_or_exceeds_the_limits(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    ) {
        let mut body = SAMPLE.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(inspection) = parse_inspection(&body, &[]) {
            prop_assert!(inspection.scenarios.len() <= MAX_SCENARIOS);
            for found in &inspection.scenarios {
                prop_assert!(found.score.is_none_or(|score| score <= ScenarioResult::MAX_SCORE));
                prop_assert!(!found.scenario.id.is_empty() && !found.scenario.name.is_empty());
            }
        }
    }
}
