use super::*;
use crate::metrics::tallies::{StoredTallies, Tallies};
use crate::model::Measure;

fn named(id: &str, name: &str) -> Named {
    Named::new(id, name).unwrap()
}

fn rule(kind: RuleKind, id: &str, name: &str, kept: bool) -> RuleResult {
    let rule = named(id, name);
    RuleResult { kind, rule, kept }
}

fn inspection(scenario: Named, score: u32, rules: Vec<RuleResult>) -> Inspection {
    let result = ScenarioResult {
        scenario,
        score: Some(Measure::from_integer(score)),
        rules,
    };
    Inspection::new(vec![result], 0)
}

fn counted(max_rules: usize, inspections: &[(UnixSeconds, Inspection)]) -> Inspections {
    let mut counted = Inspections::default();
    counted.limit(max_rules);
    for (uploaded, inspection) in inspections {
        counted.count(inspection, *uploaded);
    }
    counted
}

/// Scenario, rule, kept and violated.
fn rules(inspections: &Inspections) -> Vec<(&str, &str, u64, u64)> {
    let scenarios = inspections.scenarios.iter();
    scenarios
        .flat_map(|scenario| {
            let rules = scenario.rules.iter();
            rules.map(|rule| {
                (
                    &*scenario.name.label,
                    &*rule.name.label,
                    rule.kept,
                    rule.violated,
                )
            })
        })
        .collect()
}

#[test]
fn a_renamed_rule_continues_under_its_newest_name() {
    use RuleKind::Dialogue;
    let result = |name: &str, scenario: &str, kept| {
        let rules = vec![rule(Dialogue, "r", name, kept)];
        inspection(named("s", scenario), 80, rules)
    };
    let counted = counted(
        200,
        &[
            (100, result("问候", "售后", true)),
            (300, result("开场问候", "售后服务", false)),
            // The result of an older call arrives later.
            (200, result("问候", "售后", true)),
        ],
    );
    assert_eq!(rules(&counted), [("售后服务", "开场问候", 2, 1)]);
    assert_eq!(counted.scenarios[0].score.count(), 3);
}

#[test]
fn a_series_stays_with_its_rule_when_another_one_takes_the_name() {
    use RuleKind::Dialogue;
    let result = |id: &str, name: &str| {
        let rules = vec![rule(Dialogue, id, name, true)];
        inspection(named("s", "scenario"), 80, rules)
    };
    let mut tallies = Tallies::default();
    tallies.count_inspections(Some(200));
    for (at, id, name) in [
        (100, "r1", "Greeting v2"),
        (100, "r2", "Greeting"),
        (101, "r2", "Greeting"),
        (200, "r1", "Greeting"),
    ] {
        tallies.count_inspection(&result(id, name), at);
    }
    let text = serde_json::to_string(&tallies).unwrap();
    let stored: StoredTallies = serde_json::from_str(&text).unwrap();
    let mut restored = stored.restore(std::iter::empty()).unwrap();
    restored.count_inspections(Some(200));
    for tallies in [&tallies, &restored] {
        assert_eq!(
            rules(tallies.inspections.as_ref().unwrap()),
            [
                ("scenario", "Greeting (r1)", 2, 0),
                ("scenario", "Greeting", 2, 0)
            ]
        );
    }
    restored.count_inspection(&result("r2", "Hello"), 300);
    assert_eq!(
        rules(restored.inspections.as_ref().unwrap()),
        [
            ("scenario", "Greeting (r1)", 2, 0),
            ("scenario", "Hello", 3, 0)
        ]
    );
}

#[test]
fn a_name_that_was_confirmed_outlasts_an_older_one() {
    let result = |name: &str| {
        let rules = vec![rule(RuleKind::Dialogue, "r", name, true)];
        inspection(named("s", name), 80, rules)
    };
    let inspections = [(100, "a"), (300, "a"), (200, "b")];
    let counted = counted(200, &inspections.map(|(at, name)| (at, result(name))));
    assert_eq!(rules(&counted), [("a", "a", 3, 0)]);
}

#[test]
fn two_ids_with_one_name_are_kept_apart() {
    use RuleKind::{Dialogue, Speed};
    let same = vec![
        rule(Dialogue, "1", "语速", true),
        rule(Dialogue, "2", "语速", false),
        rule(Dialogue, "3", "语速 (2)", true),
        rule(Dialogue, "4", "other", true),
        rule(Speed, "1", "语速", false),
    ];
    let counted = counted(200, &[(100, inspection(named("s", "x"), 1, same))]);
    assert_eq!(
        rules(&counted),
        [
            ("x", "语速", 1, 0),
            ("x", "语速 (2)", 0, 1),
            ("x", "语速 (2) (3)", 1, 0),
            ("x", "other (4)", 1, 0),
            ("x", "语速", 0, 1),
        ]
    );
}

#[test]
fn five_thousand_rules_and_a_thousand_scenarios_get_a_bounded_number_of_series() {
    let mut counted = counted(200, &[]);
    for n in 0..5000 {
        let rules = vec![
            rule(
                RuleKind::Dialogue,
                &n.to_string(),
                "\u{202e}名\n",
                n % 2 == 0,
            ),
            rule(RuleKind::Silence, &n.to_string(), &"长".repeat(1000), true),
        ];
        let scenario = named(&format!("s{}", n % 1000), "场景");
        counted.count(&inspection(scenario, 50, rules), 100);
    }
    assert_eq!(counted.scenarios.len(), 51);
    let rules = rules(&counted);
    // Those with a series of their own, and at most one for the others of each kind and scenario.
    assert!(rules.len() <= 200 + 2 * 51, "{}", rules.len());
    let distinct: BTreeSet<_> = rules
        .iter()
        .map(|(scenario, rule, ..)| (scenario, rule))
        .collect();
    assert!(
        distinct.len() > rules.len() - 60,
        "labels are unique by kind"
    );
    let total: u64 = rules
        .iter()
        .map(|(_, _, kept, violated)| kept + violated)
        .sum();
    assert_eq!(total, 10_000);
    assert!(rules.iter().all(|(_, rule, ..)| rule.chars().count() < 120));
    assert_eq!(counted.folded.len(), 10_000 - 200);
}

#[test]
fn labels_survive_a_restart_and_damage_is_refused() {
    use RuleKind::Dialogue;
    let same = vec![
        rule(Dialogue, "1", "a", true),
        rule(Dialogue, "2", "a", false),
    ];
    let mut tallies = Tallies::default();
    tallies.count_inspections(Some(1));
    tallies.count_inspection(&inspection(named("s", "x"), 1, same), 100);
    let text = serde_json::to_string(&tallies).unwrap();
    let restore = |text: &str| {
        let stored: StoredTallies = serde_json::from_str(text).unwrap();
        stored.restore(std::iter::empty())
    };
    let mut restored = restore(&text).unwrap();
    restored.count_inspections(Some(1));
    let expected = [("x", "a", 1, 0), ("x", "other", 0, 1)];
    assert_eq!(rules(restored.inspections.as_ref().unwrap()), expected);
    assert_eq!(restored.inspections, tallies.inspections);
    let twice = text.replace(r#""id":"","name":"other""#, r#""id":"1","name":"a""#);
    assert_ne!(twice, text);
    assert!(restore(&twice).is_none());
    // Not enabled any more.
    restored.count_inspections(None);
    assert_eq!(restored.scenarios().len(), 0);
}
