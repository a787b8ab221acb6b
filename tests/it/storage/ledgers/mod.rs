//! The ledger on disk, through the real program: counters go on over restarts, and what cannot be
//! kept is not counted.

mod files;

use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::client::ask;
use crate::support::eventually;
use crate::support::process::{scrape, target};
use crate::support::samples::Samples;
use crate::support::simulated::{SimulatedVendor, now, settled};
use crate::support::storage_processes::{Place, Serving};
use crate::support::truth::differences;
use cec_exporter::simulator::spec::{Scenario, Spec};

const A: [(&str, &str); 1] = [("target", "a")];

impl Serving {
    fn scrape(&self) -> Samples {
        scrape(&self.address, 30)
    }

    fn scrape_until(&self, what: &str, seen: impl Fn(&Samples) -> bool) -> Samples {
        eventually(what, || Some(self.scrape()).filter(&seen))
    }

    fn reload(&self) -> (u16, String) {
        let answer = ask("POST", &self.address, "/-/reload", &[]);
        (answer.status, answer.body)
    }
}

/// Counters and histograms of one target.
fn counters(samples: &Samples, target: &str) -> Vec<String> {
    let mark = format!("target=\"{target}\"");
    let lines = samples.call_metrics();
    let lines = lines
        .lines()
        .filter(|line| line.starts_with("cec_call") && line.contains(&mark));
    lines.map(str::to_owned).collect()
}

/// Calls in every stage, which stay where they are.
fn varied(calls: u32) -> Spec {
    Spec {
        pipeline_speed: 1.0,
        late_share: 0.0,
        ..settled(calls)
    }
}

#[test]
fn counters_go_on_over_a_restart_even_if_the_vendor_is_down() {
    let vendor = SimulatedVendor::frozen(varied(400));
    let place = Place::new(&[target("a", &vendor.endpoint, "")]);
    let exporter = place.start(&[]);
    for _ in 0..3 {
        exporter.scrape();
    }
    let before = exporter.scrape();
    let truth = vendor.simulator.truth(None, None);
    assert_eq!(differences(&before, "a", &truth), [""; 0]);
    assert!(before.sum("cec_window_calls", &[("status", "waiting")]) > 0.0);
    assert_eq!(
        before.one("cec_exporter_pull_duration_seconds_count", &A),
        4.0
    );
    exporter.end();

    vendor.set_faults(|faults| faults.down = true);
    let exporter = place.start(&[]);
    let first = exporter.scrape();
    assert_eq!(first.call_metrics(), before.call_metrics());
    assert_eq!(first.one("cec_up", &A), 0.0);
    // The exporter's own start over, but for what is told of the ledger.
    assert_eq!(
        first.one("cec_exporter_pull_duration_seconds_count", &A),
        1.0
    );
    assert_eq!(first.sum("cec_exporter_records_rejected_total", &A), 0.0);
    for name in [
        "cec_exporter_last_success_timestamp_seconds",
        "cec_exporter_frontier_timestamp_seconds",
        "cec_exporter_ledger_calls",
    ] {
        // A frontier that moved alone is written once a minute.
        let lost = before.one(name, &A) - first.one(name, &A);
        assert!((0.0..60.0).contains(&lost), "{name}: {lost}");
    }

    vendor.set_faults(|_| {});
    let later = exporter.scrape_until("up", |samples| samples.one("cec_up", &A) == 1.0);
    assert_eq!(later.call_metrics(), before.call_metrics());
    exporter.end();
    assert_eq!(place.listed("data"), ["a.redb"]);
}

/// Why a start failed: one line, and nothing else.
fn refused(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(output.stdout.is_empty());
    assert!(!stderr.contains("listening"), "{stderr}");
    stderr
}

#[test]
fn a_second_process_in_the_same_directory_is_refused() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let place = Place::new(&[target("a", &vendor.endpoint, "")]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    let line = refused(&place.run(&[]));
    assert!(line.contains("data/a.redb is in use"), "{line}");
    assert!(line.contains("--storage.path"), "{line}");
    // The first goes on.
    let after = exporter.scrape();
    assert_eq!(after.call_metrics(), before.call_metrics());
    assert_eq!(after.one("cec_up", &A), 1.0);
    exporter.end();
    // Its lock is gone with it.
    place.start(&[]).end();
}

