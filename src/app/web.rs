//! The web configuration file as the server's protection.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;

use crate::config::ConfigError;
use crate::config::web::{WebConfig, WebFile};
use crate::server::{Protection, RateLimit, Rules};

/// What the file at `path` asks of clients, now and whenever it says something else. Reads it and
/// all that it refers to, and blocks for as long.
pub fn protection(path: &Path) -> Result<Arc<dyn Protection>, ConfigError> {
    let file = WebFile::open(path)?;
    let config = file.config()?;
    let last = Mutex::new((Arc::new(rules(&config)), config));
    Ok(Arc::new(FromFile { file, last }))
}

#[derive(Debug)]
struct FromFile {
    file: WebFile,
    /// Made from the configuration beside it.
    last: Mutex<(Arc<Rules>, Arc<WebConfig>)>,
}

impl Protection for FromFile {
    fn tls(&self) -> Result<Option<Arc<ServerConfig>>, String> {
        self.file.tls().map_err(|error| error.to_string())
    }

    fn rules(&self) -> Result<Arc<Rules>, String> {
        let config = self.file.config().map_err(|error| error.to_string())?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&last.1, &config) {
            tracing::info!("the web configuration has changed");
            *last = (Arc::new(rules(&config)), config);
        }
        Ok(Arc::clone(&last.0))
    }
}

fn rules(config: &WebConfig) -> Rules {
    for warning in &config.warnings {
        tracing::warn!("web configuration: {warning}");
    }
    let users = config.users.iter();
    Rules {
        users: users
            .map(|(name, hash)| (name.clone(), hash.expose().to_owned()))
            .collect(),
        headers: config.headers.clone(),
        rate_limit: config.rate_limit.map(|limit| RateLimit {
            interval: limit.interval,
            burst: limit.burst,
        }),
    }
}
