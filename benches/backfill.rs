//! What a backfill costs: calls per second, peak memory, and how much of the time is the vendor.
//!
//! `cargo bench --bench backfill`. The simulated vendor runs in a process of its own. The history
//! has 30 days in each row, so that ten times the calls are ten times the calls of a day: memory
//! may grow with those, and time should grow no faster.

#[path = "common/spawned.rs"]
mod spawned;

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use spawned::Spawned;

const DAYS: u32 = 30;
/// Of processor time, as the kernel counts it: 1 / `USER_HZ`, which is 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// Measures what a backfill of 30 days costs.
#[derive(Parser)]
struct Arguments {
    /// Calls in the history
    #[arg(default_values_t = [100_000, 1_000_000])]
    calls: Vec<u32>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    println!("| calls | wall, s | CPU, s | calls a second | vendor's CPU, s | peak memory, MiB |");
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
    let endpoint = vendor.said("endpoint:");
    let directory = tempfile::tempdir().expect("there is room for temporary files");
    let configuration = format!(
        "targets:\n- {{name: a, endpoint: \"{endpoint}\", app_key: k, app_secret: s, user_id: u, \
         page_size: 1000, max_requests_per_second: 1000}}\n"
    );
    fs::write(directory.path().join("cec_exporter.yml"), configuration).expect("it can be written");
    let began = Instant::now();
    let mut backfill = Command::new(env!("CARGO_BIN_EXE_cec_exporter"))
        .current_dir(directory.path())
        .args(["backfill", "--output=history", &format!("--from={DAYS}d")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let (mut cpu, mut peak) = (Duration::ZERO, 0);
    // The figures of a process are gone when it has ended.
    let status = loop {
        if let Some(status) = backfill.try_wait().expect("it is a child") {
            break status;
        }
        if let Some(figures) = figures(backfill.id()) {
            (cpu, peak) = figures;
        }
        sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "the backfill fails: {status}");
    let wall = began.elapsed().as_secs_f64();
    let (vendors_cpu, _) = figures(vendor.id()).expect("it runs");
    println!(
        "| {calls} | {wall:.1} | {:.1} | {:.0} | {:.1} | {:.0} |",
        cpu.as_secs_f64(),
        f64::from(calls) / wall,
        vendors_cpu.as_secs_f64(),
        peak as f64 / 1024.0,
    );
}

/// Processor time and the peak of memory in KiB; `None` once the process has ended.
fn figures(process: u32) -> Option<(Duration, u64)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program may hold blanks; what follows its bracket does not.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|field| field.parse::<u32>().ok()).sum();
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let peak = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((ticks * TICK, peak))
}
