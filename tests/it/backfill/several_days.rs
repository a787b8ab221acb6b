//! A backfill that takes longer than the lookback, under a clock of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cec_exporter::backfill::plan::Plan;
use cec_exporter::backfill::{self, Days, Job};
use cec_exporter::client::HttpClient;
use cec_exporter::client::tls::Trust;
use cec_exporter::config;
use cec_exporter::simulator::spec::Spec;

use super::{DAY, files, spec};
use crate::support::process::{configuration, target};
use crate::support::simulated::{SimulatedVendor, now};

#[test]
fn a_backfill_of_several_days_ends_when_it_ends() {
    static NOW: AtomicU32 = AtomicU32::new(0);
    let start = now() - now() % DAY - DAY / 2;
    NOW.store(start, Ordering::SeqCst);
    let clock = || NOW.load(Ordering::SeqCst);
    let spec = Spec {
        start: start - 2 * DAY,
        ..spec()
    };
    let vendor = SimulatedVendor::start(spec, Arc::new(move || f64::from(clock())));
    let directory = tempfile::tempdir().unwrap();
    let day = "page_size: 500, lookback: 1d";
    let text = configuration(&[target("a", &vendor.endpoint, day)]);
    let file = directory.path().join("cec_exporter.yml");
    std::fs::write(&file, text).unwrap();
    let config = config::load(Some(&file), &file, &|_| None).unwrap();
    let job = Job {
        plan: Plan {
            from: start - 2 * DAY,
            to: None,
            step: 3600,
            labels: Vec::new(),
        },
        between: None,
        output: directory.path().join("history"),
        storage: directory.path().to_owned(),
        clock,
    };
    let run = |days: Days| {
        let target = &config.targets[0];
        let trust = Trust::of_this_machine().unwrap();
        let client = HttpClient::new(target.clone(), &trust, Arc::new(|_| {})).unwrap();
        let mut read = Vec::new();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let client = Arc::new(client);
        let done = backfill::run(&job, target, client, days, |day| read.push(day.window.to));
        runtime.block_on(done).unwrap();
        read
    };
    let end_of_day = |day: i32| (start - start % DAY).wrapping_add_signed(day * DAY as i32) - 1;
    // Yesterday is less than a lookback ago.
    assert_eq!(run(Days::Old), [end_of_day(-1)]);
    assert!(!directory.path().join("a.redb").exists());
    NOW.store(start + 2 * DAY, Ordering::SeqCst);
    let rest = [0, 1, 2].map(end_of_day);
    assert_eq!(run(Days::All), [&rest[..], &[start + 2 * DAY]].concat());
    let last = files(directory.path()).into_values().next_back().unwrap();
    let calls = last
        .lines()
        .filter(|line| line.starts_with("cec_calls_total{"));
    let at_end = calls.filter(|line| line.ends_with(&format!(" {}", start + 2 * DAY)));
    let counted: u64 = at_end
        .map(|line| line.split(' ').nth_back(1).unwrap().parse::<u64>().unwrap())
        .sum();
    let truth = vendor.simulator.truth(None, None);
    assert_eq!(counted, truth.calls.values().sum::<u64>());
    assert!(run(Days::All).is_empty());
}
