//! A cold start over loopback: time per call from the vendor's list to the ledger, compared with a mere
//! download of the same pages; and memory per remembered call.
//!
//! `cargo bench --bench cold`; `cargo bench --bench cold -- --help` for sizes, pages and rounds.
//!
//! The simulated vendor and each measurement run in processes of their own, so CPU time and memory are
//! those of the measured work alone. Compare the ratios, not the nanoseconds.

mod cost;
#[path = "../common/spawned.rs"]
mod spawned;
#[path = "../common/typed.rs"]
mod typed;
mod worker;

use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use cec_exporter::model::UnixSeconds;
use clap::{Parser, ValueEnum};
use cost::Cost;
use spawned::Spawned;
use url::Url;
use worker::Worker;

/// Measures a cold start over loopback.
#[derive(Parser)]
struct Arguments {
    /// Calls in the lookback
    #[arg(default_values_t = [100_000, 1_000_000])]
    sizes: Vec<u64>,
    /// Rows per page
    #[arg(long, default_value_t = 1000)]
    page_size: u32,
    /// Number of measurements; the output shows medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
    /// The work to measure, in a child process
    #[arg(long, hide = true)]
    work: Option<Work>,
    #[arg(long, hide = true)]
    endpoint: Option<Url>,
    #[arg(long, hide = true)]
    now: Option<UnixSeconds>,
    /// Directory of the ledger and of the list of requested pages
    #[arg(long, hide = true)]
    directory: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Work {
    /// Pulls the whole lookback into a ledger on disk.
    OnDisk,
    /// Pulls the whole lookback into a ledger in memory.
    InMemory,
    /// Downloads the pages that the pull requested, and discards them.
    Download,
    /// Downloads the same pages and parses them with serde.
    Typed,
    /// Opens the ledger on disk.
    Restart,
}

/// In this order: the others need the files of the first.
const ALL: [(Work, &str); 5] = [
    (Work::OnDisk, "pull, kept on disk"),
    (Work::InMemory, "pull, kept in memory"),
    (Work::Download, "download alone"),
    (Work::Typed, "download and typed parse"),
    (Work::Restart, "start from the disk"),
];

fn main() {
    let arguments = Arguments::parse();
    match arguments.work {
        Some(work) => {
            let cost = Worker::new(&arguments).run(work);
            println!("{}", serde_json::to_string(&cost).expect("plain numbers"));
        }
        None => {
            let mut before = None;
            for calls in &arguments.sizes {
                let all = measure(&arguments, *calls);
                print(&arguments, &all);
                let kept = all[0];
                if let Some(before) = before.replace(kept) {
                    let ratio = kept.cpu_per_call() / before.cpu_per_call();
                    println!(
                        "{} calls against {}: {ratio:.2} times the CPU per call\n",
                        kept.calls, before.calls
                    );
                }
            }
        }
    }
}

/// The medians, in the order of `ALL`.
fn measure(arguments: &Arguments, calls: u64) -> Vec<Cost> {
    let mut vendor = Spawned::start(&[
        "simulate",
        "--flat",
        "--calls-per-day",
        &calls.to_string(),
        "--history",
        "1d",
        // Every listed call is final and stays listed.
        "--pipeline-speed",
        "10000",
        "--late-share",
        "0",
        "--reinspected-share",
        "0",
        "--deleted-share",
        "0",
        "--web.listen-address",
        "127.0.0.1:0",
    ]);
    let endpoint = vendor.wait_for_line("endpoint:");
    // One time for all measurements, so that all get the same pages.
    let now = SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("the clock is set")
        .as_secs();
    let mut rounds: Vec<Vec<Cost>> = vec![Vec::new(); ALL.len()];
    for _ in 0..arguments.rounds.max(1) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (index, (work, _)) in ALL.iter().enumerate() {
            let output = Command::new(std::env::current_exe().expect("this program"))
                .args([
                    "--work",
                    work.to_possible_value().expect("named").get_name(),
                ])
                .args(["--endpoint", &endpoint, "--now", &now.to_string()])
                .args(["--page-size", &arguments.page_size.to_string()])
                .arg("--directory")
                .arg(directory.path())
                .envs(spawned::ALLOCATOR)
                .stderr(std::process::Stdio::inherit())
                .output()
                .expect("this program starts");
            assert!(output.status.success(), "{work:?} failed");
            let mut cost: Cost = serde_json::from_slice(&output.stdout).expect("its figures");
            if index > 0 {
                // A download does not count calls.
                cost.calls = rounds[0][0].calls;
            }
            rounds[index].push(cost);
        }
    }
    rounds
        .into_iter()
        .map(|mut cost| {
            cost.sort_by_key(|cost| cost.cpu);
            cost[cost.len() / 2]
        })
        .collect()
}

fn print(arguments: &Arguments, all: &[Cost]) {
    let (calls, pages) = (all[0].calls, arguments.page_size);
    let of = |work| {
        let index = ALL.iter().position(|(other, _)| *other == work);
        let index = index.expect("all work is measured");
        (all[index], ALL[index].1)
    };
    let (typed, _) = of(Work::Typed);
    println!(
        "{calls} calls of {} bytes in pages of {pages}, median of {} by CPU",
        of(Work::Download).0.bytes / calls,
        arguments.rounds.max(1),
    );
    println!(
        "{:<26} {:>9} {:>6} {:>9} {:>6} {:>9} {:>12}",
        "", "CPU ns", "ratio", "wall ns", "ratio", "peak MiB", "bytes/call"
    );
    for work in [
        Work::Download,
        Work::Typed,
        Work::InMemory,
        Work::OnDisk,
        Work::Restart,
    ] {
        let (cost, name) = of(work);
        let memory = match work {
            Work::Download | Work::Typed => String::new(),
            _ => format!("{:.1}", cost.memory_per_call()),
        };
        let wall = cost.wall.as_nanos() as f64 / calls as f64;
        println!(
            "{name:<26} {:>9.0} {:>6.2} {wall:>9.0} {:>6.2} {:>9.1} {memory:>12}",
            cost.cpu_per_call(),
            cost.cpu_per_call() / typed.cpu_per_call(),
            cost.wall.as_secs_f64() / typed.wall.as_secs_f64(),
            cost.peak as f64 / 1024.0,
        );
    }
    let (restart, _) = of(Work::Restart);
    println!("started from the disk in {:.2?}\n", restart.wall);
}
