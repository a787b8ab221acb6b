//! What an exposition says against what really happened.

use std::collections::BTreeMap;

use cec_exporter::simulator::expected::{Expected, Sum};
use cec_exporter::simulator::measures::Role;

use super::samples::Samples;

/// The names of the vendor's statuses, written down once more for the comparison.
const STATUSES: [(u16, &str); 15] = [
    (0, "waiting"),
    (3, "transcribing"),
    (1, "inspecting"),
    (2, "succeeded"),
    (9, "inspection_failed"),
    (31, "asr_empty"),
    (32, "asr_failed"),
    (33, "asr_upload_failed"),
    (34, "asr_submit_failed"),
    (35, "multimedia_failed"),
    (36, "tuc_failed"),
    (37, "asr_conversion_failed"),
    (38, "result_update_failed"),
    (39, "task_failed"),
    (40, "invalid_audio"),
];
pub(crate) const PENDING: [&str; 3] = ["waiting", "transcribing", "inspecting"];
const TYPES: [(u8, &str); 2] = [(0, "voice"), (2, "text")];

/// Every figure that is not the truth about all calls, in words. The calls must be such that the
/// first final status seen is the first one they had.
pub(crate) fn differences(samples: &Samples, target: &str, truth: &Expected) -> Vec<String> {
    let mut comparison = Comparison {
        samples,
        target,
        found: Vec::new(),
    };
    for (number, call_type) in TYPES {
        let total = truth.calls.get(&number).copied().unwrap_or(0);
        comparison.count("cec_calls_total", &[("call_type", call_type)], total);
        for (code, status) in STATUSES {
            let of = |counts: &BTreeMap<u8, BTreeMap<u16, u64>>| {
                let of_type = counts.get(&number);
                of_type
                    .and_then(|counts| counts.get(&code))
                    .copied()
                    .unwrap_or(0)
            };
            let labels = [("call_type", call_type), ("status", status)];
            comparison.count("cec_window_calls", &labels, of(&truth.current));
            if !PENDING.contains(&status) {
                comparison.count("cec_calls_processed_total", &labels, of(&truth.first_final));
            }
        }
        let label = [("call_type", call_type)];
        let sum = truth.duration.get(&number).copied().unwrap_or_default();
        comparison.histogram("cec_call_duration_seconds", &label, sum);
    }
    for (role, name) in [
        (Role::Customer, "customer"),
        (Role::Staff, "staff"),
        (Role::Unknown, "unknown"),
    ] {
        for (metric, sums) in [
            ("cec_call_silence_seconds", &truth.silence),
            ("cec_call_speech_characters_per_minute", &truth.speed),
            ("cec_call_speech_ratio", &truth.ratio),
        ] {
            let sum = sums.get(&role).copied().unwrap_or_default();
            comparison.histogram(metric, &[("role", name)], sum);
        }
    }
    for (kind, metric) in [
        ("inspect", "cec_window_sampled_calls"),
        ("review", "cec_window_reviewed_calls"),
        ("complain", "cec_window_appealed_calls"),
    ] {
        for state in 0..10_i8 {
            let count = truth
                .manual
                .get(kind)
                .and_then(|states| states.get(&state))
                .copied()
                .unwrap_or(0);
            let state = state.to_string();
            comparison.count(metric, &[("state", &*state)], count);
        }
    }
    comparison.found
}

struct Comparison<'a> {
    samples: &'a Samples,
    target: &'a str,
    found: Vec<String>,
}

impl Comparison<'_> {
    fn count(&mut self, name: &str, labels: &[(&str, &str)], expected: u64) {
        let labels = [labels, &[("target", self.target)]].concat();
        let shown = self.samples.sum(name, &labels);
        if shown != expected as f64 {
            self.found
                .push(format!("{name} {labels:?}: {shown} instead of {expected}"));
        }
    }

    /// To the last digit of the vendor's.
    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], expected: Sum) {
        self.count(&format!("{name}_count"), labels, expected.count);
        let all = [labels, &[("target", self.target)]].concat();
        let shown = self.samples.sum(&format!("{name}_sum"), &all);
        if (shown * 1e6).round() as u128 != expected.millionths {
            let expected = expected.millionths as f64 / 1e6;
            self.found
                .push(format!("{name}_sum {all:?}: {shown} instead of {expected}"));
        }
    }
}
