//! The HTTP server for Prometheus, probes and people, in front of the registry of targets.
//!
//! A client that misbehaves does not keep others from being served: every wait for a client has a
//! time limit ([`Limits`]), and when all connections are taken, the one that has waited longest
//! for its client is closed. When responses take too much memory, the connection that has kept them
//! waiting longest is closed.

mod accept;
mod auth;
mod connection;
mod connections;
mod deadline;
mod host;
mod listen;
mod memory;
mod negotiation;
mod paths;
mod query;
mod respond;
mod routes;
mod scrape;
mod shared_scrapes;
mod slots;
mod status_page;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

pub use auth::log_warnings;
pub use listen::{ListenAddress, bind, bind_one, systemd_listeners};
pub use paths::{ExternalUrl, route_prefix, telemetry_path};

use crate::config::web::WebFile;
use crate::targets::Registry;
use accept::Listeners;
use connections::Connections;
use routes::Service;

/// The operator's settings.
#[derive(Debug)]
pub struct Settings {
    /// Of the metrics.
    pub telemetry_path: String,
    /// Of every path: empty, or begins with a slash and ends without one.
    pub route_prefix: String,
    /// Whether `POST /-/reload` is allowed.
    pub enable_lifecycle: bool,
    /// Subtracted from Prometheus's scrape timeout, so that the response arrives in time.
    pub timeout_offset: Duration,
    /// Scrapes and probes answered at once, 0 for any number; further ones get 503.
    pub max_requests: usize,
    /// TLS, passwords, headers and the rate limit. `None` is plain HTTP for everyone.
    pub web_config: Option<WebFile>,
    /// Whether `/-/healthy` needs no password even if other paths do.
    pub healthy_without_auth: bool,
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            telemetry_path: "/metrics".to_owned(),
            route_prefix: String::new(),
            enable_lifecycle: false,
            timeout_offset: Duration::from_millis(500),
            max_requests: 0,
            web_config: None,
            healthy_without_auth: false,
            limits: Limits::default(),
        }
    }
}

/// How much time and room a client may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the connection to the end of its TLS handshake. Default: 10 s.
    pub handshake: Duration,
    /// From the first byte of a request (from the connection, for its first request) to the end
    /// of its headers. Default: 10 s.
    pub header_read: Duration,
    /// Between a response and the first byte of the next request. Default: 3 min, so that
    /// Prometheus keeps its connection at a scrape interval of two minutes.
    pub idle: Duration,
    /// From the first byte of a response to the last. Default: 30 s.
    pub response_write: Duration,
    /// From the shutdown until pulls end and the scrapes that wait for them are answered: long
    /// enough for most pulls, and less than the 10 s after which containers are killed.
    /// Default: 5 s.
    pub pull_grace: Duration,
    /// From the shutdown to the end of the last response. Default: 15 s.
    pub shutdown: Duration,
    /// Connections at once. Default: 512, which with the files of the storage is below the usual
    /// limit of 1,024 open files.
    pub connections: usize,
    /// Bytes of a request line with its headers; at least 8 KiB. Default: 16 KiB.
    pub header_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(180),
            response_write: Duration::from_secs(30),
            pull_grace: Duration::from_secs(5),
            shutdown: Duration::from_secs(15),
            connections: 512,
            header_bytes: 16 * 1024,
        }
    }
}

/// Serves until `shutdown` completes, then answers what is in flight and returns.
///
/// From the shutdown on, no connection is accepted, idle ones are closed at once, and responses that
/// take longer than [`Limits::shutdown`] are cut.
pub async fn run(
    listeners: Vec<TcpListener>,
    registry: Arc<Registry>,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut listeners = Listeners::new(listeners);
    let pull_grace = settings.limits.pull_grace;
    let service = Arc::new(Service::new(Arc::clone(&registry), settings));
    let mut connections = Connections::new(service);
    let mut warned: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            () = connections.next_closed() => continue,
            accepted = listeners.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => tokio::select! {
                () = &mut shutdown => break,
                () = connections.add(stream, peer) => {}
            },
            Err(error) if accept::is_of_one_connection(&error) => {}
            Err(error) => {
                if accept::is_out_of_files(&error) {
                    connections.slots.shrink();
                }
                if warned.is_none_or(|last| last.elapsed() > accept::QUIET) {
                    warned = Some(Instant::now());
                    let limit = connections.slots.limit;
                    tracing::warn!(%error, limit, "cannot accept more connections; raise the limit of \
                        open files, or find the client that opens them");
                }
                tokio::select! {
                    () = &mut shutdown => break,
                    () = sleep(accept::PAUSE) => {}
                }
            }
        }
    }
    drop(listeners);
    let answer_waiting = async {
        sleep(pull_grace).await;
        registry.stop_pulls().await;
        std::future::pending().await
    };
    tokio::select! {
        () = connections.finish() => {}
        () = answer_waiting => {}
    }
}
