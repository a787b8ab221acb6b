//! Cost of many targets in one exporter: memory, open files, and the scrape of all of them.
//!
//! `cargo bench --bench fleet`; `cargo bench --bench fleet -- --help` for numbers of targets and
//! calls. The simulated vendor runs in a process of its own, so CPU time and memory are those of the
//! exporter alone. Costs per target should be the same in each row.

#[path = "common/process.rs"]
mod process;
#[path = "common/spawned.rs"]
mod spawned;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use spawned::Spawned;

/// Scrapes of each kind. The output shows medians.
const SCRAPES: usize = 5;

/// Measures what many targets cost.
#[derive(Parser)]
struct Arguments {
    /// Numbers of targets
    #[arg(default_values_t = [10, 100, 1000])]
    targets: Vec<usize>,
    /// Calls in the lookback of each target
    #[arg(long, default_value_t = 1000)]
    calls: u32,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let mut vendor = Spawned::start(&[
        "simulate",
        "--web.listen-address=127.0.0.1:0",
        &format!("--calls-per-day={}", arguments.calls),
        "--flat",
    ]);
    let endpoint = vendor.wait_for_line("endpoint:");
    println!("{} calls in the lookback of each target", arguments.calls);
    println!(
        "| targets | first lookback, s | memory, MiB | open files | response, MB | scrape with pulls: \
         wall, ms | CPU, ms | requests | scrape without: wall, ms | CPU, ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for targets in arguments.targets {
        measure(targets, &endpoint);
    }
}

fn measure(targets: usize, endpoint: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    configure(directory.path(), targets, endpoint, "0s");
    let exporter = Exporter::start(directory.path());
    let began = Instant::now();
    while exporter.scrape().matches("\ncec_calls_total{").count() < 2 * targets {
        sleep(Duration::from_millis(100));
    }
    let loaded = began.elapsed();

    let (with_pulls, requests) = exporter.scrapes();
    let (resident, files) = (exporter.resident(), exporter.open_files());
    configure(directory.path(), targets, endpoint, "1h");
    exporter.request("POST", "/-/reload");
    exporter.scrape();
    let (without, none) = exporter.scrapes();
    assert_eq!(none, 0, "no pull was due");
    println!(
        "| {targets} | {:.1} | {:.0} | {files} | {:.2} | {:.1} | {:.1} | {requests} | {:.1} | {:.1} |",
        loaded.as_secs_f64(),
        resident as f64 / 1024.0,
        without.bytes as f64 / 1e6,
        ms(with_pulls.wall),
        ms(with_pulls.cpu),
        ms(without.wall),
        ms(without.cpu),
    );
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn configure(directory: &Path, targets: usize, endpoint: &str, interval: &str) {
    let mut text = format!(
        "defaults: {{app_key: k, app_secret: s, user_id: u, endpoint: '{endpoint}', \
         min_pull_interval: {interval}, max_requests_per_second: 1000}}\ntargets:\n"
    );
    for number in 0..targets {
        let _ = writeln!(text, "- {{name: centre-{number:04}}}");
    }
    let file = directory.join("cec_exporter.yml");
    std::fs::write(file, text).expect("a writable directory");
}

/// Medians of some scrapes.
struct ScrapeCost {
    wall: Duration,
    cpu: Duration,
    bytes: usize,
}

struct Exporter {
    process: Spawned,
    address: String,
}

impl Exporter {
    fn start(directory: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port").to_string();
        let process = Spawned::start(&[
            &format!("--config.file={}/cec_exporter.yml", directory.display()),
            &format!("--storage.path={}/data", directory.display()),
            &format!("--web.listen-address={address}"),
            "--web.enable-lifecycle",
            "--log.level=error",
        ]);
        while TcpStream::connect(&address).is_err() {
            sleep(Duration::from_millis(10));
        }
        Self { process, address }
    }

    fn scrape(&self) -> String {
        self.request("GET", "/metrics")
    }

    /// Requests a path and returns the body of the response, which must be 200.
    fn request(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the exporter listens");
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nX-Prometheus-Scrape-Timeout-Seconds: 600\r\n\r\n"
        )
        .expect("the exporter reads");
        let mut response = String::new();
        stream
            .read_to_string(&mut response)
            .expect("the exporter answers");
        assert!(response.contains(" 200 OK\r\n"), "{response:.300}");
        let (_, body) = response.split_once("\r\n\r\n").expect("there are headers");
        body.to_owned()
    }

    /// Measures some scrapes. Also returns the number of requests to the vendor per scrape.
    fn scrapes(&self) -> (ScrapeCost, u64) {
        let mut requests = Vec::new();
        let mut taken = Vec::new();
        let mut before = requests_of(&self.scrape());
        for _ in 0..SCRAPES {
            let cpu = self.cpu();
            let began = Instant::now();
            let text = self.scrape();
            let wall = began.elapsed();
            // The pulls have ended with the scrape, except for the reconcile of older calls.
            taken.push((wall, self.cpu() - cpu, text.len()));
            let after = requests_of(&text);
            requests.push(after - before);
            before = after;
        }
        requests.sort_unstable();
        let median = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times[SCRAPES / 2]
        };
        let taken = ScrapeCost {
            wall: median(taken.iter().map(|taken| taken.0).collect()),
            cpu: median(taken.iter().map(|taken| taken.1).collect()),
            bytes: taken[0].2,
        };
        (taken, requests[SCRAPES / 2])
    }

    fn cpu(&self) -> Duration {
        process::cpu(self.process.id()).expect("the exporter runs")
    }

    /// Resident memory, KiB.
    fn resident(&self) -> u64 {
        process::memory(self.process.id(), "VmRSS").expect("the exporter runs")
    }

    fn open_files(&self) -> usize {
        let directory = format!("/proc/{}/fd", self.process.id());
        std::fs::read_dir(directory)
            .expect("the exporter runs")
            .count()
    }
}

fn requests_of(text: &str) -> u64 {
    let lines = text
        .lines()
        .filter(|line| line.starts_with("cec_exporter_api_requests_total{"));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}
