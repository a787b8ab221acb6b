//! The command line: what can be asked of the program, and how.
//!
//! Flags are spelled as Prometheus's own exporters spell them. Mistakes are answered by the
//! parser, with exit code 2.

mod address;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use address::{ExternalUrl, ListenAddress, RoutePrefix, TelemetryPath};

use crate::backfill::args::BackfillArgs;
use crate::config::duration;
use crate::config::shard::{MOST_SHARDS, Shard};
use crate::simulator::args::SimulateArgs;

/// The name of this program.
pub const NAME: &str = "cec_exporter";
/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit that it was built from; `unknown` where there was none.
pub const REVISION: &str = env!("CEC_REVISION");
/// The version of the compiler that built it.
pub const RUSTC: &str = env!("CEC_RUSTC");

const LONG_VERSION: &str = concat!(
    "version ",
    env!("CARGO_PKG_VERSION"),
    " (revision: ",
    env!("CEC_REVISION"),
    ")\n  rustc: ",
    env!("CEC_RUSTC"),
);

const EXAMPLES: &str = "\
Examples:
  cec_exporter demo
      Look around: simulated calls, no account, no configuration.
  cec_exporter check --config.file=/etc/cec_exporter/cec_exporter.yml
      Find out why a target is down.
  cec_exporter --config.file=/etc/cec_exporter/cec_exporter.yml --storage.path=/var/lib/cec_exporter
      Serve metrics on http://localhost:10042/metrics.

Without --config.file and without a file cec_exporter.yml here, one target is taken from
CEC_ENDPOINT, CEC_TOKEN_ENDPOINT, CEC_APP_KEY, CEC_APP_SECRET or CEC_APP_SECRET_FILE,
CEC_USER_ID and CEC_TENANT_SPACE_ID.";

/// Prometheus exporter for Huawei Cloud's contact centre (CEC): which calls wait for
/// transcription and inspection, and how they came out.
///
/// Without a command it serves metrics until SIGTERM or SIGINT; SIGHUP reads the configuration
/// again. A bad configuration is one line on stderr and exit code 1, bad usage exit code 2.
#[derive(Clone, PartialEq, Debug, Parser)]
#[command(
    name = NAME,
    // With this comma `--version` prints what every Prometheus exporter prints.
    display_name = "cec_exporter,",
    version = LONG_VERSION,
    after_help = EXAMPLES,
    subcommand_help_heading = "Commands (none: serve)",
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do; `None` is to serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// What to log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// What the program can do besides serving.
#[derive(Clone, PartialEq, Debug, Subcommand)]
pub enum Command {
    /// Serve simulated calls: no account, no configuration, nothing kept on disk.
    ///
    /// Exporter and simulator run in this one process. A day of history is there at the first
    /// scrape; the URLs to open are printed at the start.
    Demo(DemoArgs),
    /// Run the simulator alone: an HTTP server that behaves like the vendor's.
    Simulate(Box<SimulateArgs>),
    /// Try the configuration: name, connection, TLS, token and one page of each target.
    ///
    /// Prints what each step took, and of one that fails the likely cause. Exit code 0 if all is
    /// well, 1 if not. Nothing is served and nothing is stored.
    Check(CheckArgs),
    /// Import history: read the calls before the first pull, for Prometheus.
    ///
    /// Writes OpenMetrics files for promtool, and a ledger that the exporter continues without a
    /// seam. Interrupted, it resumes with the same flags.
    Backfill(Box<BackfillArgs>),
    /// Print a script that completes this command line in a shell.
    ///
    /// For bash: cec_exporter completions bash > /etc/bash_completion.d/cec_exporter
    Completions(CompletionsArgs),
    /// Print the manual page, of all commands.
    ///
    /// To read it at once: cec_exporter man | man -l -
    Man,
    /// Ask the exporter that runs on this machine whether it is well; for containers.
    ///
    /// Exit code 0 if /-/healthy is answered, 1 if not. Neither a password nor a certificate is
    /// needed: an exporter that asks for them is well too.
    Healthcheck(HealthcheckArgs),
}

