//! Faults in the content of inspection results.

use serde::{Deserialize, Serialize};

/// All off by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResultFaults {
    /// Maximum requests for results per second of the clock; further ones get 429.
    pub requests_per_second: Option<u32>,
    /// An object in place of a list with a single result.
    pub as_object: bool,
    /// Numbers and booleans are strings, and ids of rules are numbers.
    pub wrong_types: bool,
    /// Names are long and contain control characters and marks that reverse or hide text.
    pub hostile_names: bool,
    /// Further rules of each scenario, all kept.
    pub extra_rules: u32,
    /// The vendor no longer knows deleted calls.
    pub deleted_unknown: bool,
}
