//! Scrapes of the program over real sockets: who waits for what, and what is shown meanwhile.

use std::time::{Duration, Instant};

use crate::support::eventually;
use crate::support::process::{Exporter, a_moment, target};
use crate::support::samples::Samples;
use crate::support::simulated::{SimulatedVendor, now, one_target, settled};
use crate::support::truth::{PENDING, differences};
use cec_exporter::simulator::faults::{Answer, Fault};
use cec_exporter::simulator::spec::Spec;

const A: [(&str, &str); 1] = [("target", "a")];
const PULLS: &str = "cec_exporter_pull_duration_seconds_count";
const FRONTIER: &str = "cec_exporter_frontier_timestamp_seconds";

fn failures(samples: &Samples) -> f64 {
    samples.sum("cec_exporter_pull_failures_total", &A)
}

#[test]
fn scrapers_at_once_share_one_pull() {
    let vendor = SimulatedVendor::frozen(settled(500));
    let alone = one_target(&vendor, "min_pull_interval: 1h");
    alone.scrape();
    let (pages, tokens) = (vendor.pages(), vendor.tokens());

    // Slow enough that all of them come while the first one's pull is under way.
    vendor.set_faults(|faults| faults.latency_ms = 300);
    let exporter = one_target(&vendor, "min_pull_interval: 1h");
    let answers: Vec<Samples> = std::thread::scope(|scope| {
        let scrapers: Vec<_> = (0..8).map(|_| scope.spawn(|| exporter.scrape())).collect();
        scrapers
            .into_iter()
            .map(|one| one.join().unwrap())
            .collect()
    });
    for samples in &answers {
        assert_eq!(samples.one(PULLS, &A), 1.0);
        assert_eq!(samples.call_metrics(), answers[0].call_metrics());
        assert!(samples.has_calls("a"));
    }
    assert_eq!(vendor.pages(), 2 * pages, "no more than for one scraper");
    assert_eq!(vendor.tokens(), 2 * tokens);

    // Within the interval later scrapes share it too.
    let later = exporter.scrape();
    assert_eq!(later.one(PULLS, &A), 1.0);
    assert_eq!(later.call_metrics(), answers[0].call_metrics());
    assert_eq!(vendor.pages(), 2 * pages);
}

#[test]
fn a_deadline_is_kept_and_the_pull_goes_on_for_a_later_scrape() {
    let vendor = SimulatedVendor::frozen(settled(500));
    let exporter = one_target(&vendor, "min_pull_interval: 1h, request_timeout: 50s");
    // Nobody gets a page as long as this is held.
    let held = vendor.simulator.world();
    for _ in 0..2 {
        let samples = exporter.scrape_within(1);
        assert_eq!(samples.one("cec_up", &A), 0.0);
        assert_eq!(samples.one("cec_window_seconds", &A), 7200.0);
        assert_eq!(samples.call_metrics(), "");
        assert!(!samples.has(FRONTIER, &A));
        assert_eq!(samples.one(PULLS, &A), 0.0, "it is still under way");
        assert!(vendor.pages() == 0 && vendor.tokens() == 1);
    }
    drop(held);
    let samples = exporter.scrape();
    assert_eq!(samples.one("cec_up", &A), 1.0);
    assert_eq!(samples.one(PULLS, &A), 1.0, "the pull of the first scrape");
    let truth = vendor.simulator.truth(None, None);
    assert_eq!(differences(&samples, "a", &truth), [""; 0]);
}

#[test]
fn a_slow_vendor_does_not_make_a_scrape_wait_for_it() {
    let vendor = SimulatedVendor::frozen(settled(50)).with_faults(|f| f.latency_ms = 10_000);
    let exporter = one_target(&vendor, "request_timeout: 50s");
    let samples = exporter.scrape_within(1);
    // Before the vendor's first answer.
    assert_eq!(vendor.pages(), 0);
    assert_eq!(samples.one("cec_up", &A), 0.0);
    assert!(!samples.has_calls("a"));
}

#[test]
fn call_metrics_appear_all_at_once() {
    // 300 pages, of which one pull publishes what it has several times.
    let vendor = SimulatedVendor::frozen(settled(3000));
    let more = "page_size: 10, max_requests_per_second: 150, min_pull_interval: 1h";
    let exporter = one_target(&vendor, more);
    let mut before = 0;
    let whole = eventually("the first whole window", || {
        let samples = exporter.scrape_within(1);
        assert!(samples.has("cec_up", &A) && samples.has("cec_window_seconds", &A));
        if samples.has_calls("a") {
            return Some(samples);
        }
        before += 1;
        assert_eq!(samples.call_metrics(), "", "a part is no number to rate");
        // A pull may end after the calls were taken for a scrape, and before the rest is.
        assert!(!samples.has(FRONTIER, &A) || exporter.scrape_within(1).has_calls("a"));
        None
    });
    assert!(before > 0, "the first scrape had it all");
    let truth = vendor.simulator.truth(None, None);
    assert_eq!(differences(&whole, "a", &truth), [""; 0]);
    assert!(whole.has(FRONTIER, &A));
    assert!(vendor.simulator.stats().peak_in_flight <= 4);
}

