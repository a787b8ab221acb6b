//! Serving metrics: the parts put together, signals, and the way out.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tracing::info;

use crate::cli::{self, ServeArgs};
use crate::config::shard::Shard;
use crate::config::web::WebFile;
use crate::config::{self, Config, ConfigError};
use crate::process::{self, Fatal, Signal, Signals};
use crate::server;
use crate::targets::{self, Options, Registry, Storage};

/// Serves until SIGTERM or SIGINT. SIGHUP reloads the configuration.
pub async fn serve(arguments: ServeArgs) -> Result<ExitCode, Fatal> {
    process::raise_file_limit();
    let shard = shard(&arguments)?;
    let config_file = arguments.config_file.clone();
    let load = move || load(config_file.as_deref());
    let config = load().map_err(|error| Fatal::configuration(&error))?;
    let web_config = match arguments.web_config_file() {
        Some(path) => Some(WebFile::open(path).map_err(|error| Fatal::configuration(&error))?),
        None => None,
    };
    let signals = Signals::new()?;
    let listeners = match arguments.systemd_socket {
        true => server::systemd_listeners()?,
        false => server::bind(&arguments.listen_addresses).await?,
    };
    let pages = pages(&arguments, &listeners, web_config.as_ref())?;
    let registry = Arc::new(Registry::new(Options {
        load: Arc::new(load),
        shard,
        storage: match arguments.in_memory {
            true => Storage::InMemory,
            false => Storage::Directory(arguments.storage_path.clone()),
        },
        clock: process::wall_clock(),
        build: cli::BUILD,
        exemplars: arguments.exemplars,
        created_lines: arguments.created_timestamps,
    })?);
    let settings = server::Settings {
        route_prefix: arguments.prefix(),
        telemetry_path: arguments.telemetry_path,
        enable_lifecycle: arguments.enable_lifecycle,
        timeout_offset: arguments.timeout_offset,
        max_requests: arguments.max_requests,
        web_config,
        healthy_without_auth: arguments.healthy_without_auth,
        limits: server::Limits::default(),
    };
    let shutdown = handle_signals(signals, Arc::clone(&registry));
    let serving = server::run(listeners, Arc::clone(&registry), settings, shutdown);
    tokio::pin!(serving);
    // Ledgers may take a while to read. Meanwhile health checks are answered and scrapes wait.
    tokio::select! {
        started = start(&registry, config, &pages) => {
            started?;
            serving.await;
        }
        // Stopped before it was ready.
        () = &mut serving => {}
    }
    registry.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn start(registry: &Registry, config: Config, pages: &[Page]) -> Result<(), Fatal> {
    let (origin, warnings) = (config.origin.clone(), config.warnings.clone());
    registry.start(config).await?;
    // Not before: a program that cannot start prints one line, the reason.
    targets::log_origin(&origin, &warnings);
    for Page {
        address,
        path,
        tls,
        status_page,
    } in pages
    {
        info!(%address, path, tls, version = cli::VERSION, status_page, "listening");
    }
    Ok(())
}

/// Completes when the program is to stop.
async fn handle_signals(mut signals: Signals, registry: Arc<Registry>) {
    while signals.next().await == Signal::Reload {
        // In a task of its own: a reload that hangs must not keep the program from stopping. The
        // registry logs failures.
        let registry = Arc::clone(&registry);
        tokio::spawn(async move { registry.reload().await });
    }
    info!("stopping");
}

fn shard(arguments: &ServeArgs) -> Result<Shard, Fatal> {
    let total = arguments.total_shards;
    match arguments.shard {
        None if total > 1 => Ok(Shard::of_pod(total, &process::variable)?),
        // The command line has been checked for a shard that exists.
        given => Ok(Shard::new(given.unwrap_or(0), total).unwrap_or(Shard::WHOLE)),
    }
}

/// What the log says about one listener.
struct Page {
    address: SocketAddr,
    path: String,
    tls: bool,
    status_page: String,
}

fn pages(
    arguments: &ServeArgs,
    listeners: &[TcpListener],
    web_config: Option<&WebFile>,
) -> Result<Vec<Page>, Fatal> {
    let mut tls = false;
    if let Some(file) = web_config {
        let unusable = |error: ConfigError| Fatal::configuration(&error);
        server::log_warnings(&*file.config().map_err(unusable)?);
        tls = file.tls().map_err(unusable)?.is_some();
    }
    let prefix = arguments.prefix();
    let page = |listener: &TcpListener| {
        let address = listener.local_addr()?;
        Ok(Page {
            address,
            path: format!("{}{}", prefix.as_str(), arguments.telemetry_path.as_str()),
            tls,
            status_page: match &arguments.external_url {
                Some(url) => url.to_string(),
                None => status_page(address, tls, prefix.as_str()),
            },
        })
    };
    listeners.iter().map(page).collect()
}

/// The URL of the status page for someone on this machine.
fn status_page(address: SocketAddr, tls: bool, prefix: &str) -> String {
    let scheme = if tls { "https" } else { "http" };
    match address.ip().is_unspecified() {
        true => format!("{scheme}://localhost:{}{prefix}/", address.port()),
        false => format!("{scheme}://{address}{prefix}/"),
    }
}

/// Reads the configuration from a file or the environment.
fn load(given: Option<&Path>) -> Result<Config, ConfigError> {
    config::load(given, &process::variable)
}
