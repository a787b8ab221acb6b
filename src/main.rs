//! The command `cec_exporter`.

use std::io::{self, Write};
use std::process::ExitCode;

use cec_exporter::cli::{Cli, Command};
use cec_exporter::process::Fatal;
use cec_exporter::{app, commands, logging, process};

fn main() -> ExitCode {
    let cli = Cli::from_process();
    run(cli).unwrap_or_else(|Fatal(line)| {
        // Without stderr, the exit code remains.
        let _ = writeln!(io::stderr(), "{line}");
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> Result<ExitCode, Fatal> {
    let _log = logging::init(cli.log.level, cli.log.format)?;
    let runtime = process::runtime()?;
    let code = runtime.block_on(async {
        match cli.command {
            None => app::serve(cli.serve).await,
            Some(Command::Demo(arguments)) => commands::demo::run(arguments).await,
            Some(Command::Simulate(arguments)) => commands::simulate::run(&arguments).await,
            Some(Command::Backfill(arguments)) => commands::backfill::run(&arguments).await,
            Some(Command::Check(arguments)) => commands::check::run(&arguments).await,
            Some(Command::Completions { shell }) => commands::generate::completions(shell),
            Some(Command::Man) => commands::generate::man(),
            Some(Command::Healthcheck { listen_address }) => {
                commands::healthcheck::run(&listen_address).await
            }
        }
    });
    // A name lookup may still hold a thread. Everything that must end has ended.
    runtime.shutdown_background();
    code
}