#[test]
fn last_values_stay_while_the_vendor_is_down() {
    let vendor = SimulatedVendor::frozen(settled(500));
    let exporter = one_target(&vendor, "");
    let good = exporter.scrape();
    assert_eq!(good.one("cec_up", &A), 1.0);

    vendor.set_faults(|faults| faults.down = true);
    let down = exporter.scrape();
    assert_eq!(down.one("cec_up", &A), 0.0);
    assert_eq!(down.call_metrics(), good.call_metrics());
    let last_success = "cec_exporter_last_success_timestamp_seconds";
    for name in [FRONTIER, last_success] {
        assert_eq!(down.one(name, &A), good.one(name, &A), "{name}");
    }
    assert!(exporter.get("/").body.contains("DOWN"));

    // The clock of the frontier has whole seconds.
    std::thread::sleep(Duration::from_millis(1100));
    vendor.set_faults(|_| ());
    let up = exporter.scrape_until("recovery", |found| found.one("cec_up", &A) == 1.0);
    assert_eq!(up.call_metrics(), good.call_metrics());
    for name in [FRONTIER, last_success] {
        assert!(up.one(name, &A) > good.one(name, &A), "{name}");
    }
    assert!(exporter.get("/").body.contains("All targets are up."));
}

#[test]
fn failures_hold_the_next_pull_off() {
    let vendor = SimulatedVendor::frozen(settled(50));
    // Not tried again within the pull, so each failure is one request.
    let forbidden = Fault::share(Answer::Http(403), 1.0);
    vendor.set_faults(|faults| faults.details = vec![forbidden]);
    let exporter = one_target(&vendor, "");
    let begun = Instant::now();
    let third = exporter.scrape_until("three failures", |found| failures(found) >= 3.0);
    // A second after the first, two after the second.
    assert!(begun.elapsed() >= Duration::from_secs(3));
    assert_eq!(failures(&third), 3.0);
    assert_eq!(vendor.pages(), 3);
}

#[test]
fn retry_after_holds_the_next_pull_off_for_as_long() {
    let vendor = SimulatedVendor::frozen(settled(50));
    let limited = Fault {
        retry_after_seconds: Some(600),
        ..Fault::next(Answer::Http(429), 1)
    };
    vendor.set_faults(|faults| faults.details = vec![limited]);
    let exporter = one_target(&vendor, "");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        let samples = exporter.scrape();
        assert_eq!(samples.one("cec_up", &A), 0.0);
        assert_eq!(failures(&samples), 1.0);
    }
    assert_eq!(vendor.pages(), 1, "neither a retry nor a pull");
}

