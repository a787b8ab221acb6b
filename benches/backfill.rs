//! Cost of a backfill: calls per second, peak memory, and the simulated vendor's share of the time.
//!
//! `cargo bench --bench backfill`. The simulated vendor runs in a process of its own. Each row has a
//! history of 30 days, so ten times the calls are ten times the calls per day: memory may grow with
//! those, and time should grow no faster.

#[path = "common/process.rs"]
mod process;
#[path = "common/spawned.rs"]
mod spawned;

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use spawned::Spawned;

const DAYS: u32 = 30;

/// Measures the cost of a backfill of 30 days.
#[derive(Parser)]
struct Arguments {
    /// Calls in the history
    #[arg(default_values_t = [100_000, 1_000_000])]
    calls: Vec<u32>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    println!(
        "| calls | wall, s | CPU, s | calls per second | vendor's CPU, s | peak memory, MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for calls in arguments.calls {
        measure(calls);
    }
}

fn measure(calls: u32) {
    let mut vendor = Spawned::start(&[
        "simulate",
        "--web.listen-address=127.0.0.1:0",
        &format!("--calls-per-day={}", calls / DAYS),
        &format!("--history={DAYS}d"),
    ]);
    let endpoint = vendor.wait_for_line("endpoint:");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let configuration = format!(
        "targets:\n- {{name: a, endpoint: \"{endpoint}\", app_key: k, app_secret: s, user_id: u, \
         page_size: 1000, max_requests_per_second: 1000}}\n"
    );
    fs::write(directory.path().join("cec_exporter.yml"), configuration)
        .expect("a writable directory");
    let began = Instant::now();
    let mut backfill = Command::new(env!("CARGO_BIN_EXE_cec_exporter"))
        .current_dir(directory.path())
        .args(["backfill", "--output=history", &format!("--from={DAYS}d")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let (mut cpu, mut peak) = (Duration::ZERO, 0);
    // The kernel drops the figures of a process when it ends.
    let status = loop {
        if let Some(status) = backfill.try_wait().expect("a child process") {
            break status;
        }
        cpu = process::cpu(backfill.id()).unwrap_or(cpu);
        peak = process::memory(backfill.id(), "VmHWM").unwrap_or(peak);
        sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "the backfill fails: {status}");
    let wall = began.elapsed().as_secs_f64();
    let vendors_cpu = process::cpu(vendor.id()).expect("the vendor runs");
    println!(
        "| {calls} | {wall:.1} | {:.1} | {:.0} | {:.1} | {:.0} |",
        cpu.as_secs_f64(),
        f64::from(calls) / wall,
        vendors_cpu.as_secs_f64(),
        peak as f64 / 1024.0,
    );
}
