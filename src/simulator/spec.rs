//! What the imaginary contact centre is like: its size, its habits and its troubles.

use serde::{Deserialize, Serialize};

use super::status;

/// The lasting character of a world. The same spec gives the same calls, always.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Which of all worlds of this character.
    pub seed: u64,
    /// Unix seconds of the first possible upload; the world is empty before. Everything from here
    /// to the time asked for is kept in memory (40 bytes a call), so keep it near.
    pub start: u32,
    /// Calls uploaded a day, on average.
    pub calls_per_day: f64,
    /// Whether arrivals are even, instead of quiet nights and two peaks a day.
    pub flat: bool,
    /// Calls on a Saturday or Sunday, relative to other days.
    pub weekend_share: f64,
    /// Seconds by which the local clock, which the daily curve follows, is ahead of UTC.
    pub utc_offset_seconds: u32,
    /// Share of text calls (0 to 1); the others are voice.
    pub text_share: f64,
    /// Number of agents.
    pub agents: u32,
    /// How many times faster than usual a call passes through inspection. 1 is a median of about
    /// four minutes; infinity has each call at its end as soon as it is uploaded.
    pub pipeline_speed: f64,
    /// Share of calls that take 60 times as long as they would have.
    pub slow_share: f64,
    /// Share of calls that end in each status other than success, as (code, share). Text calls
    /// never end in one of speech to text. A code outside the vendor's table is allowed: it is
    /// not final and is listed only if asked for.
    pub failures: Vec<(u16, f64)>,
    /// Share of ended calls that are sent round again, hours later.
    pub reinspected_share: f64,
    /// Share of calls that are listed only some time after their upload.
    pub late_share: f64,
    /// The most seconds by which such a call is late; at least one.
    pub late_max_seconds: u32,
    /// Share of calls that are deleted some time after they were first listed.
    pub deleted_share: f64,
    /// The most seconds after which such a call is gone; at least one.
    pub deleted_after_seconds: u32,
    /// Share of calls that join the group of the call before them.
    pub joined_share: f64,
    /// The most calls in a group.
    pub group_max: u8,
    /// Share of each measure, and of each channel's speaker, that is null.
    pub null_share: f64,
    /// Share of calls sampled for inspection by hand.
    pub inspect_share: f64,
    /// Share of calls reviewed by hand.
    pub review_share: f64,
    /// Share of calls against whose result the agent appeals.
    pub complain_share: f64,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            seed: 1,
            start: 1_700_000_000,
            calls_per_day: 20_000.0,
            flat: false,
            weekend_share: 1.0,
            utc_offset_seconds: 8 * 3600,
            text_share: 0.2,
            agents: 60,
            pipeline_speed: 1.0,
            slow_share: 0.02,
            failures: vec![
                (9, 0.004),
                (31, 0.006),
                (32, 0.004),
                (33, 0.001),
                (34, 0.001),
                (35, 0.0005),
                (36, 0.0005),
                (37, 0.001),
                (38, 0.0005),
                (39, 0.001),
                (40, 0.002),
            ],
            reinspected_share: 0.01,
            late_share: 0.02,
            late_max_seconds: 120,
            deleted_share: 0.0005,
            deleted_after_seconds: 86_400,
            joined_share: 0.03,
            group_max: 3,
            null_share: 0.005,
            inspect_share: 0.1,
            review_share: 0.03,
            complain_share: 0.01,
        }
    }
}

/// A passing trouble of the contact centre, for calls uploaded while it lasts. All off by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Share of voice calls that end in `asr_failing_status`.
    pub asr_failing: f64,
    /// Where those calls end; 32 by default.
    pub asr_failing_status: u16,
    /// Share of calls that end in 9, as when a daily quota is used up.
    pub quota_exhausted: f64,
    /// The status (0, 3 or 1) that no call leaves any more.
    pub stuck: Option<u16>,
    /// Nothing is uploaded.
    pub dried_up: bool,
    /// Everybody speaks 1.6 times as fast.
    pub fast_speech: bool,
    /// Everybody speaks for 0.3 of the time they would have.
    pub long_silence: bool,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            asr_failing: 0.0,
            asr_failing_status: status::ASR_FAILED,
            quota_exhausted: 0.0,
            stuck: None,
            dried_up: false,
            fast_speech: false,
            long_silence: false,
        }
    }
}

impl Scenario {
    /// Reads a scenario from JSON; the error says what is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let scenario: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        for (name, share) in [
            ("asr_failing", scenario.asr_failing),
            ("quota_exhausted", scenario.quota_exhausted),
        ] {
            check_share(name, share)?;
        }
        if !status::is_final(scenario.asr_failing_status) {
            return Err("asr_failing_status: expected a final status".into());
        }
        match scenario.stuck {
            None | Some(status::WAITING | status::TRANSCRIBING | status::INSPECTING) => {
                Ok(scenario)
            }
            Some(other) => Err(format!("stuck: expected 0, 3 or 1, not {other}")),
        }
    }
}

/// A share is a number from 0 to 1.
pub(super) fn check_share(name: &str, share: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&share) {
        Ok(())
    } else {
        Err(format!("{name}: expected a share from 0 to 1, not {share}"))
    }
}
