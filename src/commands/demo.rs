//! `demo`: the exporter and the simulator in one process, to look around without an account.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::backfill::plan::Plan;
use crate::backfill::{Days, Job};
use crate::cli::{self, DemoArgs, DemoHistoryArgs, Time};
use crate::client::tls::Trust;
use crate::config::shard::Shard;
use crate::config::{self, Config, ConfigError};
use crate::metrics::exposition::Format;
use crate::process::{self, Fatal, Signals};
use crate::server;
use crate::simulator::incidents::month;
use crate::simulator::spec::Spec;
use crate::simulator::{self, Simulator};
use crate::targets::{Options, Registry, Scope, ScrapeRequest, Storage};

/// A call every other second at any hour, so that something happens while you watch.
const CALLS_PER_DAY: f64 = 40_000.0;
/// Calls pass through inspection in seconds instead of minutes.
const PIPELINE_SPEED: f64 = 12.0;
const HISTORY: Duration = Duration::from_secs(86_400);
/// Of a day within a longer history.
const HISTORY_CALLS_PER_DAY: f64 = 12_000.0;
/// Seconds between samples of the history: half as many as usual, because a day of them has
/// 80 MB of text.
const STEP: u32 = 120;
const WEEKEND_SHARE: f64 = 0.35;
/// How long to wait for the first pull before the URLs are printed.
const FIRST_PULL: Duration = Duration::from_secs(120);

/// Runs until SIGTERM or SIGINT.
pub async fn run(arguments: DemoArgs) -> Result<ExitCode, Fatal> {
    let signals = Signals::new()?;
    let listeners = server::bind(&arguments.listen_addresses).await?;
    let vendor = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", vendor.local_addr()?);
    let contact_centre = Arc::new(simulator(arguments.seed, arguments.history.history));
    let teams = contact_centre.world().spec().teams_csv();
    let (_open_file, teams_file) = unnamed_file(&teams)?;
    let simulated = tokio::spawn(simulator::http::run(
        vendor,
        Arc::clone(&contact_centre),
        std::future::pending::<()>(),
    ));
    // A day of their series would double the files of the history.
    let agents = arguments.history.history.is_none();
    let config = configuration(&endpoint, &teams_file, agents)?;
    let ledger = backfill(&arguments.history, &config).await?;
    let storage = match &ledger {
        Some(directory) => Storage::Directory(directory.path().to_owned()),
        None => Storage::InMemory,
    };
    let registry = Arc::new(Registry::new(Options {
        load: Arc::new(move || configuration(&endpoint, &teams_file, agents)),
        shard: Shard::WHOLE,
        storage,
        clock: Arc::new(process::now),
        build: cli::BUILD,
        exemplars: arguments.metrics.exemplars,
        created_lines: arguments.metrics.created_timestamps,
    }));
    registry.start(config).await?;
    // So that the first page that is opened shows a whole day.
    let everything = ScrapeRequest {
        targets: None,
        scope: Scope::Everything,
        format: Format::Text,
        gzip: false,
    };
    let _ = registry
        .scrape(&everything, Instant::now() + FIRST_PULL)
        .await;
    let mut out = io::stdout();
    for listener in &listeners {
        let port = listener.local_addr()?.port();
        writeln!(out, "status page: http://localhost:{port}/")?;
        writeln!(out, "metrics:     http://localhost:{port}/metrics")?;
    }
    writeln!(
        out,
        "The calls are simulated and nothing is kept. Press Ctrl-C to stop."
    )?;
    let settings = server::Settings::default();
    server::run(
        listeners,
        Arc::clone(&registry),
        settings,
        signals.stop(|| {}),
    )
    .await;
    registry.close().await;
    drop(ledger);
    simulated.abort();
    Ok(ExitCode::SUCCESS)
}

/// Writes the simulated history, if one is wanted. Returns the directory of the ledger that the
/// exporter continues.
async fn backfill(arguments: &DemoHistoryArgs, config: &Config) -> Result<Option<TempDir>, Fatal> {
    let (Some(history), Some(directory)) = (arguments.history, &arguments.output) else {
        return Ok(None);
    };
    let storage = tempfile::Builder::new()
        .prefix("cec_exporter-demo-")
        .tempdir()?;
    let now = process::now();
    let plan = Plan {
        from: Time::Ago(history).resolve(now),
        to: Some(now),
        step: STEP,
        labels: arguments.labels.clone(),
    };
    let job = Job {
        plan,
        between: None,
        output: directory.clone(),
        storage: storage.path().to_owned(),
        clock: process::now,
    };
    let trust = Trust::of_this_machine()?;
    for target in &config.targets {
        let client = super::backfill::client(target, None, &trust)?;
        super::backfill::one(&job, target, client, Days::All).await?;
    }
    writeln!(io::stdout(), "history:     {}", directory.display())?;
    Ok(Some(storage))
}

fn simulator(seed: u64, history: Option<Duration>) -> Simulator {
    let now = process::now();
    let spec = Spec {
        seed,
        start: Time::Ago(history.unwrap_or(HISTORY)).resolve(now),
        // Speakers without a name would add the series of another role.
        null_share: 0.0,
        ..Spec::default()
    };
    let spec = match history {
        // With the usual daily curve, hardly anything would happen at night.
        None => Spec {
            calls_per_day: CALLS_PER_DAY,
            flat: true,
            pipeline_speed: PIPELINE_SPEED,
            ..spec
        },
        Some(_) => Spec {
            calls_per_day: HISTORY_CALLS_PER_DAY,
            weekend_share: WEEKEND_SHARE,
            ..spec
        },
    };
    let incidents = history.map(|_| month(now));
    let clock = Arc::new(|| process::since_epoch().as_secs_f64());
    let simulator = Simulator::new(spec, clock);
    for (from, scenario) in incidents.unwrap_or_default() {
        simulator.world().set_scenario(scenario, from);
    }
    simulator
}

/// A file without a name, so that nothing is left behind, even by a process that is killed; and the
/// path that it has while it is open.
fn unnamed_file(text: &str) -> io::Result<(File, String)> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    let path = format!("/dev/fd/{}", file.as_raw_fd());
    Ok((file, path))
}

/// The simulator accepts any key and has no rate limit, so that a day is read in a moment.
fn configuration(endpoint: &str, teams_file: &str, agents: bool) -> Result<Config, ConfigError> {
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
  teams_file: {teams_file}
  agents: {agents}
  results: {{enabled: true, share: 0.1, max_requests_per_second: 100}}
"
    ))
}
