//! History that the exporter continues without a seam.

mod several_days;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::support::process::{self, Exporter, LISTEN, Process, command, configuration, target};
use crate::support::prometheus_server;
use crate::support::prometheus_server::{Prometheus, create_blocks};
use crate::support::silent::free_address;
use crate::support::simulated::{SimulatedVendor, now};
use crate::support::tools::is_installed;
use crate::support::truth::differences;
use crate::support::{eventually, wait_until};
use cec_exporter::simulator::faults::{Answer, Fault};
use cec_exporter::simulator::spec::Spec;

const DAY: u32 = 86_400;
const DAYS: u32 = 3;
const HISTORY: &str = "--output=history";

/// Three days of calls that are listed at once, and that stay.
fn spec() -> Spec {
    Spec {
        start: now() - DAYS * DAY,
        calls_per_day: 9000.0,
        flat: true,
        pipeline_speed: 12.0,
        reinspected_share: 0.0,
        late_share: 0.0,
        deleted_share: 0.0,
        ..Spec::default()
    }
}

fn configure(directory: &Path, vendor: &SimulatedVendor) {
    let csv = vendor.simulator.world().spec().teams_csv();
    fs::write(directory.join("teams.csv"), csv).unwrap();
    // Each team and agent makes the files larger.
    let more = "page_size: 500, teams_file: teams.csv, max_teams: 1, agents: true, max_agents: 2";
    let text = configuration(&[target("a", &vendor.endpoint, more)]);
    process::configure(directory, &text);
}

fn program(directory: &Path, flags: &[&str]) -> Command {
    let mut command = command(directory);
    command.arg("backfill").args(flags);
    command
}

fn output(directory: &Path, flags: &[&str]) -> Output {
    program(directory, flags).output().unwrap()
}

/// The files of the history by name.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory.join("history/a")).unwrap();
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(|entry| file(entry.unwrap())).collect()
}

/// A vendor whose time can be stopped.
fn vendor_until() -> (SimulatedVendor, Arc<AtomicU32>) {
    let until = Arc::new(AtomicU32::new(now()));
    let limit = Arc::clone(&until);
    let clock = move || f64::from(now().min(limit.load(Ordering::SeqCst)));
    (SimulatedVendor::start(spec(), Arc::new(clock)), until)
}

