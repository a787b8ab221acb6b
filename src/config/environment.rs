//! One target from environment variables, for containers and first steps.

use std::path::Path;

use super::address;
use super::error::ConfigError;
use super::files;
use super::interpolate::Environment;
use super::target::{Placed, Settings, Target};
use super::value::{self, Problem};

/// The variables that a target comes from.
pub(super) const NAMES: [&str; 7] = [
    "CEC_ENDPOINT",
    "CEC_TOKEN_ENDPOINT",
    "CEC_APP_KEY",
    "CEC_APP_SECRET",
    "CEC_APP_SECRET_FILE",
    "CEC_USER_ID",
    "CEC_TENANT_SPACE_ID",
];

/// Reads the target; `None` if there is no `CEC_ENDPOINT`. An empty variable is as good as none.
pub(super) fn target(environment: Environment<'_>) -> Result<Option<Target>, ConfigError> {
    let variables = Variables(environment);
    let Some(endpoint) = variables.read("CEC_ENDPOINT", address::endpoint)? else {
        return Ok(None);
    };
    let secret = variables.read("CEC_APP_SECRET", value::secret)?;
    let secret_file = variables.read("CEC_APP_SECRET_FILE", value::path)?;
    let app_secret = match (secret, secret_file) {
        (Some(_), Some(_)) => {
            let message = "expected either CEC_APP_SECRET or CEC_APP_SECRET_FILE, got both";
            return Err(ConfigError::key("CEC_APP_SECRET_FILE", message));
        }
        (secret, None) => secret.map(|secret| (secret, None)),
        (None, Some(file)) => {
            let secret = files::secret(Path::new(&file))
                .map_err(|message| ConfigError::key("CEC_APP_SECRET_FILE", message))?;
            Some((secret, Some(file.into())))
        }
    };
    let name = Placed {
        value: "default".to_owned(),
        key: "name".to_owned(),
        position: None,
    };
    let settings = Settings {
        name: Some(name),
        endpoint: Some(endpoint),
        token_endpoint: variables
            .read("CEC_TOKEN_ENDPOINT", address::plain_url)?
            .map(Some),
        app_key: variables.read("CEC_APP_KEY", value::secret)?,
        app_secret,
        user_id: variables.read("CEC_USER_ID", value::header)?,
        tenant_space_id: variables
            .read("CEC_TENANT_SPACE_ID", value::header)?
            .map(Some),
        ..Settings::default()
    };
    settings
        .target(&Settings::default(), environment, missing)
        .map(Some)
}

struct Variables<'a>(Environment<'a>);

impl Variables<'_> {
    fn read<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.0(name).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        parse(&text)
            .map(Some)
            .map_err(|problem| ConfigError::key(name, problem.about(&text)))
    }
}

fn missing(key: &str) -> ConfigError {
    let name = format!("CEC_{}", key.to_ascii_uppercase());
    let message = match key {
        "app_secret" => "expected it or CEC_APP_SECRET_FILE, as CEC_ENDPOINT is set",
        _ => "expected a value, as CEC_ENDPOINT is set",
    };
    ConfigError::key(name, message)
}
