//! `kill -9` at random moments, of a real process that pulls from another over HTTP with faults of
//! every kind: nothing is lost, nothing counted twice, and no counter ever goes down.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::PATIENCE;
use crate::support::client::{ask, try_ask};
use crate::support::process::{Process, command, target};
use crate::support::samples::Samples;
use crate::support::storage_processes::Place;
use crate::support::truth::differences;
use cec_exporter::simulator::expected::Expected;
use fastrand::Rng;
use serde_json::Value;

const KILLS: u32 = 30;

const FAULTS: &str = r#"{
    "latency_ms": 2,
    "details": [
        {"answer": {"http": 503}, "share": 0.01},
        {"answer": "reset", "share": 0.01},
        {"answer": "cut_body", "share": 0.01},
        {"answer": "envelope", "share": 0.01},
        {"answer": "null_data", "share": 0.01},
        {"answer": "slow", "delay_ms": 200, "share": 0.05}
    ],
    "token": {"troubles": [{"answer": {"http": 500}, "share": 0.05}]}
}"#;

/// A vendor whose calls take seconds where they usually take minutes. None is inspected a second
/// time or deleted: what is seen first of such a call depends on when one looks.
fn vendor() -> (Process, String) {
    let directory = std::env::temp_dir();
    let mut simulate = command(&directory);
    simulate
        .args(["simulate", "--web.listen-address=127.0.0.1:0", "--flat"])
        .args(["--calls-per-day=1000000", "--history=3m"])
        .args(["--pipeline-speed=100", "--late-share=0.2", "--late-max=8s"])
        .args(["--reinspected-share=0", "--deleted-share=0"])
        .args(["--faults", FAULTS]);
    let mut process = Process::spawn(&mut simulate);
    let address = process.told("endpoint: http://");
    (process, address)
}

/// What scrapes have shown so far, over all lives.
#[derive(Default)]
struct Shown {
    /// The highest value of each counter, by its line up to the value.
    counters: BTreeMap<String, f64>,
    scrapes: u32,
}

impl Shown {
    /// Answers whether anything is counted that was not before.
    fn take(&mut self, samples: &Samples) -> bool {
        self.scrapes += 1;
        let new: BTreeMap<String, f64> = (samples.text.lines())
            .filter(|line| line.starts_with("cec_call"))
            .map(|line| {
                let (series, value) = line.rsplit_once(' ').unwrap();
                (series.to_owned(), value.parse().unwrap())
            })
            .collect();
        for (series, before) in &self.counters {
            match new.get(series) {
                Some(value) => assert!(value >= before, "{series}: {value} after {before}"),
                None => panic!("{series} was {before} and is no longer there"),
            }
        }
        assert_adds_up(samples);
        let grown = new != self.counters;
        self.counters = new;
        grown
    }
}

/// The sum that holds at every scrape, for every type.
fn assert_adds_up(samples: &Samples) {
    for call_type in ["voice", "text"] {
        let labels = [("call_type", call_type)];
        let pending: f64 = ["waiting", "transcribing", "inspecting"]
            .iter()
            .map(|status| {
                let labels = [("call_type", call_type), ("status", *status)];
                samples.sum("cec_window_calls", &labels)
            })
            .sum();
        assert_eq!(
            samples.sum("cec_calls_total", &labels),
            samples.sum("cec_calls_processed_total", &labels)
                + samples.sum("cec_calls_expired_total", &labels)
                + pending,
            "{call_type}"
        );
    }
}

#[test]
fn nothing_is_lost_or_counted_twice_however_often_it_is_killed() {
    let seed = fastrand::u64(..);
    eprintln!("the moments are those of seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let (_vendor, vendor) = vendor();
    let place = Place::new(&[target(
        "a",
        &format!("http://{vendor}"),
        "page_size: 50, reconcile_interval: 1m",
    )]);
    let mut shown = Shown::default();
    let mut lives_that_counted = 0;
    for life in 0..3 * KILLS {
        if life >= KILLS && lives_that_counted > 5 {
            break;
        }
        let mut counted = false;
        // Some end before they listen, some in their first pull, some in the middle of many.
        let length = [50, 300, 1200][rng.usize(..3)] + rng.u32(..200);
        // Lives are longer where one in five or fewer has counted so far: the machine is busy.
        let slowness = (1 + life / 5).saturating_sub(lives_that_counted).max(1);
        let end = Instant::now() + Duration::from_millis((slowness * length).into());
        // Who waits sees what a pull has ended with; who does not, what is published in its midst.
        let timeout = ["30", "0.01"][rng.usize(..2)];
        for text in live(&place, end, timeout) {
            counted |= shown.take(&Samples::parse(&text));
        }
        lives_that_counted += u32::from(counted);
    }
    assert!(lives_that_counted > 5, "{lives_that_counted} have counted");

    for (path, body) in [("faults", "{}"), ("scenario", r#"{"dried_up": true}"#)] {
        let answer = try_ask("PUT", &vendor, &format!("/-/{path}"), &[], body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let exporter = place.start(&[]);
    let mut last = Vec::new();
    let calm = Instant::now() + PATIENCE;
    loop {
        let before = truth(&vendor);
        let samples = exporter.scrape();
        shown.take(&samples);
        // A truth that moved meanwhile says nothing.
        if before == truth(&vendor) {
            let truth: Expected = serde_json::from_value(before).unwrap();
            last = differences(&samples, "a", &truth);
            // Nobody looks at what people do to a call before the next comparison of all.
            let manual = [
                "cec_window_sampled",
                "cec_window_reviewed",
                "cec_window_appealed",
            ];
            last.retain(|difference| !manual.iter().any(|name| difference.starts_with(name)));
            if last.is_empty() && samples.one("cec_up", &[]) == 1.0 {
                break;
            }
        }
        assert!(Instant::now() < calm, "{last:#?}");
    }
    let total: f64 = shown
        .counters
        .iter()
        .filter(|(series, _)| series.starts_with("cec_calls_total"))
        .map(|(_, calls)| calls)
        .sum();
    assert!(total > 2000.0, "{total}");
    assert!(shown.scrapes > 100, "{} scrapes", shown.scrapes);
}

/// Runs the program and scrapes it until it is killed at `end`; gives every whole answer.
fn live(place: &Place, end: Instant, timeout: &str) -> Vec<String> {
    let log = place.path().join("log");
    let mut doomed = place.spawn(&log);
    std::thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut answers = Vec::new();
            while Instant::now() < end {
                let said = std::fs::read_to_string(&log).unwrap();
                let address = said
                    .split_once("address=")
                    .and_then(|(_, rest)| rest.split_once(char::is_whitespace));
                let headers = [("X-Prometheus-Scrape-Timeout-Seconds", timeout)];
                let answer = address.and_then(|(address, _)| {
                    try_ask("GET", address, "/metrics", &headers, "").ok()
                });
                answers.extend(answer.map(|answer| answer.body));
                std::thread::sleep(Duration::from_millis(2));
            }
            answers
        });
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        if doomed.0.try_wait().unwrap().is_some() {
            panic!("it ended: {}", std::fs::read_to_string(&log).unwrap());
        }
        // This is the kill.
        drop(doomed);
        scraper.join().unwrap()
    })
}

/// The simulator's truth about all its calls, as it tells it.
fn truth(vendor: &str) -> Value {
    let answer = ask("GET", vendor, "/-/truth", &[]);
    let mut truth: Value = serde_json::from_str(&answer.body).unwrap();
    // The time goes on, whether anything happens or not.
    truth["now"] = 0.into();
    truth
}