#[test]
fn prometheus_sees_one_history_without_a_seam() {
    if !is_installed("prometheus") || !is_installed("promtool") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (vendor, until) = vendor_until();
    configure(directory, &vendor);
    let address = free_address().to_string();
    let instance = format!("--label=instance={address}");
    let from = format!("--from={}d", DAYS + 1);
    let labels = ["--label=job=cec_exporter", &instance];
    let done = output(directory, &[&[&*from, HISTORY][..], &labels].concat());
    assert!(done.status.success(), "{done:?}");

    let blocks = directory.join("tsdb");
    for name in files(directory).keys() {
        create_blocks(&directory.join("history/a").join(name), &blocks);
    }
    until.store(u32::MAX, Ordering::SeqCst);
    let exporter = Exporter::spawn(command(directory).args([
        format!("--web.listen-address={address}"),
        "--storage.path=data".to_owned(),
    ]));
    fs::write(
        directory.join("prometheus.yml"),
        format!(
            "global: {{scrape_interval: 1s}}
scrape_configs:
- {{job_name: cec_exporter, static_configs: [{{targets: [\"{address}\"]}}]}}
"
        ),
    )
    .unwrap();
    let prometheus = Prometheus::start(directory);
    let value = |query: &str| {
        let found = prometheus.query(query, f64::from(now())).unwrap();
        let value = |series: &prometheus_server::Series| series.values.first().copied();
        found.first().and_then(value)
    };
    eventually("live calls after the history", || {
        value("sum(cec_calls_total) > sum(cec_calls_total offset 10s) + 0").map(|_| ())
    });
    // The vendor's time stands still, so that the truth does.
    until.store(now(), Ordering::SeqCst);
    let truth = vendor.simulator.truth(None, None);
    wait_until(
        "all counters are the truth about history and live calls",
        || {
            let samples = exporter.scrape_within(10);
            let wrong: Vec<_> = differences(&samples, "a", &truth)
                .into_iter()
                // The gauges cover the lookback only.
                .filter(|difference| !difference.starts_with("cec_window"))
                .collect();
            sleep(Duration::from_millis(500));
            wrong.is_empty()
        },
    );
    let calls: u64 = truth.calls.values().sum();
    wait_until("Prometheus has the last values", || {
        value("sum(cec_calls_total)") == Some(calls as f64)
    });
    let counters = r#"{__name__=~"cec_(team_|agent_)?(calls.*_total|call_.*_(bucket|count|sum))"}"#;
    let names = prometheus.label_values("__name__", counters).unwrap();
    assert!(names.len() > 32, "{names:?}");
    for name in names {
        assert_eq!(
            value(&format!("max(resets({name}[5d]))")),
            Some(0.0),
            "{name}"
        );
    }
    for group in ["team", "agent"] {
        let of_groups = format!("sum(cec_{group}_calls_processed_total)");
        let equal = format!("{of_groups} == sum(cec_calls_processed_total)");
        assert!(value(&equal).is_some(), "{group}");
        let day_before = "offset 1d) > 1000 == sum(cec_calls_processed_total offset 1d)";
        let equal = of_groups.replace(')', &format!(" {day_before}"));
        assert!(value(&equal).is_some(), "{equal}");
    }
    assert_eq!(value("max(min_over_time(cec_calls_total[5d]))"), Some(0.0));
    // A series that ended with the history would be another one than the live one.
    let series = "count(count_over_time(cec_calls_total[5d])) == count(cec_calls_total)";
    assert!(value(series).is_some());
    for ago in ["1d", "2d"] {
        let query = format!("sum(rate(cec_calls_total[1h] offset {ago})) * 86400");
        let rate = value(&query).unwrap();
        assert!((4500.0..15_000.0).contains(&rate), "{ago}: {rate}");
    }
    assert!(value("sum(cec_window_calls offset 1d)").unwrap() > 100.0);
    assert_eq!(
        value("count(cec_call_processing_seconds_count offset 1d)"),
        None
    );
    exporter.end();

    let again = output(directory, &["--from=2d", "--output=other"]);
    assert_eq!(again.status.code(), Some(1));
    let line = String::from_utf8(again.stderr).unwrap();
    let last = line.lines().last().unwrap();
    assert!(last.contains("already has a ledger"), "{line}");
}

#[test]
fn a_backfill_resumes_with_the_flags_that_it_began_with_and_no_others() {
    let vendor = SimulatedVendor::frozen(spec());
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), &vendor);
    let run = |flags: &[&str]| {
        let done = output(directory.path(), flags);
        let stderr = String::from_utf8(done.stderr).unwrap();
        (done.status.code(), stderr)
    };
    assert_eq!(run(&["--output=h", "--from=1d"]).0, Some(0));
    let resumed = run(&["--output=h", "--from=1d"]);
    assert!(
        resumed.0 == Some(0) && resumed.1.contains("resuming"),
        "{resumed:?}"
    );
    // A time before now has moved since, which does not make another one the same.
    for flags in [
        &["--from=2d"][..],
        &["--from=24h", "--to=1h"],
        &["--from=1d", "--to=2100-01-01"],
        &["--from=2026-01-01"],
        &["--from=1d", "--step=2m"],
    ] {
        let (code, stderr) = run(&[&["--output=h"], flags].concat());
        let expected = "cec_exporter: h/backfill.json: a backfill with other flags was begun there";
        assert!(
            code == Some(1) && stderr.contains(expected),
            "{flags:?}: {stderr}"
        );
    }
    std::fs::write(directory.path().join("h/backfill.json"), "{").unwrap();
    let damaged = run(&["--output=h", "--from=1d"]);
    assert!(
        damaged.0 == Some(1) && damaged.1.contains("is damaged"),
        "{damaged:?}"
    );
}

/// Its ledger has counted other days than the files would show.
#[test]
fn an_unfinished_backfill_resumes_with_its_own_files_only() {
    let vendor = SimulatedVendor::frozen(spec()).with_faults(|faults| faults.latency_ms = 30);
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    configure(directory, &vendor);
    let flags = ["--from=3d", HISTORY];
    let backfill = Process::spawn(&mut program(directory, &flags));
    // The ledger has the first day when the second one is written.
    wait_until("two days", || {
        directory.join("history/a").exists() && files(directory).len() > 1
    });
    drop(backfill);
    fs::rename(directory.join("history"), directory.join("away")).unwrap();
    for other in [flags, ["--from=2d", HISTORY]] {
        let refused = output(directory, &other);
        let stderr = String::from_utf8(refused.stderr).unwrap();
        let expected = "data/a.redb.backfill is of a backfill with other flags or another --output";
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        fs::remove_dir_all(directory.join("history")).unwrap();
    }
    fs::rename(directory.join("away"), directory.join("history")).unwrap();
    let resumed = output(directory, &flags);
    assert!(resumed.status.success(), "{resumed:?}");
}

#[test]
fn a_history_shorter_than_the_lookback_is_refused() {
    let vendor = SimulatedVendor::frozen(spec());
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), &vendor);
    for flags in [
        &["--from=1h", HISTORY][..],
        &["--from=2d", "--to=47h", HISTORY],
    ] {
        let refused = output(directory.path(), flags);
        let stderr = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        assert!(
            stderr.contains("as long as the lookback of target \"a\""),
            "{stderr}"
        );
    }
}

#[test]
fn a_target_that_fails_does_not_stop_the_others() {
    let vendor = SimulatedVendor::frozen(spec());
    let targets = ["a", "b"].map(|name| target(name, &vendor.endpoint, "page_size: 500"));
    let directory = process::configured(&configuration(&targets));
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("a.redb"), "of an exporter").unwrap();
    let done = output(directory.path(), &["--from=1d", HISTORY]);
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("target \"a\" already has a ledger"),
        "{stderr}"
    );
    assert!(data.join("b.redb").exists(), "{stderr}");
}