#[test]
fn a_damaged_ledger_is_never_replaced_by_a_fresh_one() {
    let vendor = SimulatedVendor::frozen(settled(300));
    let place = Place::new(&[target("a", &vendor.endpoint, "")]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    exporter.end();
    let ledger = place.ledger("a");
    let sound = std::fs::read(&ledger).unwrap();
    let mut in_the_middle = sound.clone();
    let half = sound.len() / 2;
    for byte in &mut in_the_middle[4096..half] {
        *byte = !*byte;
    }
    for damaged in [
        &in_the_middle,
        &sound[..half],
        &[],
        b"what somebody has written by mistake",
    ] {
        std::fs::write(&ledger, damaged).unwrap();
        for _ in 0..2 {
            let line = refused(&place.run(&[]));
            assert!(line.contains("data/a.redb is damaged"), "{line}");
            assert!(line.contains("move it away"), "{line}");
        }
    }
    // As the line says: a copy in its place.
    std::fs::write(&ledger, sound).unwrap();
    let exporter = place.start(&[]);
    assert_eq!(exporter.scrape().call_metrics(), before.call_metrics());
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let place = Place::new(&[target("a", "http://127.0.0.1:9", "")]);
    for path in ["cec_exporter.yml", "cec_exporter.yml/data", "/proc/data"] {
        let line = refused(&place.run(&[&format!("--storage.path={path}")]));
        assert!(line.contains("--storage.path"), "{line}");
        assert!(line.contains(path), "{line}");
        assert!(line.contains("--storage.in-memory"), "{line}");
    }
}

/// The most bytes that a file of this process may have from now on; all that went well is as it
/// was once that is lifted.
fn limit_files(exporter: &Serving, bytes: &str) {
    let limited = Command::new("prlimit")
        .arg(format!("--pid={}", exporter.process.id()))
        .arg(format!("--fsize={bytes}:"))
        .status();
    assert!(limited.unwrap().success());
}

#[test]
fn a_full_disk_stops_the_counting_until_there_is_room_again() {
    let vendor = SimulatedVendor::live(Spec {
        calls_per_day: 5.0 * 86_400.0,
        start: now() - 60,
        ..settled(0)
    });
    let place = Place::new(&[target("a", &vendor.endpoint, "")]);
    let exporter = place.start_that_can_be_limited();
    let storage = [("target", "a"), ("reason", "storage")];
    let failures = "cec_exporter_pull_failures_total";
    let before = exporter.scrape();
    assert!(before.has_calls("a"));
    assert_eq!(before.one(failures, &storage), 0.0);

    limit_files(&exporter, "4096");
    let full = exporter.scrape_until("a failure", |samples| samples.one("cec_up", &A) == 0.0);
    // What was read before the limit was there.
    let counted = counters(&full, "a");
    for times in [1.0, 2.0] {
        let samples = exporter.scrape_until("the next failure", |samples| {
            samples.one(failures, &storage) >= times
        });
        assert_eq!(samples.one("cec_up", &A), 0.0);
        assert!(counters(&samples, "a") == counted, "{}", samples.text);
        assert_eq!(samples.sum(failures, &A), samples.one(failures, &storage));
    }
    let log = exporter.process.stderr();
    assert!(log.contains("reason=storage"), "{log}");
    assert!(log.contains("data/a.redb"), "{log}");
    assert!(log.contains("tries again"), "{log}");
    // The limit stands for a full disk; the page says which it is.
    let page = ask("GET", &exporter.address, "/", &[]).body;
    let cause = "<dt>Likely cause</dt><dd>the file may not grow: a limit";
    assert!(page.contains(cause), "{page}");

    limit_files(&exporter, "unlimited");
    vendor.simulator.set_scenario(Scenario {
        dried_up: true,
        ..Scenario::default()
    });
    let truth = || vendor.simulator.truth(None, None);
    let after = exporter.scrape_until("the truth", |samples| {
        samples.one("cec_up", &A) == 1.0 && differences(samples, "a", &truth()).is_empty()
    });
    assert_ne!(counters(&after, "a"), counted, "calls came meanwhile");
    // And it is on disk.
    exporter.end();
    vendor.set_faults(|faults| faults.down = true);
    let again = place.start(&[]).scrape();
    assert_eq!(again.call_metrics(), after.call_metrics());
}

#[test]
fn a_start_on_a_full_disk_is_told() {
    let place = Place::new(&[target("a", "http://127.0.0.1:9", "")]);
    let output = Command::new("prlimit")
        .arg("--fsize=4096:")
        .args(["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .args([env!("CARGO_BIN_EXE_cec_exporter"), "--web.listen-address"])
        .arg("127.0.0.1:0")
        .current_dir(place.path())
        .output()
        .unwrap();
    let line = refused(&output);
    assert!(line.contains("data/a.redb"), "{line}");
    // Nothing half-made is in the way of the next start.
    place.start(&[]).end();
}

#[test]
fn a_target_that_was_removed_goes_on_where_it_was() {
    let vendor = SimulatedVendor::frozen(varied(300));
    let a = target("a", &vendor.endpoint, "");
    let b = target("b", &vendor.endpoint, "call_types: [text]");
    let place = Place::new(&[a.clone(), b.clone()]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    assert!(before.has_calls("a") && before.has_calls("b"));

    place.configure(std::slice::from_ref(&b));
    assert_eq!(exporter.reload().0, 200);
    let without = exporter.scrape();
    assert!(!without.has_calls("a") && without.has_calls("b"));

    vendor.set_faults(|faults| faults.down = true);
    place.configure(&[a.clone(), b.clone()]);
    assert_eq!(exporter.reload().0, 200);
    assert_eq!(exporter.scrape().call_metrics(), before.call_metrics());

    // Also if it goes and comes while it is scraped.
    vendor.set_faults(|_| {});
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                exporter.scrape();
            }
        });
        for _ in 0..10 {
            for targets in [&[b.clone()][..], &[a.clone(), b.clone()]] {
                place.configure(targets);
                let answer = exporter.reload();
                done.store(answer.0 != 200, Ordering::Relaxed);
                assert_eq!(answer, (200, answer.1.clone()));
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let after = exporter.scrape_until("up", |samples| samples.sum("cec_up", &[]) == 2.0);
    assert_eq!(after.call_metrics(), before.call_metrics());
}

#[test]
fn a_scrape_under_way_does_not_keep_the_ledger_of_a_removed_target() {
    let (vendor, slow) = (
        SimulatedVendor::frozen(settled(100)),
        SimulatedVendor::frozen(settled(100)),
    );
    let a = target("a", &vendor.endpoint, "");
    let b = target("b", &slow.endpoint, "request_timeout: 50s");
    let place = Place::new(&[a.clone(), b.clone()]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    let asked = slow.pages();
    let held = slow.simulator.world();
    std::thread::scope(|scope| {
        let under_way = scope.spawn(|| scrape(&exporter.address, 50));
        eventually("a request that hangs", || {
            (slow.simulator.stats().in_flight > 0).then_some(())
        });
        place.configure(std::slice::from_ref(&b));
        let removed = exporter.reload();
        place.configure(&[a, b]);
        let back = exporter.reload();
        let was_under_way = !under_way.is_finished();
        drop(held);
        assert_eq!((removed.0, back.0), (200, 200), "{} {}", removed.1, back.1);
        assert!(was_under_way);
    });
    assert!(slow.pages() > asked);
    assert_eq!(exporter.scrape().call_metrics(), before.call_metrics());
}

#[test]
fn a_reload_that_finds_a_damaged_ledger_changes_nothing() {
    let vendor = SimulatedVendor::frozen(settled(200));
    let named = |name: &str| target(name, &vendor.endpoint, "");
    let place = Place::new(&[named("a")]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    std::fs::write(place.ledger("c"), "damaged").unwrap();
    place.configure(&[named("a"), named("b"), named("c")]);
    let (status, body) = exporter.reload();
    assert_eq!(status, 500);
    assert!(body.contains("data/c.redb"), "{body}");
    assert_eq!(exporter.scrape().call_metrics(), before.call_metrics());
    // The one that was opened before it is not held.
    place.configure(&[named("a"), named("b")]);
    let answer = exporter.reload();
    assert_eq!(answer.0, 200, "{}", answer.1);
    let after = exporter.scrape();
    assert_eq!(counters(&after, "a"), counters(&before, "a"));
    assert!(after.has_calls("b"));
}

#[test]
fn another_lookback_takes_back_nothing_and_counts_nothing_twice() {
    let vendor = SimulatedVendor::frozen(settled(300));
    let with = |lookback: &str| [target("a", &vendor.endpoint, lookback)];
    let place = Place::new(&with("lookback: 2h"));
    let exporter = place.start(&[]);
    let wide = exporter.scrape();
    exporter.end();
    let calls = |samples: &Samples| samples.sum("cec_window_calls", &A);
    for (lookback, is_wide) in [("30m", false), ("90m", true), ("20m", false), ("2h", true)] {
        place.configure(&with(&format!("lookback: {lookback}")));
        let exporter = place.start(&[]);
        let samples = exporter.scrape();
        assert_eq!(samples.one("cec_up", &A), 1.0);
        assert_eq!(counters(&samples, "a"), counters(&wide, "a"), "{lookback}");
        assert_eq!(calls(&samples) == calls(&wide), is_wide, "{lookback}");
        exporter.end();
    }
}

#[test]
fn in_memory_nothing_is_written() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let place = Place::new(&[target("a", &vendor.endpoint, "")]);
    for _ in 0..2 {
        let exporter = place.start(&["--storage.in-memory"]);
        assert!(exporter.scrape().has_calls("a"));
        exporter.end();
        assert_eq!(place.listed(""), ["cec_exporter.yml"]);
    }
    vendor.set_faults(|faults| faults.down = true);
    let exporter = place.start(&["--storage.in-memory"]);
    assert!(!exporter.scrape().has_calls("a"), "it starts over");
}

#[test]
fn the_directory_is_the_one_asked_for() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let place = Place::new(&[
        target("a", &vendor.endpoint, ""),
        target("\"../b/客\"", &vendor.endpoint, ""),
    ]);
    let exporter = place.start(&["--storage.path=some/where"]);
    exporter.scrape();
    exporter.end();
    assert_eq!(place.listed(""), ["cec_exporter.yml", "some"]);
    let listed = place.listed("some/where");
    assert_eq!(listed, ["%2e%2e%2fb%2f%e5%ae%a2.redb", "a.redb"]);
}

#[test]
fn gauges_are_withdrawn_after_the_last_success_also_over_a_restart() {
    let vendor = SimulatedVendor::frozen(varied(400));
    let place = Place::new(&[target("a", &vendor.endpoint, "stale_after: 1s")]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    let withdrawn = [
        "cec_window_calls",
        "cec_window_missing_calls",
        "cec_window_sampled_calls",
        "cec_recent_calls",
        "cec_oldest_pending_call_timestamp_seconds",
    ];
    let shown = |samples: &Samples| withdrawn.map(|name| samples.has(name, &A));
    assert_eq!(shown(&before), [true; 5]);
    vendor.set_faults(|faults| faults.down = true);
    exporter.scrape_until("the gauges are gone", |samples| {
        shown(samples) == [false; 5]
    });
    exporter.end();

    let exporter = place.start(&[]);
    // The last success is known from the disk: nothing of the past is shown as if it were now.
    let first = exporter.scrape();
    assert_eq!(shown(&first), [false; 5]);
    assert_eq!(first.one("cec_window_seconds", &A), 7200.0);
    assert_eq!(counters(&first, "a"), counters(&before, "a"));

    vendor.set_faults(|_| {});
    exporter.scrape_until("they are back", |samples| shown(samples) == [true; 5]);
    exporter.end();
}
