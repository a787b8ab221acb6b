//! The HTTP server: what Prometheus, probes and people ask of the exporter.
//!
//! It knows nothing of calls and how they are read; everything it serves comes from a [`Site`].
//! Whatever clients do, it goes on serving the others: each wait for a client has an end
//! ([`Limits`]), and when there are too many connections the one that has kept the server
//! waiting longest makes room.

mod accept;
mod bind;
mod connection;
mod connections;
mod deadline;
mod guard;
mod gzip;
mod host;
mod http2;
mod negotiation;
mod query;
mod routes;
mod scrapes;
mod shared;
mod site;
mod status_page;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

pub use bind::{BindError, bind};
pub use guard::{Protection, RateLimit, Rules};
pub use site::{
    CallCount, LastError, LastPull, Outcome, SkippedWindow, StatusView, TargetState, TargetView,
};
pub use site::{NotReloaded, Scope, Site, UnknownTarget};

use accept::Listeners;
use connections::Connections;

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path of the scrape; begins with a slash. Default: `/metrics`.
    pub telemetry_path: String,
    /// In front of every path: empty, or begins with a slash and ends without one. Default: empty.
    pub route_prefix: String,
    /// Whether `POST /-/reload` is allowed. Default: no.
    pub enable_lifecycle: bool,
    /// Taken off the time that Prometheus gives a scrape, for the way back. Default: 500 ms.
    pub timeout_offset: Duration,
    /// Scrapes and probes answered at once, 0 for any number; further ones get 503. Default: 0.
    pub max_requests: usize,
    /// What is asked of clients: TLS, passwords. Default: nothing.
    pub protection: Option<Arc<dyn Protection>>,
    /// Whether `/-/healthy` is answered without a password where others need one. Default: no.
    pub healthy_without_auth: bool,
    /// How long to wait for clients, and for how many. Not the operator's business so far.
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
            protection: None,
            healthy_without_auth: false,
            limits: Limits::default(),
        }
    }
}

impl Settings {
    /// Whether a request is answered without a password.
    fn is_exempt<B>(&self, request: &hyper::Request<B>) -> bool {
        let path = request.uri().path();
        self.healthy_without_auth && routes::is_health_check(request.method(), path, self)
    }
}

/// What a client may take of the server's time and room.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From a connection to the end of its TLS handshake, if it is to have one. Default: 10 s.
    pub handshake: Duration,
    /// From the first byte of a request (or from the connection, for its first request) to the
    /// end of its headers. Default: 10 s.
    pub header_read: Duration,
    /// Between an answer and the first byte of the next request. Default: 3 min, so that
    /// Prometheus keeps its connection with a scrape interval of two minutes.
    pub idle: Duration,
    /// From the first byte of an answer to the last. Default: 30 s.
    pub answer_write: Duration,
    /// From the shutdown to the end of the last answer. Default: 15 s.
    pub shutdown: Duration,
    /// Connections at once. Default: 512, which with the files of the storage stays below the
    /// 1,024 open files that many systems allow a process.
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
            answer_write: Duration::from_secs(30),
            shutdown: Duration::from_secs(15),
            connections: 512,
            header_bytes: 16 * 1024,
        }
    }
}

/// Serves `site` until `shutdown` is ready; then answers what is in flight and returns.
///
/// From the shutdown on no connection is accepted, idle ones are closed at once, and answers
/// that take longer than [`Limits::shutdown`] are cut.
pub async fn run<S: Site>(
    listeners: Vec<TcpListener>,
    site: Arc<S>,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut listeners = Listeners::new(listeners);
    let mut connections = Connections::new(site, Arc::new(settings));
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
            Err(error) if accept::is_the_clients(&error) => {}
            Err(error) => {
                connections.shrink();
                if warned.is_none_or(|last| last.elapsed() > accept::QUIET) {
                    warned = Some(Instant::now());
                    let room = connections.room();
                    tracing::warn!(%error, room, "cannot accept more connections");
                }
                tokio::select! {
                    () = &mut shutdown => break,
                    () = tokio::time::sleep(accept::PAUSE) => {}
                }
            }
        }
    }
    drop(listeners);
    connections.finish().await;
}
