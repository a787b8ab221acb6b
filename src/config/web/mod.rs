//! The file `--web.config.file`: TLS, users, headers and a rate limit, in the format of
//! Prometheus's exporter-toolkit.
//!
//! [`WebFile`] reads it anew whenever it is asked, so that renewed certificates and changed users
//! hold from the next connection or request on.

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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::HeaderMap;
use rustls::ServerConfig;

use super::error::ConfigError;
use super::files;
use super::secret::Secret;
use server::Pem;
use tls::Tls;

/// Largest file in bytes, for this file and for each that it refers to.
const MAX_BYTES: u64 = 1 << 20;

/// What the file says, apart from TLS.
#[derive(Clone, Default, Debug)]
pub struct WebConfig {
    /// Names and their passwords' bcrypt hashes; without any, everybody is let in.
    pub users: BTreeMap<String, Secret>,
    /// Headers for every answer.
    pub headers: HeaderMap,
    /// Whether HTTP/2 is not offered to clients that connect over TLS.
    pub http1_only: bool,
    /// How many requests are answered; `None` is all of them.
    pub rate_limit: Option<RateLimit>,
    /// What to tell the operator: settings that are taken otherwise than written.
    pub warnings: Vec<String>,
    tls: Option<Tls>,
}

/// A bucket of tokens: a request takes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// How long it takes to make a token.
    pub interval: Duration,
    /// How many tokens the bucket holds.
    pub burst: u32,
}

/// The file, and what it said when it was last read.
#[derive(Debug)]
pub struct WebFile {
    path: PathBuf,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    /// The file as it was, to see without reading it whether it says something else.
    text: Vec<u8>,
    config: Arc<WebConfig>,
    /// What was last made of it for TLS, whose certificates are in files of their own.
    tls: Option<Made>,
}

#[derive(Debug)]
struct Made {
    config: Arc<WebConfig>,
    pem: Pem,
    server: Arc<ServerConfig>,
}

impl WebFile {
    /// Reads the file and all that it refers to. Blocks for as long as that takes, as all that can
    /// be done with it does.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path)?;
        let config = Arc::new(parse(&text, path)?);
        let file = Self {
            path: path.to_owned(),
            last: Mutex::new(Last {
                text,
                config,
                tls: None,
            }),
        };
        file.tls()?;
        Ok(file)
    }

    /// What the file says now of requests. The same `Arc` for as long as it is the same.
    ///
    /// A file that has become empty is an error: an editor that writes a file starts with an
    /// empty one, and in that moment nobody may come in without a password.
    pub fn config(&self) -> Result<Arc<WebConfig>, ConfigError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut last)
    }

    /// What the file and its certificates say now of connections; `None` is plain HTTP.
    ///
    /// Once there was TLS, a file without it is an error.
    pub fn tls(&self) -> Result<Option<Arc<ServerConfig>>, ConfigError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let config = self.refresh(&mut last)?;
        let Some(tls) = &config.tls else {
            return match last.tls {
                None => Ok(None),
                Some(_) => Err(ConfigError::key(
                    "tls_server_config",
                    "expected it as before: TLS is not turned off without a restart",
                )
                .in_file(&self.path)),
            };
        };
        let in_file = |error: ConfigError| error.in_file(&self.path);
        let pem = tls.read_files().map_err(in_file)?;
        if let Some(made) = &last.tls
            && Arc::ptr_eq(&made.config, &config)
            && made.pem == pem
        {
            return Ok(Some(Arc::clone(&made.server)));
        }
        let server = Arc::new(tls.server(&pem, !config.http1_only).map_err(in_file)?);
        last.tls = Some(Made {
            pem,
            server: Arc::clone(&server),
            config,
        });
        Ok(Some(server))
    }

    fn refresh(&self, last: &mut Last) -> Result<Arc<WebConfig>, ConfigError> {
        let text = read_text(&self.path)?;
        if text != last.text {
            let is_empty = |text: &[u8]| text.trim_ascii().is_empty();
            if is_empty(&text) && !is_empty(&last.text) {
                let message = "has become empty; to turn everything in it off, restart";
                return Err(ConfigError::plain(message).in_file(&self.path));
            }
            let config = parse(&text, &self.path)?;
            // Half of a file that is written in place can be a whole one without its users.
            if config.users.is_empty() && !last.config.users.is_empty() {
                let message = "expected users as before: passwords are not turned off without a \
                    restart";
                return Err(ConfigError::key("basic_auth_users", message).in_file(&self.path));
            }
            let strictness = |config: &WebConfig| config.tls.as_ref().map(Tls::strictness);
            if strictness(&config) < strictness(&last.config) && config.tls.is_some() {
                let message = "expected certificates of clients to be asked for as before: that \
                    is not turned off without a restart";
                let key = "tls_server_config.client_auth_type";
                return Err(ConfigError::key(key, message).in_file(&self.path));
            }
            last.config = Arc::new(config);
            last.text = text;
        }
        Ok(Arc::clone(&last.config))
    }
}

fn read_text(path: &Path) -> Result<Vec<u8>, ConfigError> {
    files::read(path, MAX_BYTES)
        .map_err(|error| ConfigError::plain(error.to_string()).in_file(path))
}

fn parse(text: &[u8], path: &Path) -> Result<WebConfig, ConfigError> {
    let directory = path.parent().unwrap_or(Path::new(""));
    super::utf8(text)
        .and_then(|text| settings::parse(text, directory))
        .map_err(|error| error.in_file(path))
}
