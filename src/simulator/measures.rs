//! Measures of a call: durations, speeds and shares, as exact decimals.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::random::{log_normal, mix, normal};
use super::record::Record;
use super::spec::{Scenario, Spec};
use super::teams::{agent_of, team_of};

/// A decimal in millionths, so that sums are exact in any order.
pub type Millionths = u64;

/// The speaker of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The caller.
    Customer,
    /// The agent.
    Staff,
    /// The speaker is null.
    Unknown,
}

/// One channel of a voice call. Empty for a text call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// `None` is sent as null.
    pub role: Option<Role>,
    /// Mean speaking speed, characters per minute.
    pub speed: Option<Millionths>,
    /// Seconds of silence.
    pub silence: Option<Millionths>,
    /// Share of the call spent speaking, 0 to 1.
    pub ratio: Option<Millionths>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measures {
    /// Seconds.
    pub duration: Option<Millionths>,
    pub left: Channel,
    pub right: Channel,
}

impl Measures {
    pub(super) fn of(record: &Record, scenario: &Scenario, spec: &Spec) -> Self {
        let rng = &mut Rng::with_seed(mix(record.seed, 3));
        let median = if record.is_text { 300.0 } else { 180.0 };
        // Hundredths of a second.
        let duration = (log_normal(rng, median, 0.7).clamp(3.0, 7200.0) * 100.0).round() as u64;
        let or_null = |value: u64, rng: &mut Rng| (rng.f64() >= spec.null_share).then_some(value);
        let listed_duration = or_null(duration * 10_000, rng);
        if record.is_text {
            return Self {
                duration: listed_duration,
                left: Channel::default(),
                right: Channel::default(),
            };
        }

        let team = team_of(agent_of(record.seed, spec), spec);
        let (faster, more) = team.map_or((0.0, 0.0), |team| (team.speed, team.ratio));
        let mut customer_ratio = (0.33 + 0.12 * normal(rng)).clamp(0.02, 0.9);
        let mut staff_ratio = (0.42 + more + 0.12 * normal(rng)).clamp(0.02, 0.9);
        let both = customer_ratio + staff_ratio;
        let fit = if both > 0.98 { 0.98 / both } else { 1.0 };
        let talk = if scenario.long_silence { 0.3 } else { 1.0 };
        customer_ratio *= talk * fit;
        staff_ratio *= talk * fit;
        let pace = if scenario.fast_speech { 1.6 } else { 1.0 };
        let mut channel = |role, ratio: f64, mean: f64| {
            let speed = (mean + 35.0 * normal(rng)).max(60.0) * pace;
            // Four decimals; then the silence that matches exactly this ratio, with two.
            let ratio = (ratio * 10_000.0).round() as u64;
            let silence = (duration * (10_000 - ratio) + 5_000) / 10_000;
            Channel {
                role: or_null(0, rng).map(|_| role),
                speed: or_null((speed * 1000.0).round() as u64 * 1000, rng),
                silence: or_null(silence * 10_000, rng),
                ratio: or_null(ratio * 100, rng),
            }
        };
        let customer = channel(Role::Customer, customer_ratio, 200.0);
        let staff = channel(Role::Staff, staff_ratio, 240.0 + faster);
        let (left, right) = if rng.bool() {
            (customer, staff)
        } else {
            (staff, customer)
        };
        Self {
            duration: listed_duration,
            left,
            right,
        }
    }

    /// By the vendor's names.
    pub(super) fn named(&self) -> [(&'static str, Option<Millionths>); 7] {
        let (left, right) = (&self.left, &self.right);
        [
            ("duration", self.duration),
            ("left_speed", left.speed),
            ("right_speed", right.speed),
            ("left_silence_time", left.silence),
            ("right_silence_time", right.silence),
            ("left_speech_ratio", left.ratio),
            ("right_speech_ratio", right.ratio),
        ]
    }

    /// Without the measures that need a transcript.
    pub(super) fn before_transcript(self) -> Self {
        let only_role = |channel: Channel| Channel {
            role: channel.role,
            ..Channel::default()
        };
        Self {
            left: only_role(self.left),
            right: only_role(self.right),
            ..self
        }
    }
}
