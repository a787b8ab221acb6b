//! Whether the vendor gives the inspection result of a call.

use crate::model::{Inspection, Record, Status};
use crate::upstream::Page;

use super::report::counted;

/// The detail of the step if there is no call to try it with.
pub(super) const NO_CALL: &str = "not tried: no call on the page has succeeded";

/// The first call of a page that has a result.
pub(super) fn candidate(page: &Page) -> Option<String> {
    let calls = page.records.iter();
    let succeeded = calls.filter(|call| call.status == Status::SUCCEEDED);
    let id = |call: &Record| match &call.written_id {
        Some(written) => Some(written.to_string()),
        None => call.id.uuid().map(|uuid| uuid.to_string()),
    };
    succeeded.filter_map(id).next()
}

/// The detail of the step with this result.
pub(super) fn describe(inspection: &Inspection) -> String {
    let scenarios = &inspection.scenarios;
    let rules: usize = scenarios.iter().map(|scenario| scenario.rules.len()).sum();
    let mut text = format!(
        "a call was inspected for {} and {}",
        counted(scenarios.len() as u64, "scenario"),
        counted(rules as u64, "rule")
    );
    if inspection.rejected > 0 {
        let unusable = counted(inspection.rejected.into(), "part");
        text += &format!("; {unusable} of its result cannot be used");
    }
    text
}

#[cfg(test)]
mod tests;
