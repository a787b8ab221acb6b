//! The life of the program around its scrapes: single targets, signals, reloads.

use crate::support::client::ask;
use crate::support::eventually;
use crate::support::process::{Exporter, configuration, scrape, target};
use crate::support::samples::Samples;
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::truth::differences;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const A: [(&str, &str); 1] = [("target", "a")];

fn one_target(vendor: &SimulatedVendor, more: &str) -> Exporter {
    Exporter::start(&[target("a", &vendor.endpoint, more)])
}

/// A scrape on a thread of its own, once it waits for the vendor's first page.
fn scrape_in_flight(
    exporter: &Exporter,
    vendor: &SimulatedVendor,
) -> std::thread::JoinHandle<Samples> {
    let address = exporter.address.clone();
    let in_flight = std::thread::spawn(move || scrape(&address, 50));
    eventually("a request at the vendor", || {
        // The token has been given by then.
        let stats = vendor.simulator.stats();
        (stats.in_flight > 0 && stats.total("token") == 1).then_some(())
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

#[test]
fn a_reload_adds_removes_and_changes_targets() {
    let (first, second) = (
        SimulatedVendor::frozen(settled(300)),
        SimulatedVendor::frozen(settled(200)),
    );
    let a = target("a", &first.endpoint, "");
    let b = target("b", &first.endpoint, "");
    let exporter =
        Exporter::start_with(&configuration(&[a.clone(), b]), &["--web.enable-lifecycle"]);
    let before = exporter.scrape();
    let calls = |samples: &Samples, name: &str| samples.sum("cec_calls_total", &[("target", name)]);
    assert!(calls(&before, "a") > 0.0 && calls(&before, "b") > 0.0);
    let reloaded = "cec_exporter_config_last_reload_successful";
    assert_eq!(before.one(reloaded, &[]), 1.0);

    // b goes, c comes, a looks back less far, which takes back nothing that was counted.
    let narrower = target("a", &first.endpoint, "lookback: 30m");
    let c = target("c", &second.endpoint, "");
    exporter.configure(&configuration(&[narrower, c.clone()]));
    let answer = exporter.post("/-/reload");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let after = exporter.scrape();
    assert_eq!(calls(&after, "a"), calls(&before, "a"), "each call once");
    assert!(after.sum("cec_window_calls", &A) < calls(&after, "a"));
    assert_eq!(after.one("cec_window_seconds", &A), 1800.0);
    let truth = second.simulator.truth(None, None);
    assert_eq!(differences(&after, "c", &truth), [""; 0]);
    assert!(!after.text.contains("target=\"b\""));
    assert_eq!(exporter.get("/probe?target=b").status, 404);

    // A mistake changes nothing.
    exporter.configure(&configuration(&[
        a.clone(),
        "- {name: d, page_sise: 7}\n".into(),
    ]));
    let answer = exporter.post("/-/reload");
    assert_eq!(answer.status, 500);
    for part in ["cec_exporter.yml:10:", "page_sise"] {
        assert!(answer.body.contains(part), "{}", answer.body);
    }
    let still = exporter.scrape();
    assert_eq!(still.one(reloaded, &[]), 0.0);
    assert_eq!(still.call_metrics(), after.call_metrics());
    let time = "cec_exporter_config_last_reload_success_timestamp_seconds";
    assert_eq!(still.one(time, &[]), after.one(time, &[]));

    // A good file and a signal; c is the only one now.
    exporter.configure(&configuration(&[c]));
    exporter.process.signal("HUP");
    let last = exporter.scrape_until("the reload", |found| !found.has_calls("a"));
    assert_eq!(last.one(reloaded, &[]), 1.0);
    assert_eq!(calls(&last, "c"), calls(&after, "c"));
    assert!(exporter.log().contains("configuration not reloaded"));

    // The signal tells of a mistake in the log and the metric alone.
    exporter.configure("targets: []");
    exporter.process.signal("HUP");
    exporter.scrape_until("the mistake", |found| found.one(reloaded, &[]) == 0.0);
    assert!(exporter.scrape().has_calls("c"));
}

#[test]
fn a_reload_over_http_is_off_by_default() {
    let vendor = SimulatedVendor::frozen(settled(0));
    let exporter = one_target(&vendor, "");
    exporter.configure("nonsense");
    assert_eq!(exporter.post("/-/reload").status, 403);
    let samples = exporter.scrape();
    assert_eq!(
        samples.one("cec_exporter_config_last_reload_successful", &[]),
        1.0
    );
    let got = ask("GET", &exporter.address, "/-/reload", &[]);
    assert_eq!(got.status, 405);
}

#[test]
fn a_reload_does_not_wait_for_the_vendor() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let exporter = Exporter::start_with(
        &configuration(&[target("a", &vendor.endpoint, "request_timeout: 50s")]),
        &["--web.enable-lifecycle"],
    );
    let held = vendor.simulator.world();
    let in_flight = scrape_in_flight(&exporter, &vendor);
    let other = SimulatedVendor::frozen(settled(100));
    exporter.configure(&configuration(&[target("a", &other.endpoint, "")]));
    assert_eq!(exporter.post("/-/reload").status, 200);
    // The pull that it waited for will never end.
    let answered = in_flight.join().unwrap();
    assert!(answered.has("cec_up", &A) && !answered.has_calls("a"));
    let samples = exporter.scrape();
    assert_eq!(samples.one("cec_up", &A), 1.0);
    let truth = other.simulator.truth(None, None);
    assert_eq!(differences(&samples, "a", &truth), [""; 0]);
    drop(held);
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

/// What a failed reload says stays on the page until one succeeds, and reloads do not pile up.
#[test]
fn a_failed_reload_is_on_the_page_until_one_succeeds() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let config = configuration(&[target("a", &vendor.endpoint, "")]);
    let exporter = Exporter::start_with(&config, &["--web.enable-lifecycle"]);
    let page = || exporter.get("/").body;
    assert!(!page().contains("was not reloaded"));
    exporter.configure("targets: [{nonsense: 1}]");
    std::thread::scope(|scope| {
        let reload = || exporter.post("/-/reload").status;
        let all: Vec<_> = (0..40).map(|_| scope.spawn(reload)).collect();
        for answered in all {
            assert_eq!(answered.join().unwrap(), 500);
        }
    });
    for part in [
        "was not reloaded",
        "cec_exporter.yml:1:12: targets[0].nonsense",
    ] {
        assert!(page().contains(part), "{}", page());
    }
    exporter.configure(&config);
    assert_eq!(exporter.post("/-/reload").status, 200);
    assert!(!page().contains("was not reloaded"));
}

#[test]
fn the_log_says_where_the_configuration_and_the_page_are() {
    use std::os::unix::fs::PermissionsExt;
    let vendor = SimulatedVendor::frozen(settled(0));
    let config = configuration(&[target("a", &vendor.endpoint, "")]);
    let variables = [("CEC_USER_ID", "not used")];
    let exporter = Exporter::start_in(&config, &variables, &["--web.route-prefix=/cec"]);
    let log = exporter.log();
    for part in [
        "from=cec_exporter.yml",
        "CEC_USER_ID is set but not used",
        "cec_exporter.yml holds a secret and every user of this machine can read it",
    ] {
        assert!(log.contains(part), "no {part:?} in {log}");
    }
    let page = format!("status_page=http://{}/cec/", exporter.address);
    eventually("the page's address", || {
        exporter.log().contains(&page).then_some(())
    });
    assert_eq!(exporter.get("/cec/metrics").status, 200);

    let file = exporter.config_file();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let warnings = || exporter.log().matches("holds a secret").count();
    let before = warnings();
    exporter.process.signal("HUP");
    eventually("the reload", || {
        exporter
            .log()
            .contains("configuration reloaded")
            .then_some(())
    });
    assert_eq!(warnings(), before);

    let variables = [
        ("CEC_ENDPOINT", &*vendor.endpoint),
        ("CEC_APP_KEY", "k"),
        ("CEC_APP_SECRET", "s"),
        ("CEC_USER_ID", "u"),
    ];
    let exporter = Exporter::start_with_variables(&variables);
    assert!(
        exporter.log().contains("from=\"the variables CEC_...\""),
        "{}",
        exporter.log()
    );
}

/// A first read may take minutes, and must not look like a program that hangs.
#[test]
fn the_log_says_when_a_first_read_begins_and_ends() {
    let vendor = SimulatedVendor::frozen(settled(95));
    let exporter = one_target(&vendor, "page_size: 10");
    for _ in 0..2 {
        assert_eq!(exporter.scrape().one("cec_up", &A), 1.0);
    }
    let log = exporter.log();
    let value = |line: &str, key: &str| -> u64 {
        let (_, rest) = line.split_once(&format!(" {key}=")).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    let lines = |part| {
        log.lines()
            .filter(|line| line.contains(part))
            .collect::<Vec<_>>()
    };
    let (begins, ends) = (lines("reading a gap"), lines("list is read"));
    assert_eq!((begins.len(), ends.len()), (1, 1), "{log}");
    let calls: u64 = vendor.simulator.truth(None, None).calls.values().sum();
    assert_eq!(value(ends[0], "calls"), calls);
    let expected = value(begins[0], "expected_requests");
    // By the total of the first page, which may lag.
    assert!(expected.abs_diff(calls.div_ceil(10)) <= 1, "{log}");
    assert!(value(ends[0], "requests") >= calls.div_ceil(10), "{log}");
}

/// Three timeouts of the first request take half a minute by default.
#[test]
fn the_first_failed_request_is_logged_before_the_pull_fails() {
    let vendor = SimulatedVendor::frozen(settled(10));
    let exporter = one_target(&vendor, "request_timeout: 1s");
    let held = vendor.simulator.world();
    let headers = [("X-Prometheus-Scrape-Timeout-Seconds", "0.1")];
    ask("GET", &exporter.address, "/metrics", &headers);
    let log = eventually("the end of the pull", || {
        Some(exporter.log()).filter(|log| log.contains("message=\"pull failed\""))
    });
    drop(held);
    let lines: Vec<&str> = (log.lines())
        .filter(|line| line.contains("target=a") && line.contains("failed"))
        .collect();
    let [first, second, ..] = &lines[..] else {
        panic!("{log}");
    };
    assert!(
        first.contains("level=warn") && first.contains("code=timeout"),
        "{first}"
    );
    assert!(
        first.contains("a request of the first pull failed"),
        "{first}"
    );
    assert!(second.contains("message=\"pull failed\""), "{second}");
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
    let directory = tempfile::tempdir().unwrap();
    let config = configuration(&[target("a", &vendor.endpoint, "")]);
    std::fs::write(directory.path().join("cec_exporter.yml"), config).unwrap();
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
    let mut process = crate::support::process::Process::spawn(&mut command);
    let port = process.told("address=127.0.0.1:");
    let address = format!("127.0.0.1:{port}");
    assert_eq!(ask("GET", &address, "/-/healthy", &[]).status, 200);

    let flags = ["--storage.in-memory", "--web.systemd-socket"];
    let output = crate::support::process::run(directory.path(), &flags);
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), line.lines().count()),
        (Some(1), 1),
        "{line}"
    );
    assert!(line.contains("systemd passed no socket"), "{line}");
}

/// A reload that hangs in a file neither keeps the program from ending nor piles up.
#[test]
fn a_reload_that_hangs_does_not_keep_the_program_from_ending() {
    let vendor = SimulatedVendor::frozen(settled(0));
    let mut exporter = one_target(&vendor, "");
    let file = exporter.config_file();
    std::fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    exporter.process.signal("HUP");
    exporter.process.signal("HUP");
    assert_eq!(exporter.get("/-/healthy").status, 200);
    exporter.process.signal("TERM");
    assert_eq!(exporter.process.ended().code(), Some(0));
}
