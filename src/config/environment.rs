//! One target from environment variables, for containers and first steps.

use std::path::Path;

use serde_saphyr::{Location, Spanned};

use super::error::ConfigError;
use super::interpolate::Environment;
use super::section::{Section, WrittenIn};
use super::target::{Keys, Layer, Target};

/// The variables that describe a target.
pub(super) const NAMES: [&str; 7] = [
    "CEC_ENDPOINT",
    "CEC_TOKEN_ENDPOINT",
    "CEC_APP_KEY",
    "CEC_APP_SECRET",
    "CEC_APP_SECRET_FILE",
    "CEC_USER_ID",
    "CEC_TENANT_SPACE_ID",
];

/// Reads the target; `None` without `CEC_ENDPOINT`. An empty variable counts as unset.
pub(super) fn target(environment: Environment<'_>) -> Result<Option<Target>, ConfigError> {
    let scalar = |text| Spanned::new(text, Location::UNKNOWN, Location::UNKNOWN);
    let variable = |name| {
        environment(name)
            .filter(|text| !text.is_empty())
            .map(scalar)
    };
    let [
        endpoint,
        token_endpoint,
        app_key,
        app_secret,
        app_secret_file,
        user_id,
        tenant_space_id,
    ] = NAMES.map(variable);
    if endpoint.is_none() {
        return Ok(None);
    }
    let keys = Keys {
        name: Some(scalar("default".to_owned())),
        endpoint,
        token_endpoint,
        app_key,
        app_secret,
        app_secret_file,
        user_id,
        tenant_space_id,
        ..Keys::default()
    };
    let layer = |keys| Layer {
        keys,
        section: Section {
            written_in: WrittenIn::Variables,
            directory: Path::new(""),
            max_list: 0,
        },
    };
    Target::read(&layer(&keys), &layer(&Keys::default()), environment).map(Some)
}
