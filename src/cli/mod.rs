//! The command line, parsed into the types that are used.
//!
//! Flags are spelled as in Prometheus's own exporters. The parser reports mistakes, with exit code
//! 2.

mod backfill;
mod serve;
mod simulate;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use backfill::{BackfillArgs, DemoHistoryArgs, Time};
pub use serve::ServeArgs;
pub use simulate::SimulateArgs;

use crate::config::{self, Config, ConfigError};
use crate::metrics::exporter::Build;
use crate::process;
use crate::server::ListenAddress;

pub const NAME: &str = "cec_exporter";
pub const BUILD: Build = Build {
    version: env!("CARGO_PKG_VERSION"),
    // The commit; `unknown` without a repository.
    revision: env!("CEC_REVISION"),
    rustc: env!("CEC_RUSTC"),
};

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
      Look around with simulated calls, without an account or a configuration.
  cec_exporter check --config.file=/etc/cec_exporter/cec_exporter.yml
      Find out why a target is down.
  cec_exporter --config.file=/etc/cec_exporter/cec_exporter.yml --storage.path=/var/lib/cec_exporter
      Serve metrics on http://localhost:10042/metrics.

Without --config.file and without a file cec_exporter.yml in the working directory, one target is
configured by CEC_ENDPOINT, CEC_TOKEN_ENDPOINT, CEC_APP_KEY, CEC_APP_SECRET or
CEC_APP_SECRET_FILE, CEC_USER_ID and CEC_TENANT_SPACE_ID.";

/// Prometheus exporter for Huawei Cloud's contact centre (CEC): which calls wait for transcription
/// and inspection, and what the results are.
///
/// Without a command, it serves metrics until SIGTERM or SIGINT. SIGHUP reloads the configuration.
/// A bad configuration prints one line on stderr and exits with code 1; bad usage exits with code 2.
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
    /// `None` is to serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Clone, PartialEq, Debug, Subcommand)]
pub enum Command {
    /// Serve simulated calls, without an account or a configuration; nothing stays on disk.
    ///
    /// Exporter and simulator run in one process. The first scrape returns a day of history. The
    /// command prints the URLs to open.
    Demo(DemoArgs),
    /// Run only the simulator: an HTTP server that behaves like the vendor's API.
    Simulate(Box<SimulateArgs>),
    /// Check the configuration: name lookup, connection, TLS, token and one page of each target.
    ///
    /// Prints the result and the time of each step, and the likely cause of a failure. With `results`
    /// enabled, it also requests the inspection result of one call. Exit code 0 if every step
    /// succeeds, 1 if not. It serves nothing and stores nothing.
    Check(CheckArgs),
    /// Write past calls as OpenMetrics files for promtool. Run it before the exporter's first start.
    ///
    /// It also writes a ledger that the exporter continues without a gap. If it is interrupted, it
    /// resumes with the same flags.
    Backfill(Box<BackfillArgs>),
    /// Print a completion script for a shell.
    ///
    /// For bash: cec_exporter completions bash > /etc/bash_completion.d/cec_exporter
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, which covers all commands.
    ///
    /// To read it: cec_exporter man | man -l -
    Man,
    /// Check that the local exporter is alive; for containers.
    ///
    /// Exit code 0 if it answers HTTP with a status of up to 500, 1 if not. This needs no password and
    /// no certificate, and does not show whether clients are authorised.
    Healthcheck {
        /// Address of the exporter, as in its own --web.listen-address.
        #[arg(
            long = "web.listen-address",
            value_name = "ADDRESS",
            default_value = ":10042"
        )]
        listen_address: ListenAddress,
    },
}

/// The configuration, for all commands that read one.
#[derive(Clone, PartialEq, Debug, Args)]
pub struct ConfigArgs {
    /// YAML configuration file [default: cec_exporter.yml, or the variables CEC_... without that
    /// file].
    #[arg(long = "config.file", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl ConfigArgs {
    /// Reads the configuration from the file or the environment of this process. Blocks.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let default = Path::new(config::DEFAULT_FILE);
        config::load(self.file.as_deref(), default, &process::variable)
    }
}