#[test]
fn every_call_is_in_one_place_at_every_scrape() {
    // Some 25 calls a second, of which the slow ones are not done before they leave.
    let spec = Spec {
        start: now() - 70,
        calls_per_day: 2_000_000.0,
        flat: true,
        pipeline_speed: 100.0,
        slow_share: 0.3,
        reinspected_share: 0.0,
        deleted_share: 0.0,
        late_share: 0.1,
        late_max_seconds: 3,
        ..Spec::default()
    };
    let vendor = SimulatedVendor::live(spec).with_faults(|faults| {
        faults.details = vec![
            Fault::share(Answer::CutBody, 0.04),
            Fault::share(Answer::Http(503), 0.04),
            Fault::share(Answer::Reset, 0.04),
            Fault::share(Answer::NullData, 0.02),
            // Two in a row fail a pull; what the others fail is mostly read in smaller windows.
            Fault::share(Answer::Http(401), 0.12),
        ];
        faults.wire.null_status_share = 0.02;
        faults.wire.malformed_share = 0.02;
    });
    let exporter = one_target(&vendor, "lookback: 1m, page_size: 200");
    let sum = |samples: &Samples, name: &str, labels: &[(&str, &str)], call_type: &str| {
        samples.sum(name, &[labels, &[A[0], ("call_type", call_type)]].concat())
    };
    let mut last = 0.0;
    let (mut scrapes, mut moves) = (0, 0);
    let begun = Instant::now();
    loop {
        let samples = exporter.scrape();
        // Until everything has happened that the sum has to survive.
        let happened = [
            failures(&samples),
            samples.sum("cec_calls_expired_total", &A),
            samples.sum("cec_exporter_records_rejected_total", &A),
        ];
        if scrapes >= 100 && moves >= 5 && happened.iter().all(|count| *count > 0.0) {
            break;
        }
        assert!(
            begun.elapsed() < crate::support::PATIENCE,
            "it was too easy: {scrapes} scrapes, {moves} moves, failures, expired calls and \
             rejected records {happened:?}"
        );
        if !samples.has_calls("a") {
            continue;
        }
        scrapes += 1;
        for call_type in ["voice", "text"] {
            let calls = sum(&samples, "cec_calls_total", &[], call_type);
            let processed = sum(&samples, "cec_calls_processed_total", &[], call_type);
            let expired = sum(&samples, "cec_calls_expired_total", &[], call_type);
            let waiting: f64 = PENDING
                .iter()
                .chain(&["unknown"])
                .map(|status| {
                    let label = [("status", *status)];
                    sum(&samples, "cec_window_calls", &label, call_type)
                })
                .sum();
            assert_eq!(
                calls,
                processed + expired + waiting,
                "{call_type}: {processed} processed, {expired} expired, {waiting} waiting; \
                 missing {}",
                sum(&samples, "cec_window_missing_calls", &[], call_type)
            );
        }
        let calls = samples.sum("cec_calls_total", &A);
        assert!(calls >= last, "a counter went back");
        moves += u32::from(calls > last);
        last = calls;
        assert_eq!(
            samples.sum("cec_window_missing_calls", &A),
            0.0,
            "no call was deleted"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn traffic_comes_out_as_it_really_was() {
    let spec = || Spec {
        start: now() - 1800,
        calls_per_day: 400_000.0,
        pipeline_speed: 200.0,
        late_share: 0.5,
        late_max_seconds: 10,
        // These move for hours after a call is done, and are compared less often.
        inspect_share: 0.0,
        review_share: 0.0,
        complain_share: 0.0,
        ..settled(0)
    };
    let vendors = [
        ("plain", SimulatedVendor::live(spec())),
        (
            "oldest",
            SimulatedVendor::live(spec()).with_faults(|faults| {
                faults.paging.order = cec_exporter::simulator::paging::Order::OldestFirst;
            }),
        ),
        (
            "troubled",
            SimulatedVendor::live(spec()).with_faults(|faults| {
                faults.details = vec![
                    Fault::share(Answer::CutBody, 0.05),
                    Fault::share(Answer::Reset, 0.05),
                ];
            }),
        ),
    ];
    let targets = vendors
        .iter()
        .map(|(name, vendor)| target(name, &vendor.endpoint, "page_size: 500"));
    let exporter = Exporter::start(&targets.collect::<Vec<_>>());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        exporter.scrape();
        a_moment();
    }
    for (_, vendor) in &vendors {
        vendor.dry_up();
    }
    for (name, vendor) in &vendors {
        let begun = Instant::now();
        let left = loop {
            let samples = exporter.scrape();
            let truth = vendor.simulator.truth(None, None);
            assert!(truth.calls[&0] > 1000);
            let left = differences(&samples, name, &truth);
            if left.is_empty() || begun.elapsed() > crate::support::PATIENCE {
                break left;
            }
            a_moment();
        };
        assert_eq!(left, [""; 0], "{name}");
    }
}

#[test]
fn the_oldest_call_in_each_pending_status_is_shown() {
    // The pipeline takes an hour or so.
    let spec = Spec {
        pipeline_speed: 0.1,
        ..settled(500)
    };
    let vendor = SimulatedVendor::frozen(spec);
    let samples = one_target(&vendor, "").scrape();
    let name = "cec_oldest_pending_call_timestamp_seconds";
    let now = vendor.simulator.now() as u32;
    let mut world = vendor.simulator.world();
    for (call_type, kind) in [("voice", 0), ("text", 2)] {
        for (status, code) in [("waiting", 0), ("transcribing", 3), ("inspecting", 1)] {
            let oldest = world
                .calls(0, now, now)
                .filter(|call| call.is_visible(now) && call.call_type() == kind)
                .filter(|call| call.status_at(now) == code)
                .map(|call| f64::from(call.upload_time()))
                .next();
            let labels = [("call_type", call_type), ("status", status)];
            let shown = samples.select(name, &labels).next();
            assert_eq!(shown.map(|sample| sample.value), oldest, "{labels:?}");
        }
    }
    let voice = [("call_type", "voice")];
    assert_eq!(samples.select(name, &voice).count(), 3, "it was too easy");
    drop(world);
    let truth = vendor.simulator.truth(None, None);
    assert_eq!(differences(&samples, "a", &truth), [""; 0]);
}
