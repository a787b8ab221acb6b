//! The life of the program around its scrapes: single targets, signals, sockets and files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::bad_configuration::only_line;
use crate::support::process::{Exporter, configuration, configured, run, scrape, target};
use crate::support::samples::Samples;
use crate::support::simulated::{SimulatedVendor, one_target, settled};
use crate::support::{eventually, wait_until};

pub(super) const A: [(&str, &str); 1] = [("target", "a")];

/// A scrape on a thread of its own, once it waits for the vendor's first page.
pub(super) fn scrape_in_flight(
    exporter: &Exporter,
    vendor: &SimulatedVendor,
) -> std::thread::JoinHandle<Samples> {
    let address = exporter.address.clone();
    let in_flight = std::thread::spawn(move || scrape(&address, 50));
    wait_until("a request at the vendor", || {
        // The token has been given by then.
        let stats = vendor.simulator.stats();
        stats.in_flight > 0 && stats.total("token") == 1
    });
    in_flight
}

#[test]
fn targets_can_be_asked_for_one_by_one() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let exporter = Exporter::start(&[
        target("a", &vendor.endpoint, ""),
        target("b", &vendor.endpoint, "call_types: [text]"),
        target("c", &vendor.endpoint, ""),
    ]);
    let of = |path: &str| {
        let answer = exporter.get(path);
        assert_eq!(answer.status, 200, "{path}");
        Samples::parse(&answer.body)
    };
    let targets = |samples: &Samples| ["a", "b", "c"].map(|name| samples.has_calls(name));
    let process = "process_start_time_seconds";
    assert_eq!(targets(&of("/metrics")), [true; 3]);
    let two = of("/metrics?target=a&target=b");
    assert_eq!(targets(&two), [true, true, false]);
    assert!(two.has(process, &[]) && !two.text.contains("\"c\""));
    let probe = of("/probe?target=b");
    assert_eq!(targets(&probe), [false, true, false]);
    assert!(!probe.has(process, &[]));
    for line in probe.text.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            line.contains("{target=\"b\"") || line.contains("target=\"b\""),
            "{line}"
        );
    }
    let text_only = [("target", "b"), ("call_type", "voice")];
    assert!(!probe.has("cec_calls_total", &text_only));
    for path in ["/metrics?target=d", "/probe?target=d"] {
        let answer = exporter.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("known: a, b, c"), "{}", answer.body);
    }
    assert_eq!(exporter.get("/probe").status, 400);
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(exporter.get(path).status, 200, "{path}");
    }
}

#[test]
fn sigterm_answers_the_request_in_flight() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let mut exporter = one_target(&vendor, "request_timeout: 50s");
    let held = vendor.simulator.world();
    let in_flight = scrape_in_flight(&exporter, &vendor);
    exporter.process.signal("TERM");
    eventually("nobody listens", || {
        std::net::TcpStream::connect(&exporter.address).err()
    });
    assert!(!in_flight.is_finished());
    drop(held);
    let samples = in_flight.join().unwrap();
    assert!(samples.has_calls("a"));
    assert_eq!(exporter.process.ended().code(), Some(0));
}

#[test]
fn sigterm_does_not_wait_for_a_vendor_that_hangs() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let mut exporter = one_target(&vendor, "request_timeout: 50s");
    let held = vendor.simulator.world();
    let in_flight = scrape_in_flight(&exporter, &vendor);
    exporter.process.signal("TERM");
    // Answered, though there is nothing to show, while the vendor is still silent.
    assert!(!in_flight.join().unwrap().has_calls("a"));
    assert_eq!(exporter.process.ended().code(), Some(0));
    drop(held);
}

#[test]
fn sigint_ends_it_as_well() {
    let vendor = SimulatedVendor::frozen(settled(0));
    let mut exporter = one_target(&vendor, "");
    exporter.process.signal("INT");
    assert_eq!(exporter.process.ended().code(), Some(0));
}

/// A thousand targets take thousands of connections, and the usual limit is 1,024.
#[test]
fn the_limit_of_open_files_is_raised() {
    // Inherited, and no less than the other tests need.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum.map(|most| most - 1).or(Some(4096));
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    let vendor = SimulatedVendor::frozen(settled(20));
    let exporter = one_target(&vendor, "");
    let limits = format!("/proc/{}/limits", exporter.process.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let columns: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(columns[3], columns[4], "{limits}");
}

/// A socket that is open before the program starts, handed over as systemd does it.
#[test]
fn systemd_hands_over_the_sockets() {
    const ACTIVATE: &str = "
import os, socket, sys
listening = socket.socket()
listening.bind(('127.0.0.1', 0))
listening.listen()
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execv(sys.argv[1], sys.argv[1:])
";

    let vendor = SimulatedVendor::frozen(settled(0));
    let config = configuration(&[target("a", &vendor.endpoint, "")]);
    let directory = configured(&config);
    let mut command = std::process::Command::new("python3");
    command
        .current_dir(directory.path())
        .args(["-c", ACTIVATE, env!("CARGO_BIN_EXE_cec_exporter")])
        // An empty name stands for no file, as in the toolkit.
        .args([
            "--storage.in-memory",
            "--web.systemd-socket",
            "--web.config.file=",
        ]);
    let exporter = Exporter::spawn(&mut command);
    assert_eq!(exporter.get("/-/healthy").status, 200);

    let flags = ["--storage.in-memory", "--web.systemd-socket"];
    let line = only_line(&run(directory.path(), &flags));
    assert!(line.contains("systemd passed no socket"), "{line}");
}

/// A reload that hangs in a file neither keeps the program from ending nor piles up.
#[test]
fn a_reload_that_hangs_does_not_keep_the_program_from_ending() {
    let vendor = SimulatedVendor::frozen(settled(0));
    let exporter = one_target(&vendor, "");
    let file = exporter.config_file();
    std::fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    exporter.process.signal("HUP");
    exporter.process.signal("HUP");
    assert_eq!(exporter.get("/-/healthy").status, 200);
    exporter.end();
}
