//! The file `--web.config.file`: TLS, users, headers and a rate limit, in the format of
//! Prometheus's exporter-toolkit.
//!
//! [`WebFile`] reads it again on every call, so that a renewed certificate or a changed user
//! applies from the next connection or request.

mod certificate;
mod client_auth;
mod go;
mod server;
mod settings;
mod source;
mod tls;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use parking_lot::Mutex;
use rustls::ServerConfig;

use super::error::ConfigError;
use super::files;
use super::secret::Secret;
use server::Pem;
use tls::Tls;

/// Largest size in bytes of this file and of each file that it names.
const MAX_BYTES: u64 = 1 << 20;

/// The settings, apart from TLS.
#[derive(Clone, Default, Debug)]
pub struct WebConfig {
    /// User names and the bcrypt hashes of their passwords. Empty: no authentication.
    pub users: BTreeMap<String, Secret>,
    /// Added to every response.
    pub headers: HeaderMap,
    /// Whether HTTP/2 is disabled over TLS.
    pub http1_only: bool,
    pub rate_limit: Option<RateLimit>,
    /// For the operator: settings that are not applied as written.
    pub warnings: Vec<String>,
    tls: Option<Tls>,
}

/// A token bucket: a request takes one token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Time between two tokens.
    pub interval: Duration,
    /// Most tokens in the bucket.
    pub burst: u32,
}

/// The file, with the settings of the last time it was read.
#[derive(Debug)]
pub struct WebFile {
    path: PathBuf,
    last: Mutex<Last>,
}

#[derive(Default, Debug)]
struct Last {
    /// The content, to notice a change without parsing it.
    text: Vec<u8>,
    config: Arc<WebConfig>,
    /// For TLS, whose certificates are in files of their own.
    tls: Option<BuiltTls>,
}

#[derive(Debug)]
struct BuiltTls {
    config: Arc<WebConfig>,
    pem: Pem,
    server: Arc<ServerConfig>,
}

impl WebFile {
    /// Reads the file and the files that it names. Blocks, as all methods do.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let file = Self {
            path: path.to_owned(),
            last: Mutex::default(),
        };
        file.tls()?;
        Ok(file)
    }

    /// The current settings for requests. The same `Arc` until they change.
    ///
    /// A file that has become empty is an error: an editor that saves a file may empty it first,
    /// and nobody may get in without a password at that moment.
    pub fn config(&self) -> Result<Arc<WebConfig>, ConfigError> {
        let refreshed = self.last.lock().refresh(&self.path);
        refreshed.map_err(|error| error.in_file(&self.path))
    }

    /// The current settings for connections; `None` is plain HTTP.
    ///
    /// A file that no longer has TLS is an error.
    pub fn tls(&self) -> Result<Option<Arc<ServerConfig>>, ConfigError> {
        let refreshed = self.last.lock().refresh_tls(&self.path);
        refreshed.map_err(|error| error.in_file(&self.path))
    }
}

impl Last {
    fn refresh(&mut self, path: &Path) -> Result<Arc<WebConfig>, ConfigError> {
        let text =
            files::read(path, MAX_BYTES).map_err(|error| ConfigError::plain(error.to_string()))?;
        if text != self.text {
            let is_empty = |text: &[u8]| text.trim_ascii().is_empty();
            if is_empty(&text) && !is_empty(&self.text) {
                let message = "has become empty; to turn everything in it off, restart";
                return Err(ConfigError::plain(message));
            }
            let directory = path.parent().unwrap_or(Path::new(""));
            let config = settings::parse(super::utf8(&text)?, directory)?;
            // While a file is written in place, its first half may be valid, without users.
            if config.users.is_empty() && !self.config.users.is_empty() {
                let message = "expected users as before: authentication is not turned off without a \
                    restart";
                return Err(ConfigError::key("basic_auth_users", message));
            }
            let strictness = |config: &WebConfig| config.tls.as_ref().map(Tls::strictness);
            // Of TLS as it is in use, too: in between, the file may have had none.
            let in_use = self.tls.as_ref().and_then(|tls| strictness(&tls.config));
            let required = strictness(&self.config).max(in_use);
            if config.tls.is_some() && strictness(&config) < required {
                let message = "expected as much of client certificates as before: that is not \
                    turned off without a restart";
                let key = "tls_server_config.client_auth_type";
                return Err(ConfigError::key(key, message));
            }
            self.config = Arc::new(config);
            self.text = text;
        }
        Ok(Arc::clone(&self.config))
    }

    fn refresh_tls(&mut self, path: &Path) -> Result<Option<Arc<ServerConfig>>, ConfigError> {
        let config = self.refresh(path)?;
        let Some(tls) = &config.tls else {
            return match self.tls {
                None => Ok(None),
                Some(_) => Err(ConfigError::key(
                    "tls_server_config",
                    "expected it as before: TLS is not turned off without a restart",
                )),
            };
        };
        let pem = tls.read_files()?;
        if let Some(built) = &self.tls
            && Arc::ptr_eq(&built.config, &config)
            && built.pem == pem
        {
            return Ok(Some(Arc::clone(&built.server)));
        }
        let server = Arc::new(tls.server(&pem, !config.http1_only)?);
        self.tls = Some(BuiltTls {
            pem,
            server: Arc::clone(&server),
            config,
        });
        Ok(Some(server))
    }
}
