//! The inspection result of a call, as the vendor or anything between here and there may send it.

#![no_main]

use cec_exporter::model::ScenarioResult;
use cec_exporter::upstream::response::parse_inspection;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(inspection) = parse_inspection(body, &[]) {
        assert!(inspection.scenarios.len() <= 50);
        let rules = inspection.scenarios.iter().map(|found| found.rules.len());
        assert!(rules.sum::<usize>() <= 2000);
        for found in &inspection.scenarios {
            assert!(found.score.is_none_or(|score| score <= ScenarioResult::MAX_SCORE));
            let names = found.rules.iter().map(|rule| &rule.rule);
            for named in names.chain([&found.scenario]) {
                assert!(!named.id.is_empty() && !named.name.is_empty());
                assert!(named.name.chars().count() <= 100);
            }
        }
    }
});