/// The flags of serving.
#[derive(Clone, PartialEq, Debug, Args)]
pub struct ServeArgs {
    /// Configuration file, YAML [default: cec_exporter.yml; without that file the variables
    /// CEC_...].
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Address to listen on: host:port, an IPv6 host in brackets; or :port for all of this machine.
    /// The port is a number or a name such as https. May be given more than once.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":10042"
    )]
    pub listen_addresses: Vec<ListenAddress>,

    /// Take the listening sockets from systemd, in place of --web.listen-address [default: off].
    #[arg(long = "web.systemd-socket")]
    pub systemd_socket: bool,

    /// URL at which clients reach the exporter, for example behind a reverse proxy. Its path is the
    /// default of --web.route-prefix [default: none].
    #[arg(long = "web.external-url", value_name = "URL")]
    pub external_url: Option<ExternalUrl>,

    /// Prefix of all paths. Give / where a reverse proxy takes the path of --web.external-url off
    /// [default: the path of --web.external-url].
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    pub route_prefix: Option<RoutePrefix>,

    /// Path of the metrics.
    #[arg(
        long = "web.telemetry-path",
        value_name = "PATH",
        default_value = "/metrics"
    )]
    pub telemetry_path: TelemetryPath,

    /// File with TLS and basic auth settings, in the Prometheus exporter-toolkit's format; changes
    /// hold at once [default: none, plain HTTP for everybody].
    // Unlike the parser of paths this one takes an empty value, which stands for none.
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

    /// Let a POST to /-/reload read the configuration again [default: off; SIGHUP always does].
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,

    /// How long before Prometheus's scrape timeout to answer with what is there: a duration such
    /// as 500ms or 1s. Raise it if scrapes time out while targets are slow.
    #[arg(
        long = "web.timeout-offset",
        value_name = "DURATION",
        default_value = "500ms",
        value_parser = duration::parse
    )]
    pub timeout_offset: Duration,

    /// How many scrapes to answer at once, 0 for any number; further ones are answered 503.
    #[arg(long = "web.max-requests", value_name = "NUMBER", default_value_t = 0)]
    pub max_requests: usize,

    /// Directory in which calls already counted are remembered over restarts. One process at a
    /// time; it is made if it is not there.
    #[arg(
        long = "storage.path",
        value_name = "DIRECTORY",
        default_value = "data"
    )]
    pub storage_path: PathBuf,

    /// Keep nothing on disk: counters start over at a restart [default: off].
    #[arg(long = "storage.in-memory")]
    pub in_memory: bool,

    /// Which of the --total-shards this is, from 0 [default: the number at the end of the pod's
    /// name, in POD_NAME or HOSTNAME].
    #[arg(long = "shard", value_name = "NUMBER")]
    pub shard: Option<u32>,

    /// How many instances share the targets of one configuration. Each target belongs to one of
    /// them, by a hash of its name.
    #[arg(
        long = "total-shards",
        value_name = "NUMBER",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_SHARDS))
    )]
    pub total_shards: u32,

    /// Name a call for each bucket of the histograms of calls, by its call_uuid, to those who ask
    /// for OpenMetrics or protobuf [default: off, as it identifies a call].
    #[arg(long = "metrics.exemplars")]
    pub exemplars: bool,

    /// Add a line _created to each counter and histogram in OpenMetrics text. Prometheus stores
    /// each of them as a series of its own [default: off; protobuf has created timestamps anyway].
    #[arg(long = "metrics.created-timestamps")]
    pub created_timestamps: bool,
}

