//! The steps of a check, one after the other until one fails.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::report::Step;
use crate::client::probe::{Connection, Endpoint};
use crate::targets::listed;
use crate::upstream::Error;

/// Addresses of a host to show.
const MAX_SHOWN: usize = 4;
/// The detail of a step that depends on a failed one.
pub(super) const NOT_TRIED: &str = "not tried";

/// The results so far.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) all: Vec<Step>,
    /// How each request of the client has ended, since the last step.
    pub(super) codes: Arc<Mutex<Vec<String>>>,
}

impl Steps {
    /// Resolves a host, connects and does the TLS handshake. Returns whether all of it worked.
    pub(super) async fn reach(&mut self, endpoint: &Endpoint) -> bool {
        let (host, key) = (endpoint.host(), endpoint.key);
        let addresses = if endpoint.has_name() {
            let found = async {
                let found = endpoint.resolve().await?;
                let text = format!("{host} is {}", listed(&found, MAX_SHOWN));
                Ok((found, text))
            };
            self.attempt("dns", key, true, found).await
        } else {
            self.skip("dns", key, format!("{host} is an address"));
            // An address resolves to itself.
            endpoint.resolve().await.ok()
        };
        let connecting = async {
            let connection = endpoint
                .connect(addresses.as_deref().unwrap_or_default())
                .await?;
            let text = connected(endpoint, &connection);
            Ok((connection, text))
        };
        let is_known = addresses.is_some();
        let connection = self.attempt("connect", key, is_known, connecting).await;
        let Some(connection) = connection else {
            self.skip("tls", key, NOT_TRIED);
            return false;
        };
        if !endpoint.has_tls() {
            let reason = format!("not used: {key} begins with http://");
            self.skip("tls", key, reason);
            return true;
        }
        let greeting = async { Ok(((), endpoint.handshake(connection).await?.to_owned())) };
        self.attempt("tls", key, true, greeting).await.is_some()
    }

    /// Runs a step if those that it depends on succeeded, and records its result.
    pub(super) async fn attempt<T>(
        &mut self,
        step: &'static str,
        key: &'static str,
        possible: bool,
        work: impl Future<Output = Result<(T, String), Error>>,
    ) -> Option<T> {
        if !possible {
            self.skip(step, key, NOT_TRIED);
            return None;
        }
        let began = Instant::now();
        let result = work.await;
        let took = began.elapsed();
        let codes = std::mem::take(&mut *self.codes.lock());
        let more = match codes.len() {
            0 | 1 => String::new(),
            // Serving would need them too.
            number => format!(" ({number} requests: {})", codes.join(", ")),
        };
        let (value, text) = match result {
            Ok((value, text)) => (Some(value), Ok(text + &more)),
            Err(error) => {
                let message = error.message + &more;
                (None, Err(Error { message, ..error }))
            }
        };
        self.all.push(Step::tried(step, key, took, text));
        value
    }

    pub(super) fn skip(
        &mut self,
        step: &'static str,
        key: &'static str,
        reason: impl Into<String>,
    ) {
        self.all.push(Step::skipped(step, key, reason));
    }
}

fn connected(endpoint: &Endpoint, connection: &Connection) -> String {
    let mut text = connection.address.to_string();
    for (address, why) in &connection.failed {
        text += &format!("; not {address}: {why}");
    }
    if endpoint.is_to_proxy {
        text += "; the rest goes through this proxy";
    }
    text
}
