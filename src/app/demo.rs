//! The exporter and the simulator in one process: something to look at, without an account.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use super::fleet::{self, Fleet, Setup};
use super::storage::Storage;
use super::{BUILD, Stop, bind, signals, since_epoch, wall_clock};
use crate::cli::DemoArgs;
use crate::config;
use crate::config::shard::Shard;
use crate::metrics::exposition::Format;
use crate::server::{self, Scope, Site};
use crate::simulator::spec::Spec;
use crate::simulator::{self, Simulator};

/// A call every other second, at any hour, so that something happens while one looks.
const CALLS_PER_DAY: f64 = 40_000.0;
/// Calls pass through inspection in seconds instead of minutes.
const PIPELINE_SPEED: f64 = 12.0;
const HISTORY: Duration = Duration::from_secs(86_400);

/// Runs until it is stopped.
pub(super) async fn run(arguments: DemoArgs) -> Result<(), Stop> {
    let mut signals = signals::Signals::new()?;
    let listeners = bind(&arguments.listen_addresses).await?;
    let vendor = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", vendor.local_addr()?);
    let spec = Spec {
        seed: arguments.seed,
        start: wall_clock()().saturating_sub(HISTORY.as_secs() as u32),
        calls_per_day: CALLS_PER_DAY,
        // With the usual nights, hardly anything would move for those who look at night.
        flat: true,
        pipeline_speed: PIPELINE_SPEED,
        // Each speaker that is not named makes series of a role of its own.
        null_share: 0.0,
        ..Spec::default()
    };
    let simulator = Arc::new(Simulator::new(
        spec,
        Arc::new(|| since_epoch().as_secs_f64()),
    ));
    let simulated = tokio::spawn(simulator::http::run(
        vendor,
        simulator,
        std::future::pending::<()>(),
    ));
    let directory = tempfile::Builder::new()
        .prefix("cec_exporter-demo-")
        .tempdir()?;
    let config = configuration(&endpoint)?;
    let setup = Setup {
        load: Arc::new(move || configuration(&endpoint)),
        shard: Shard::WHOLE,
        storage: Storage::Directory(directory.path().to_owned()),
        clock: wall_clock(),
        build: BUILD,
        exemplars: arguments.exemplars,
        created_lines: arguments.created_timestamps,
    };
    let fleet = Fleet::new(config, setup).await?;
    // The ledger is open and needs no name from here on: nothing is left behind, not even by a
    // process that is killed.
    directory.close()?;
    let fleet = Arc::new(fleet);
    // The first page that is opened shows a whole day.
    let patience = Instant::now() + Duration::from_secs(30);
    let _ = fleet
        .scrape(None, Scope::Everything, Format::Text, patience)
        .await;
    for listener in &listeners {
        let port = listener.local_addr()?.port();
        println!("status page: http://localhost:{port}/");
        println!("metrics:     http://localhost:{port}/metrics");
    }
    println!("Simulated calls, nothing is kept. Ctrl-C ends it.");
    let halting = Arc::clone(&fleet);
    let shutdown = async move {
        while signals.next().await == signals::Signal::Reload {}
        fleet::halt_later(halting);
    };
    server::run(
        listeners,
        Arc::clone(&fleet),
        server::Settings::default(),
        shutdown,
    )
    .await;
    fleet.stop().await;
    simulated.abort();
    Ok(())
}

/// The simulator takes any key; it has no rate limit, so a day is read in a moment.
fn configuration(endpoint: &str) -> Result<config::Config, config::ConfigError> {
    config::from_text(&format!(
        "targets:
- name: demo
  endpoint: {endpoint}
  app_key: demo
  app_secret: demo
  user_id: demo
  page_size: 1000
  min_pull_interval: 1s
  max_requests_per_second: 1000
"
    ))
}