/// What the metrics contain besides the usual.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Args)]
pub struct MetricsArgs {
    /// Add an exemplar with a call_uuid to each bucket of the call histograms, in OpenMetrics and
    /// protobuf [default: off, because it identifies a call].
    #[arg(long = "metrics.exemplars")]
    pub exemplars: bool,

    /// Add a _created line to each counter and histogram in OpenMetrics text. Prometheus stores each
    /// of them as a series [default: off; protobuf always has created timestamps].
    #[arg(long = "metrics.created-timestamps")]
    pub created_timestamps: bool,
}

#[derive(Clone, PartialEq, Debug, Args)]
pub struct DemoArgs {
    /// Address to listen on: host:port, or :port for all addresses of this machine; an IPv6 host
    /// needs brackets. The port is a number or a name such as https. Repeatable.
    #[arg(
        long = "web.listen-address",
        value_name = "ADDRESS",
        default_value = ":10042"
    )]
    pub listen_addresses: Vec<ListenAddress>,

    /// Seed of the simulated calls: the same seed gives the same calls.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,

    #[command(flatten)]
    pub history: DemoHistoryArgs,

    #[command(flatten)]
    pub metrics: MetricsArgs,
}

#[derive(Clone, PartialEq, Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

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

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum CheckFormat {
    /// Lines for people.
    Text,
    /// One JSON object for scripts, even if the configuration is bad.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Args)]
pub struct LogArgs {
    /// Minimum level of the messages logged on stderr. Libraries log at warn or above.
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

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogLevel {
    /// Each reading of the list, retries, rejected records.
    Debug,
    /// Starts, stops, reloads.
    Info,
    /// Failures that may resolve by themselves.
    Warn,
    /// Failures that need an operator.
    Error,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
}

impl Cli {
    /// The definition of the command line, for generated completions and manual page.
    pub fn definition() -> clap::Command {
        let mut command = Self::command().display_name(NAME).version(BUILD.version);
        command.build();
        command
    }

    /// Parses the command line of this process. Help, version and mistakes exit here.
    pub fn from_process() -> Self {
        Self::from_arguments(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Parses a command line, the program's name first.
    pub fn from_arguments(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = (command.try_get_matches_from_mut(arguments)).map_err(without_password)?;
        if let Some(message) = misplaced_flag(&command, &matches) {
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        let cli = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        let labels = match &cli.command {
            Some(Command::Backfill(arguments)) => arguments.labels.as_slice(),
            Some(Command::Demo(arguments)) => &arguments.history.labels,
            _ => &[],
        };
        if let Some(name) = backfill::repeated(labels) {
            let message = format!("--label: {name} is given more than once");
            return Err(command.error(ErrorKind::ArgumentConflict, message));
        }
        match cli.serve.shard.map(|_| cli.serve.own_shard()) {
            Some(Err(message)) => Err(command.error(ErrorKind::ValueValidation, message)),
            _ => Ok(cli),
        }
    }
}

/// Hides a rejected value that may be a URL with a password.
fn without_password(mut error: clap::Error) -> clap::Error {
    let value = error.get(ContextKind::InvalidValue);
    if value.is_some_and(|value| value.to_string().contains('@')) {
        let hidden = ContextValue::String("***".to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
    error
}

/// Finds a flag of serving in front of another command, where it would have no effect:
/// `--config.file=x check` would check another file. The parser can only forbid all flags there,
/// but those of the log are allowed.
fn misplaced_flag(command: &clap::Command, matches: &ArgMatches) -> Option<String> {
    let (name, _) = matches.subcommand()?;
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let flag = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set())
        .filter(|argument| given(argument.get_id().as_str()))
        .find_map(clap::Arg::get_long)?;
    let own = command.find_subcommand(name)?.get_arguments();
    let own = own.into_iter().find(|own| own.get_long() == Some(flag));
    Some(match own {
        // With its value: --config.file <FILE>.
        Some(own) => format!("put --{flag} after the command: {NAME} {name} {own}"),
        None => format!("--{flag} is a flag of serving; {name} does not have it"),
    })
}

#[cfg(test)]
mod tests;
