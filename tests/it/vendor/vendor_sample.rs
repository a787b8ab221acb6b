//! The vendor's sample, from the socket to the exposition.

use std::sync::Arc;

use cec_exporter::puller::plan::Intervals;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::PATIENCE;
use crate::support::process::{Exporter, target};
use crate::support::pulled::puller;
use crate::support::samples::Samples;
use crate::support::scripted_vendor::{DETAILS, Reply, Seen, Vendor};
use crate::support::text::{assert_golden, text};

/// The end of the window that the sample was asked for.
const NOW: u32 = 1_623_925_149;
/// Its length.
const LOOKBACK: u32 = 30 * 86_400;

/// A vendor that lists the requested calls of the sample.
async fn vendor() -> Vendor {
    Vendor::with_pages(|seen, _| Reply::ok(listed(seen))).await
}

fn listed(seen: &Seen) -> String {
    let asked: Value = serde_json::from_str(&seen.body).unwrap();
    let mut answer: Value = serde_json::from_str(DETAILS).unwrap();
    let groups = answer["data"].as_array_mut().unwrap();
    let holds = |list: &str, value: &Value| asked[list].as_array().unwrap().contains(value);
    groups.retain(|group| {
        let call = &group["calls"][0];
        let uploaded = call["upload_time"].as_u64();
        holds("status", &call["status"])
            && holds("call_types", &call["call_type"])
            && uploaded >= asked["upload_from"].as_u64()
            && uploaded <= asked["upload_to"].as_u64()
    });
    let total = groups.len();
    let limit = asked["limit"].as_u64().unwrap() as usize;
    let before = (asked["page"].as_u64().unwrap() as usize - 1) * limit;
    *groups = groups.iter().skip(before).take(limit).cloned().collect();
    answer["paging"] = json!({ "total": total });
    answer.to_string()
}

fn calls() -> Vec<Value> {
    let sample: Value = serde_json::from_str(DETAILS).unwrap();
    let groups = sample["data"].as_array().unwrap();
    groups
        .iter()
        .flat_map(|group| group["calls"].as_array().unwrap())
        .cloned()
        .collect()
}

/// All values of a measure in the sample for a role, by the speaker of the channel.
fn by_role(measure: &str, role: &str) -> Vec<f64> {
    let calls = calls();
    let sides = calls
        .iter()
        .flat_map(|call| ["left", "right"].map(|side| (call, side)));
    sides
        .filter(|(call, side)| call[format!("{side}_channel")] == role)
        .map(|(call, side)| call[format!("{side}_{measure}")].as_f64().unwrap())
        .collect()
}

fn assert_sum(values: &[f64], expected: f64) {
    let sum: f64 = values.iter().sum();
    assert!((sum - expected).abs() < 1e-9, "{sum} {expected}");
}

/// Compares count, sum and each bucket with the values.
fn assert_histogram(samples: &Samples, name: &str, labels: &[(&str, &str)], values: &[f64]) {
    let count = samples.one(&format!("{name}_count"), labels);
    assert_eq!(count, values.len() as f64, "{name} {labels:?}");
    let sum = samples.one(&format!("{name}_sum"), labels);
    let difference = sum - values.iter().sum::<f64>();
    assert!(difference.abs() < 1e-9, "{name} {labels:?}: {sum}");
    let buckets = format!("{name}_bucket");
    let buckets: Vec<_> = samples.select(&buckets, labels).collect();
    assert!(buckets.len() > 5, "{name} {labels:?}");
    for bucket in buckets {
        let bound: f64 = bucket.labels["le"].parse().unwrap();
        let within = values.iter().filter(|value| **value <= bound).count();
        assert_eq!(bucket.value, within as f64, "{bucket:?}");
    }
}

