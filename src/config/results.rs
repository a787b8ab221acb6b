//! Requests for the result of the inspection of single calls.

use serde::Deserialize;

use super::error::ConfigError;
use super::section::Section;
use super::value::{boolean, rate, share, whole};
use super::yaml::Scalar;

/// Which results to request, and how many. All values are checked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Results {
    /// Share of the calls whose result is requested, from 0 to 1. Default: 1.
    pub share: f64,
    /// Separate from the budget of the list. Default: 1.
    pub max_requests_per_second: f64,
    /// Most rules with a series of their own. Default: 200.
    pub max_rules: u32,
}

/// The keys below `results`, as they are written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keys {
    enabled: Scalar,
    share: Scalar,
    max_requests_per_second: Scalar,
    max_rules: Scalar,
}

impl Results {
    /// Reads the keys of a target and those of `defaults`; `None` if results are not enabled.
    pub(super) fn read(
        own: (&Section<'_>, &Option<Keys>),
        defaults: (&Section<'_>, &Option<Keys>),
    ) -> Result<Option<Self>, ConfigError> {
        let none = Keys::default();
        let [own, defaults] =
            [own, defaults].map(|(section, keys)| (section, keys.as_ref().unwrap_or(&none)));
        macro_rules! read {
            ($key:ident, $parse:expr) => {{
                let key = concat!("results.", stringify!($key));
                let default = defaults.0.read(key, &defaults.1.$key, $parse)?;
                own.0.read(key, &own.1.$key, $parse)?.or(default)
            }};
        }
        let enabled = read!(enabled, boolean).unwrap_or(false);
        let results = Self {
            share: read!(share, share).unwrap_or(1.0),
            max_requests_per_second: read!(max_requests_per_second, rate).unwrap_or(1.0),
            max_rules: read!(max_rules, whole(0..=10_000)).unwrap_or(200),
        };
        Ok(enabled.then_some(results))
    }
}
