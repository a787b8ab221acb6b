//! Where ledgers are kept, and a disk that is full.

use std::process::Command;

use cec_exporter::simulator::spec::Spec;

use super::{A, counters, refused};
use crate::support::process::{Exporter, target};
use crate::support::simulated::{SimulatedVendor, now, settled};
use crate::support::storage_processes::Place;
use crate::support::truth::differences;

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
fn limit_files(exporter: &Exporter, bytes: &str) {
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
    let log = exporter.logged("tries again");
    assert!(log.contains("reason=storage"), "{log}");
    assert!(log.contains("data/a.redb"), "{log}");
    // The limit stands for a full disk; the page says which it is.
    let page = exporter.get("/").body;
    let cause = "<dt>Likely cause</dt><dd>the file may not grow: a limit";
    assert!(page.contains(cause), "{page}");

    limit_files(&exporter, "unlimited");
    vendor.dry_up();
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
