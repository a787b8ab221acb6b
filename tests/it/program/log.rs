//! What the log says at the start, of the first read and of the first failure.

use std::io::{BufRead, BufReader};

use super::lifecycle::A;
use crate::support::client::ask;
use crate::support::eventually;
use crate::support::process::{Exporter, Killed, command, configuration, configured, target};
use crate::support::simulated::{SimulatedVendor, one_target, settled};

#[test]
fn the_log_says_where_the_configuration_and_the_page_are() {
    use std::os::unix::fs::PermissionsExt;
    let vendor = SimulatedVendor::frozen(settled(0));
    let config = configuration(&[target("a", &vendor.endpoint, "")]);
    let variables = [("CEC_USER_ID", "not used")];
    let exporter = Exporter::start_in(&config, &variables, &["--web.route-prefix=/cec"]);
    let page = format!("status_page=http://{}/cec/", exporter.address);
    let log = exporter.logged(&page);
    for part in [
        "from=cec_exporter.yml",
        "CEC_USER_ID is set but not used",
        "cec_exporter.yml holds a secret and every user of this machine can read it",
    ] {
        assert!(log.contains(part), "no {part:?} in {log}");
    }
    assert_eq!(exporter.get("/cec/metrics").status, 200);

    let file = exporter.config_file();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    exporter.process.signal("HUP");
    let log = exporter.logged("configuration reloaded");
    assert_eq!(log.matches("holds a secret").count(), 1, "{log}");

    let variables = [
        ("CEC_ENDPOINT", &*vendor.endpoint),
        ("CEC_APP_KEY", "k"),
        ("CEC_APP_SECRET", "s"),
        ("CEC_USER_ID", "u"),
    ];
    let exporter = Exporter::start_with_variables(&variables);
    exporter.logged("from=\"the variables CEC_...\"");
}

/// A first read may take minutes, and must not look like a program that hangs.
#[test]
fn the_log_says_when_a_first_read_begins_and_ends() {
    let vendor = SimulatedVendor::frozen(settled(95));
    let exporter = one_target(&vendor, "page_size: 10");
    for _ in 0..2 {
        assert_eq!(exporter.scrape().one("cec_up", &A), 1.0);
    }
    let log = exporter.end();
    let value = |line: &str, key: &str| -> u64 {
        let (_, rest) = line.split_once(&format!(" {key}=")).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    let lines = |part| {
        log.lines()
            .filter(|line| line.contains(part))
            .collect::<Vec<_>>()
    };
    let (begins, ends) = (lines("reading a gap"), lines("list has been read"));
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
    let log = exporter.logged("message=\"pull failed\"");
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
        first.contains("a request failed before the first page was read; it is tried again"),
        "{first}"
    );
    assert!(second.contains("message=\"pull failed\""), "{second}");
}

/// The process that reads the log may hang.
#[test]
fn a_log_that_nobody_reads_stops_neither_requests_nor_signals() {
    let config = configuration(&[target("a", "http://127.0.0.1:1", "")]);
    let directory = configured(&config);
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
    let child = command(directory.path())
        .args(["--storage.in-memory", "--web.listen-address=127.0.0.1:0"])
        .arg("--web.enable-lifecycle")
        .stderr(writer)
        .spawn();
    let mut child = Killed(child.unwrap());
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    let address = lines
        .find_map(|line| {
            let (_, address) = line.split_once(" address=")?;
            Some(address.split(' ').next()?.to_owned())
        })
        .unwrap();
    // Each logs a line of more than a hundred bytes.
    for _ in 0..100 {
        assert_eq!(ask("POST", &address, "/-/reload", &[]).status, 200);
    }
    assert_eq!(ask("GET", &address, "/-/healthy", &[]).status, 200);
    let pid = rustix::process::Pid::from_child(&child.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = eventually("the end", || child.0.try_wait().unwrap());
    assert!(ended.success(), "{ended}");
}