/// Compares with figures calculated by hand.
fn assert_figures(samples: &Samples) {
    let voice = [("target", "sample"), ("call_type", "voice")];
    let text = [("target", "sample"), ("call_type", "text")];
    let succeeded = [voice[0], voice[1], ("status", "succeeded")];
    for name in ["cec_calls_processed_total", "cec_window_calls"] {
        assert_eq!(samples.one(name, &succeeded), 6.0, "{name}");
        assert_eq!(samples.sum(name, &voice), 6.0, "{name}: no other status");
        assert_eq!(samples.sum(name, &text), 0.0, "{name}: no text");
    }
    assert_eq!(samples.one("cec_calls_total", &voice), 6.0);
    assert_eq!(samples.sum("cec_calls_expired_total", &[]), 0.0);
    let sampled = [voice[0], voice[1], ("state", "0")];
    assert_eq!(samples.one("cec_window_sampled_calls", &sampled), 6.0);
    for (name, expected) in [
        ("cec_window_sampled_calls", 6.0),
        ("cec_window_reviewed_calls", 0.0),
        ("cec_window_appealed_calls", 0.0),
    ] {
        assert_eq!(samples.sum(name, &[]), expected, "{name}");
    }
    // The calls were final when first seen, so their processing time is unknown.
    assert_eq!(samples.sum("cec_call_processing_seconds_count", &[]), 0.0);

    let durations: Vec<f64> = calls()
        .iter()
        .map(|call| call["duration"].as_f64().unwrap())
        .collect();
    // 164.22 + 4 × 347.16 + 104.12
    assert_sum(&durations, 1656.98);
    assert_histogram(samples, "cec_call_duration_seconds", &voice, &durations);
    assert_histogram(samples, "cec_call_duration_seconds", &text, &[]);
    for (name, measure, customer, staff) in [
        // 88.46 + 4 × 260.03 + 40.8, and 110.82 + 4 × 275.65 + 84.86
        ("cec_call_silence_seconds", "silence_time", 1169.38, 1298.28),
        // 241.552 + 2 × 307.127 + 305.061 + 324.068 + 306.439,
        // and 165.169 + 318.837 + 319.676 + 230.53 + 321.354 + 320.515
        (
            "cec_call_speech_characters_per_minute",
            "speed",
            1791.374,
            1676.081,
        ),
        // 0.4613 + 4 × 0.251 + 0.6081, and 0.3252 + 4 × 0.206 + 0.185
        ("cec_call_speech_ratio", "speech_ratio", 2.0734, 1.3342),
    ] {
        for (role, by_hand) in [("customer", customer), ("staff", staff)] {
            let values = by_role(measure, role);
            assert_eq!(values.len(), 6, "{name} {role}");
            assert_sum(&values, by_hand);
            let labels = [("target", "sample"), ("role", role)];
            assert_histogram(samples, name, &labels, &values);
        }
        // Each call names both speakers.
        let labels = [("target", "sample"), ("role", "unknown")];
        assert!(!samples.has(&format!("{name}_count"), &labels));
    }
}

#[tokio::test]
async fn the_exposition_of_the_sample_is_the_golden_file() {
    let vendor = vendor().await;
    let intervals = Intervals {
        lookback: LOOKBACK,
        overlap: 600,
        reconcile_interval: 3600,
    };
    let puller = puller("sample", &vendor.endpoint(), intervals, Arc::new(|| NOW));
    // The second pull reads the same calls and changes nothing.
    for _ in 0..2 {
        let view = puller.scrape(Instant::now() + PATIENCE).await;
        assert_eq!((view.up, view.last_error), (Some(true), None));
        let calls = view.snapshot.calls.unwrap();
        let text = text("sample", &calls);
        assert_figures(&Samples::parse(&text));
        assert_golden("vendor_sample.prom", &text);
    }
    assert_eq!(vendor.counts().0, 1, "one token serves both");
    puller.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_exports_the_same_figures() {
    let vendor = vendor().await;
    // The longest allowed: it contains the calls of the sample until June 2031.
    let targets = [target(
        "sample",
        &vendor.endpoint(),
        "lookback: 3650d, page_size: 4",
    )];
    let samples = tokio::task::block_in_place(|| Exporter::start(&targets).scrape());
    assert_eq!(samples.one("cec_up", &[("target", "sample")]), 1.0);
    assert_figures(&samples);
    let kept = std::fs::read_to_string("tests/golden/vendor_sample.prom").unwrap();
    // It changes with time although the list does not.
    let kept = kept
        .lines()
        .filter(|line| !line.contains("cec_recent_calls"));
    let kept: String = kept.map(|line| format!("{line}\n")).collect();
    assert_eq!(samples.call_metrics(), kept);
    for seen in vendor.seen().iter().filter(|seen| !seen.is_token()) {
        assert_eq!(
            seen.header("authorization"),
            Some("Bearer zzzzzzzzzzzzzzzzzz")
        );
        assert_eq!(seen.header("x-userid"), Some("test-user"));
    }
}
