//! The only place where the parts are put together.

mod backfill;
mod check;
mod demo;
mod files;
mod fleet;
mod generate;
mod healthcheck;
mod member;
mod signals;
mod storage;
mod systemd;
mod view;
mod web;

use std::fmt;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::cli::{self, Cli, Command, ListenAddress, ServeArgs};
use crate::config::shard::Shard;
use crate::config::{self, ConfigError};
use crate::metrics::exporter::Build;
use crate::model::UnixSeconds;
use crate::server;
use crate::simulator::Simulator;
use crate::simulator::args::SimulateArgs;
use fleet::{Fleet, Setup};
use storage::Storage;
pub use web::protection;

/// Does what the command line asks for.
pub async fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        None => serve(cli.serve).await,
        Some(Command::Demo(arguments)) => demo::run(arguments).await,
        Some(Command::Simulate(arguments)) => simulate(&arguments).await,
        Some(Command::Backfill(arguments)) => backfill::run(*arguments).await,
        Some(Command::Check(arguments)) => check::run(&arguments).await,
        Some(Command::Completions(arguments)) => generate::completions(arguments.shell),
        Some(Command::Man) => generate::man(),
        Some(Command::Healthcheck(arguments)) => healthcheck::run(&arguments).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Told) => ExitCode::FAILURE,
        Err(Stop::Because(reason)) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Why the program ends with exit code 1.
enum Stop {
    /// One line on stderr, for a person.
    Because(String),
    /// Everything has been said.
    Told,
}

impl<E: fmt::Display> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Because(format!("cec_exporter: {error}"))
    }
}

async fn serve(arguments: ServeArgs) -> Result<(), Stop> {
    files::raise_limit();
    let shard = match arguments.shard {
        None if arguments.total_shards > 1 => Shard::of_pod(arguments.total_shards, &variable)?,
        // The command line has seen to it that there is this one.
        given => Shard::new(given.unwrap_or(0), arguments.total_shards).unwrap_or(Shard::WHOLE),
    };
    let prefix = arguments.prefix();
    let load = move || load(arguments.config_file.as_deref());
    let config = load().map_err(|error| Stop::Because(error.to_string()))?;
    let (origin, warnings) = (config.origin.clone(), config.warnings.clone());
    // As in the toolkit, an empty path stands for no file.
    let web_config_file =
        (arguments.web_config_file.as_ref()).filter(|path| !path.as_os_str().is_empty());
    let protection = match web_config_file {
        Some(path) => Some(protection(path).map_err(|error| Stop::Because(error.to_string()))?),
        None => None,
    };
    let tls =
        (protection.as_ref()).is_some_and(|protection| matches!(protection.tls(), Ok(Some(_))));
    // Before ledgers are read, which may take a while: a signal meanwhile waits for its turn.
    let mut signals = signals::Signals::new()?;
    let listeners = match arguments.systemd_socket {
        true => systemd::listeners()?,
        false => bind(&arguments.listen_addresses).await?,
    };
    let setup = Setup {
        load: Arc::new(load),
        shard,
        storage: match arguments.in_memory {
            true => Storage::InMemory,
            false => Storage::Directory(arguments.storage_path),
        },
        clock: wall_clock(),
        build: BUILD,
        exemplars: arguments.exemplars,
        created_lines: arguments.created_timestamps,
    };
    let fleet = Fleet::new(config, setup).await?;
    // Not before: what cannot start says one line, and why.
    tell_of(&origin, &warnings);
    let fleet = Arc::new(fleet);
    let settings = server::Settings {
        telemetry_path: arguments.telemetry_path.to_string(),
        route_prefix: prefix,
        enable_lifecycle: arguments.enable_lifecycle,
        timeout_offset: arguments.timeout_offset,
        max_requests: arguments.max_requests,
        healthy_without_auth: arguments.healthy_without_auth,
        protection,
        ..server::Settings::default()
    };
    for listener in &listeners {
        let address = listener.local_addr()?;
        let path = format!("{}{}", settings.route_prefix, settings.telemetry_path);
        let status_page = match &arguments.external_url {
            Some(url) => url.to_string(),
            None => status_page(address, tls, &settings.route_prefix),
        };
        info!(%address, path, tls, version = cli::VERSION, status_page, "listening");
    }
    let reloading = Arc::clone(&fleet);
    let shutdown = async move {
        while signals.next().await == signals::Signal::Reload {
            // In a task of its own: a reload that hangs must not keep the program from ending.
            // Why one fails is logged; there is nobody else to tell.
            let fleet = Arc::clone(&reloading);
            tokio::spawn(async move { server::Site::reload(&*fleet).await });
        }
        info!("stopping");
        fleet::halt_later(reloading);
    };
    server::run(listeners, Arc::clone(&fleet), settings, shutdown).await;
    fleet.stop().await;
    Ok(())
}

/// Logs where a configuration comes from, and what is doubtful about it.
fn tell_of(origin: &config::Origin, warnings: &[String]) {
    info!(from = %origin, "configuration read");
    for warning in warnings {
        warn!("{warning}");
    }
}

/// Where a person on this machine finds the status page.
fn status_page(address: SocketAddr, tls: bool, prefix: &str) -> String {
    let scheme = if tls { "https" } else { "http" };
    match address.ip().is_unspecified() {
        true => format!("{scheme}://localhost:{}{prefix}/", address.port()),
        false => format!("{scheme}://{address}{prefix}/"),
    }
}

async fn simulate(arguments: &SimulateArgs) -> Result<(), Stop> {
    let clock: crate::simulator::Clock = Arc::new(|| since_epoch().as_secs_f64());
    let simulator = Simulator::new(arguments.spec(wall_clock()()), clock);
    simulator.set_faults(arguments.faults());
    if let Some(scenario) = arguments.scenario.clone() {
        simulator.world().set_scenario(scenario, 0);
    }
    let listener = TcpListener::bind(arguments.listen_address)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen_address))?;
    println!("endpoint: http://{}", listener.local_addr()?);
    let mut signals = signals::Signals::new()?;
    let shutdown = async move { while signals.next().await == signals::Signal::Reload {} };
    crate::simulator::http::run(listener, Arc::new(simulator), shutdown).await;
    Ok(())
}

/// Seconds by which the local clock and the vendor's may differ without a remark: less than the
/// shortest useful `overlap`, and more than a slow answer takes.
const NOTABLE_CLOCK_SKEW: f64 = 30.0;

/// What this program was built from.
const BUILD: Build = Build {
    version: cli::VERSION,
    revision: cli::REVISION,
    rustc: cli::RUSTC,
};

fn load(given: Option<&std::path::Path>) -> Result<config::Config, ConfigError> {
    config::load(given, &variable)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

async fn bind(addresses: &[ListenAddress]) -> Result<Vec<TcpListener>, server::BindError> {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    server::bind(&addresses).await
}

/// What is behind it is whole after a panic elsewhere too.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn since_epoch() -> std::time::Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

fn wall_clock() -> crate::puller::Clock {
    Arc::new(|| UnixSeconds::try_from(since_epoch().as_secs()).unwrap_or(UnixSeconds::MAX))
}