#[test]
fn an_exporter_that_starts_meanwhile_keeps_its_ledger() {
    let vendor = SimulatedVendor::frozen(spec()).with_faults(|faults| faults.latency_ms = 30);
    let directory = tempfile::tempdir().unwrap();
    configure(directory.path(), &vendor);
    let flags = ["--from=3d", HISTORY];
    let mut backfill = Process::spawn(&mut program(directory.path(), &flags));
    wait_until("the first day", || {
        directory.path().join("history/a").exists() && !files(directory.path()).is_empty()
    });
    let ledger = directory.path().join("data/a.redb");
    fs::write(&ledger, "of an exporter").unwrap();
    assert_eq!(backfill.ended().code(), Some(1));
    let stderr = backfill.stderr();
    assert!(stderr.contains("already has a ledger"), "{stderr}");
    assert_eq!(fs::read_to_string(&ledger).unwrap(), "of an exporter");

    let unfinished = ledger.with_extension("redb.backfill");
    assert!(unfinished.exists());
    fs::remove_file(&ledger).unwrap();
    let flags_of_exporter = [LISTEN, "--storage.path=data"];
    let exporter = Exporter::spawn(command(directory.path()).args(flags_of_exporter));
    exporter.logged("a backfill of the target has not finished");
    exporter.end();
    fs::remove_file(&ledger).unwrap();
    let resumed = output(directory.path(), &flags);
    assert!(resumed.status.success(), "{resumed:?}");
    assert!(ledger.exists() && !unfinished.exists());
}

#[test]
fn an_interrupted_backfill_resumes_to_the_same_bytes_whatever_the_vendor_does() {
    let vendor = SimulatedVendor::frozen(spec());
    let (from, to) = (now() - DAYS * DAY - 3600, now() - 60);
    let at = |seconds: u32| {
        let time = jiff::Timestamp::from_second(seconds.into());
        time.unwrap().to_string()
    };
    let flags = [
        HISTORY.to_owned(),
        format!("--from={}", at(from)),
        format!("--to={}", at(to)),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let undisturbed = tempfile::tempdir().unwrap();
    configure(undisturbed.path(), &vendor);
    let done = output(undisturbed.path(), &flags);
    assert!(done.status.success(), "{done:?}");
    let expected = files(undisturbed.path());
    assert!(expected.len() > DAYS as usize, "{:?}", expected.keys());

    vendor.set_faults(|faults| {
        faults.details = vec![
            Fault::share(Answer::Http(503), 0.05),
            Fault::share(Answer::CutBody, 0.05),
            Fault::share(Answer::Reset, 0.05),
            Fault::share(Answer::Http(429), 0.02),
        ];
        faults.latency_ms = 30;
    });
    // One history may be finished before it was interrupted so often.
    let mut kills = 0;
    while kills < 20 {
        let disturbed = tempfile::tempdir().unwrap();
        configure(disturbed.path(), &vendor);
        loop {
            let mut backfill = Process::spawn(&mut program(disturbed.path(), &flags));
            if kills < 20 {
                sleep(Duration::from_millis(fastrand::u64(20..400)));
                backfill.signal("KILL");
                kills += 1;
            }
            let status = backfill.ended();
            assert!(
                status.success() || status.code().is_none(),
                "{}",
                backfill.stderr()
            );
            if status.success() {
                break;
            }
        }
        for (name, text) in files(disturbed.path()) {
            assert!(expected.get(&name) == Some(&text), "{name} differs");
        }
        assert_eq!(files(disturbed.path()).len(), expected.len());
        let ledgers = fs::read_dir(disturbed.path().join("data")).unwrap();
        let names: Vec<_> = ledgers.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a.redb"]);
    }
}
