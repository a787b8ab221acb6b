//! Serving metrics: the parts put together, signals, and the way out.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tracing::info;

use crate::cli::{self, ServeArgs};
use crate::config::ConfigError;
use crate::config::web::WebFile;
use crate::process::{self, Fatal, Signals};
use crate::server;
use crate::targets::{self, Options, Registry, Storage};

/// Serves until SIGTERM or SIGINT. SIGHUP reloads the configuration.
pub async fn serve(arguments: ServeArgs) -> Result<ExitCode, Fatal> {
    process::raise_file_limit();
    let shard = arguments.own_shard()?;
    let config = arguments.config.load().map_err(Fatal::configuration)?;
    let web_config = arguments.web_config_file().map(WebFile::open);
    let web_config = web_config.transpose().map_err(Fatal::configuration)?;
    let signals = Signals::new()?;
    let listeners = match arguments.systemd_socket {
        true => server::systemd_listeners()?,
        false => server::bind(&arguments.listen_addresses).await?,
    };
    let addresses = listeners.iter().map(TcpListener::local_addr);
    let addresses: Vec<SocketAddr> = addresses.collect::<Result<_, _>>()?;
    let tls = uses_tls(web_config.as_ref()).map_err(Fatal::configuration)?;
    let config_args = arguments.config.clone();
    let registry = Arc::new(Registry::new(Options {
        load: Arc::new(move || config_args.load()),
        shard,
        storage: match arguments.in_memory {
            true => Storage::InMemory,
            false => Storage::Directory(arguments.storage_path.clone()),
        },
        clock: Arc::new(process::now),
        build: cli::BUILD,
        exemplars: arguments.metrics.exemplars,
        created_lines: arguments.metrics.created_timestamps,
    }));
    let settings = server::Settings {
        route_prefix: arguments.prefix().to_owned(),
        telemetry_path: arguments.telemetry_path.clone(),
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
    let (origin, warnings) = (config.origin.clone(), config.warnings.clone());
    // Ledgers may take a while to read. Meanwhile health checks are answered and scrapes wait.
    tokio::select! {
        started = registry.start(config) => {
            started?;
            // Not before: a program that cannot start prints one line, the reason.
            targets::log_origin(&origin, &warnings);
            for address in addresses {
                log_listening(&arguments, address, tls);
            }
            serving.await;
        }
        // Stopped before it was ready.
        () = &mut serving => {}
    }
    registry.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Completes when the program is to stop.
async fn handle_signals(signals: Signals, registry: Arc<Registry>) {
    let reload = || {
        // In a task of its own: a reload that hangs must not keep the program from stopping. The
        // registry logs failures.
        let registry = Arc::clone(&registry);
        tokio::spawn(async move { registry.reload().await });
    };
    signals.stop(reload).await;
    info!("stopping");
}

/// Whether connections use TLS. Logs warnings about the web configuration.
fn uses_tls(web_config: Option<&WebFile>) -> Result<bool, ConfigError> {
    let Some(file) = web_config else {
        return Ok(false);
    };
    server::log_warnings(&*file.config()?);
    Ok(file.tls()?.is_some())
}

fn log_listening(arguments: &ServeArgs, address: SocketAddr, tls: bool) {
    let prefix = arguments.prefix();
    let path = format!("{prefix}{}", arguments.telemetry_path);
    let status_page = match &arguments.external_url {
        Some(url) => url.to_string(),
        None => status_page(address, tls, prefix),
    };
    info!(%address, path, tls, version = cli::BUILD.version, status_page, "listening");
}

/// The URL of the status page for someone on this machine.
fn status_page(address: SocketAddr, tls: bool, prefix: &str) -> String {
    let scheme = if tls { "https" } else { "http" };
    match address.ip().is_unspecified() {
        true => format!("{scheme}://localhost:{}{prefix}/", address.port()),
        false => format!("{scheme}://{address}{prefix}/"),
    }
}
