//! The ledger on disk, through the real program: counters go on over restarts, and what cannot be
//! kept is not counted.

mod disk;
mod files;
mod targets;

use std::process::Output;

use cec_exporter::simulator::spec::Spec;

use crate::support::process::target;
use crate::support::samples::Samples;
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::storage_processes::Place;
use crate::support::truth::differences;

const A: [(&str, &str); 1] = [("target", "a")];

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
