//! `simulate`: the imaginary vendor as an HTTP server.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::SimulateArgs;
use crate::process::{self, Fatal, Signals};
use crate::server;
use crate::simulator::{self, Simulator};

/// Runs until SIGTERM or SIGINT.
pub async fn run(arguments: &SimulateArgs) -> Result<ExitCode, Fatal> {
    let clock: simulator::Clock = Arc::new(|| process::since_epoch().as_secs_f64());
    let simulator = Simulator::new(arguments.spec(process::now()), clock);
    simulator.set_faults(arguments.faults());
    if let Some(scenario) = arguments.scenario.clone() {
        simulator.world().set_scenario(scenario, 0);
    }
    let listener = server::bind_one(&arguments.listen_address).await?;
    writeln!(io::stdout(), "endpoint: http://{}", listener.local_addr()?)?;
    let signals = Signals::new()?;
    simulator::http::run(listener, Arc::new(simulator), signals.stop(|| {})).await;
    Ok(ExitCode::SUCCESS)
}
