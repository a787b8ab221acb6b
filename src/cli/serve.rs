//! The flags of serving.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use super::{ConfigArgs, MetricsArgs};
use crate::config::duration;
use crate::config::shard::{MOST_SHARDS, Shard};
use crate::process;
use crate::server::{ExternalUrl, ListenAddress, route_prefix, telemetry_path};

#[derive(Clone, PartialEq, Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Address to listen on: host:port, or :port for all addresses of this machine; an IPv6 host
    /// needs brackets. The port is a number or a name such as https. Repeatable.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":10042"
    )]
    pub listen_addresses: Vec<ListenAddress>,

    /// Use the listening sockets of systemd instead of --web.listen-address [default: off].
    #[arg(long = "web.systemd-socket")]
    pub systemd_socket: bool,

    /// URL at which clients reach the exporter, for example through a reverse proxy. Its path is the
    /// default of --web.route-prefix [default: none].
    #[arg(long = "web.external-url", value_name = "URL")]
    pub external_url: Option<ExternalUrl>,

    /// Prefix of all paths. Set it to / if a reverse proxy strips the path of --web.external-url
    /// [default: the path of --web.external-url].
    #[arg(long = "web.route-prefix", value_name = "PATH", value_parser = route_prefix)]
    pub route_prefix: Option<String>,

    /// Path of the metrics.
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        default_value = "/metrics",
        value_parser = telemetry_path
    )]
    pub telemetry_path: String,

    /// File with TLS and basic auth settings, in the format of the Prometheus exporter-toolkit.
    /// Read again for each connection and request [default: none, plain HTTP for everyone].
    // Unlike the parser of paths, this one accepts an empty value, which means none.
    #[arg(
        long = "web.config.file",
        value_name = "FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub web_config_file: Option<PathBuf>,

    /// Answer /-/healthy without a password even if --web.config.file has users, for health checks
    /// that cannot send one [default: off].
    #[arg(long = "web.healthy-without-auth")]
    pub healthy_without_auth: bool,

    /// Let a POST to /-/reload reload the configuration, as SIGHUP does [default: off].
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,

    /// Respond this long before Prometheus's scrape timeout; targets still pulling show their
    /// previous values. A duration such as 500ms or 1s. Raise it if scrapes time out while targets
    /// are slow.
    #[arg(
        long = "web.timeout-offset",
        value_name = "DURATION",
        default_value = "500ms",
        value_parser = duration::parse
    )]
    pub timeout_offset: Duration,

    /// Maximum number of scrapes at once; further ones are answered 503. 0 means no limit.
    #[arg(
        long = "web.max-requests",
        value_name = "NUMBER",
        default_value_t = 0,
        value_parser = max_requests
    )]
    pub max_requests: usize,

    /// Directory of the ledgers, which remember counted calls across restarts. Created if it does
    /// not exist. Only one process may use it at a time.
    #[arg(
        long = "storage.path",
        value_name = "DIRECTORY",
        default_value = "data"
    )]
    pub storage_path: PathBuf,

    /// Store nothing on disk: counters start over at a restart [default: off].
    #[arg(long = "storage.in-memory")]
    pub in_memory: bool,

    /// Ordinal of this shard, from 0 [default: the number at the end of the pod's name, in POD_NAME
    /// or HOSTNAME].
    #[arg(long = "shard", value_name = "NUMBER")]
    pub shard: Option<u32>,

    /// Number of instances that share the targets of one configuration. Each target belongs to one
    /// of them, by a hash of its name.
    #[arg(
        long = "total-shards",
        value_name = "NUMBER",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_SHARDS))
    )]
    pub total_shards: u32,

    #[command(flatten)]
    pub metrics: MetricsArgs,
}

impl ServeArgs {
    /// The prefix of every path.
    pub fn prefix(&self) -> &str {
        let external = self.external_url.as_ref().map(ExternalUrl::path);
        self.route_prefix
            .as_deref()
            .or(external)
            .unwrap_or_default()
    }

    /// The web configuration file. As in the exporter-toolkit, an empty path means none.
    pub fn web_config_file(&self) -> Option<&Path> {
        let path = self.web_config_file.as_deref();
        path.filter(|path| !path.as_os_str().is_empty())
    }

    /// The shard of this instance, given or that of the pod.
    pub fn own_shard(&self) -> Result<Shard, String> {
        let total = self.total_shards;
        match self.shard {
            None if total == 1 => Ok(Shard::WHOLE),
            None => Shard::of_pod(total, &process::variable),
            Some(shard) => Shard::new(shard, total).ok_or_else(|| {
                format!("--shard={shard} needs --total-shards above {shard} (it is {total})")
            }),
        }
    }
}

fn max_requests(text: &str) -> Result<usize, String> {
    let number = text.parse();
    number.map_err(|_| "expected a whole number; 0 means no limit".to_owned())
}
