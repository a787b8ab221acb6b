//! Inspection results, from the simulated vendor's socket to scores and rules.

use std::collections::BTreeMap;

use cec_exporter::model::Inspection;
use cec_exporter::simulator::expected::ExpectedResults;
use cec_exporter::simulator::faults::ResultFaults;
use cec_exporter::simulator::inspection::Kind;
use cec_exporter::upstream::Upstream;

use crate::support::pulled::client;
use crate::support::simulated::{SimulatedVendor, settled};

/// What is known of scenarios and rules, as the simulator says it.
type Counted = BTreeMap<(String, String), u64>;

fn add(counted: &mut Counted, inspection: &Inspection) {
    let mut count = |scenario: &str, what: String| {
        *counted.entry((scenario.to_owned(), what)).or_default() += 1;
    };
    for result in &inspection.scenarios {
        let id = &result.scenario.id;
        count(id, format!("score {}", result.score.unwrap().units()));
        for rule in &result.rules {
            let (kind, kept) = (rule.kind.label(), rule.kept);
            count(
                id,
                format!("{kind} {} {} {kept}", rule.rule.id, rule.rule.name),
            );
        }
    }
}

fn expected(results: &ExpectedResults) -> Counted {
    let mut counted = Counted::new();
    for (id, scenario) in &results.scenarios {
        let mut count = |what: String, number: u64| {
            if number > 0 {
                counted.insert(((*id).to_owned(), what), number);
            }
        };
        for (score, calls) in &scenario.scores {
            count(format!("score {score}"), *calls);
        }
        for (rule, truth) in &scenario.rules {
            let kind = match truth.kind {
                Kind::Dialogue => "dialogue",
                Kind::Silence => "silence",
                Kind::Speed => "speed",
                Kind::Interposal => "interposal",
            };
            let name = truth.name;
            count(format!("{kind} {rule} {name} true"), truth.kept);
            count(format!("{kind} {rule} {name} false"), truth.violated);
        }
    }
    counted
}

fn succeeded(vendor: &SimulatedVendor) -> Vec<String> {
    let now = vendor.simulator.now() as u32;
    let mut world = vendor.simulator.world();
    let calls = world.calls(0, now, now);
    let succeeded = calls.filter(|call| call.first_success(now).is_some());
    succeeded.map(|call| call.uuid()).collect()
}

/// Reads the results of all calls.
async fn read(vendor: &SimulatedVendor) -> Vec<Inspection> {
    let client = client(&vendor.endpoint);
    let mut inspections = Vec::new();
    for call in succeeded(vendor) {
        inspections.push(client.inspection(&call).await.unwrap());
    }
    inspections
}

#[tokio::test]
async fn scores_and_rules_are_those_of_the_vendor() {
    for (as_object, wrong_types) in [(false, false), (true, true)] {
        let vendor = SimulatedVendor::frozen(settled(300)).with_faults(|faults| {
            faults.results = ResultFaults {
                as_object,
                wrong_types,
                ..ResultFaults::default()
            };
        });
        let mut counted = Counted::new();
        for inspection in read(&vendor).await {
            assert_eq!(inspection.rejected, 0);
            add(&mut counted, &inspection);
        }
        assert_eq!(counted, expected(&vendor.simulator.results(None, None)));
    }
}

/// Reads results with this content.
async fn read_with(results: ResultFaults) -> Vec<Inspection> {
    let vendor = SimulatedVendor::frozen(settled(20));
    vendor.set_faults(|faults| faults.results = results);
    let inspections = read(&vendor).await;
    let has_scenarios = |inspection: &Inspection| !inspection.scenarios.is_empty();
    assert!(inspections.iter().filter(|one| has_scenarios(one)).count() > 10);
    inspections.into_iter().filter(has_scenarios).collect()
}

#[tokio::test]
async fn hostile_names_are_cleaned() {
    let hostile = ResultFaults {
        hostile_names: true,
        ..ResultFaults::default()
    };
    for inspection in read_with(hostile).await {
        assert_eq!(inspection.rejected, 0);
        for found in inspection.scenarios {
            let rules = found.rules.into_iter().map(|result| result.rule);
            for named in rules.chain([found.scenario]) {
                assert_eq!(named.name.chars().count(), 100);
                let is_hidden = |c: char| c.is_control() || "\u{202e}\u{200b}".contains(c);
                assert!(!named.name.contains(is_hidden), "{named:?}");
            }
        }
    }
}

#[tokio::test]
async fn at_most_2000_rules_are_taken_of_a_call() {
    let many = ResultFaults {
        extra_rules: 2500,
        ..ResultFaults::default()
    };
    for inspection in read_with(many).await {
        let rules = inspection.scenarios.iter().map(|found| found.rules.len());
        assert_eq!(rules.sum::<usize>(), 2000);
        assert!(inspection.rejected >= 500, "{}", inspection.rejected);
        let scores = inspection.scenarios.iter().filter_map(|found| found.score);
        assert_eq!(scores.count(), inspection.scenarios.len());
    }
}