/// The flags of the demonstration.
#[derive(Clone, PartialEq, Debug, Args)]
pub struct DemoArgs {
    /// Address to listen on: host:port, an IPv6 host in brackets; or :port for all of this machine.
    /// May be given more than once.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":10042"
    )]
    pub listen_addresses: Vec<ListenAddress>,

    /// Number that the simulated calls are made from: the same number, the same calls.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    /// Name a call for each bucket of the histograms of calls, by its call_uuid, to those who ask
    /// for OpenMetrics or protobuf [default: off].
    #[arg(long = "metrics.exemplars")]
    pub exemplars: bool,

    /// Add a line _created to each counter and histogram in OpenMetrics text [default: off].
    #[arg(long = "metrics.created-timestamps")]
    pub created_timestamps: bool,
}

/// The flags of the check.
#[derive(Clone, PartialEq, Debug, Args)]
pub struct CheckArgs {
    /// Configuration file, YAML [default: cec_exporter.yml; without that file the variables
    /// CEC_...].
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Format of the result on stdout.
    // With an id of its own: that of --log.format, which every command has, is its field's name.
    #[arg(
        id = "check.format",
        long = "format",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub format: CheckFormat,
}

/// How the result of a check is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum CheckFormat {
    /// Lines for people.
    Text,
    /// One JSON object for scripts, also if the configuration is bad.
    Json,
}

/// What to complete for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// The flags of the health check.
#[derive(Clone, PartialEq, Debug, Args)]
pub struct HealthcheckArgs {
    /// Address that the exporter was told to listen on.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":10042"
    )]
    pub listen_address: ListenAddress,
}

/// The flags of the log, which is on stderr.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Args)]
pub struct LogArgs {
    /// Least severe messages to log on stderr. Libraries' own are never logged below warn.
    #[arg(
        long = "log.level",
        value_name = "LEVEL",
        default_value = "info",
        global = true,
        help_heading = "Log"
    )]
    pub level: LogLevel,

    /// Format of the log.
    #[arg(
        long = "log.format",
        value_name = "FORMAT",
        default_value = "logfmt",
        global = true,
        help_heading = "Log"
    )]
    pub format: LogFormat,
}

/// How severe a message must be to be logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogLevel {
    /// Every request.
    Debug,
    /// Starts, ends, reloads.
    Info,
    /// What mends itself.
    Warn,
    /// What does not.
    Error,
}

/// How a log line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl Cli {
    /// What the command line takes, for what is generated from it: under the name that is typed.
    pub fn definition() -> clap::Command {
        let mut command = Self::command().display_name(NAME).version(VERSION);
        command.build();
        command
    }

    /// Reads the command line of this process. Help, version and mistakes end it here.
    pub fn from_process() -> Self {
        Self::from_arguments(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads a command line, the program's name first.
    pub fn from_arguments(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        if let Some(message) = misplaced_flag(&command, &matches) {
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        let cli = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        match cli.serve.no_such_shard() {
            Some(message) => Err(command.error(ErrorKind::ValueValidation, message)),
            None => Ok(cli),
        }
    }
}

impl ServeArgs {
    /// What stands in front of every path; empty if nothing does.
    pub fn prefix(&self) -> String {
        let given = self.route_prefix.as_ref().map(RoutePrefix::as_str);
        let external = self.external_url.as_ref().map(ExternalUrl::path);
        given.or(external).unwrap_or_default().to_owned()
    }

    fn no_such_shard(&self) -> Option<String> {
        let (shard, total) = (self.shard?, self.total_shards);
        Shard::new(shard, total).is_none().then(|| {
            let last = total - 1;
            format!("--shard={shard}: expected 0 to {last}, as there are --total-shards={total}")
        })
    }
}

/// A flag of serving in front of another command would be silently without effect:
/// `--config.file=x check` would check another file. The parser can only forbid all flags there,
/// and those of the log belong there.
fn misplaced_flag(command: &clap::Command, matches: &ArgMatches) -> Option<String> {
    let (name, _) = matches.subcommand()?;
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let flag = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set())
        .filter(|argument| given(argument.get_id().as_str()))
        .find_map(clap::Arg::get_long)?;
    Some(format!(
        "--{flag} is a flag of serving; put those of {name} after {name}"
    ))
}

#[cfg(test)]
mod tests;
