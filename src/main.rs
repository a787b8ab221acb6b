//! The command `cec_exporter`.

use std::process::ExitCode;

use cec_exporter::cli::Cli;
use cec_exporter::{app, logging};

fn main() -> ExitCode {
    let cli = Cli::from_process();
    if let Err(error) = logging::init(cli.log.level, cli.log.format) {
        eprintln!("cec_exporter: cannot log: {error}");
        return ExitCode::FAILURE;
    }
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(app::run(cli));
            // Looking up a name may still hold a thread; all that must end has ended.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            eprintln!("cec_exporter: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
