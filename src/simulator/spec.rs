//! Parameters of the simulated contact centre, and scenarios that disturb it.

use serde::{Deserialize, Serialize};

use super::status;

/// Seconds by which the local time of the contact centre is ahead of UTC.
pub(super) const UTC_OFFSET: u32 = 8 * 3600;

/// The same spec always gives the same calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub seed: u64,
    /// Unix seconds of the first possible upload. All calls from here on are kept in memory (40
    /// bytes each), so keep it recent.
    pub start: u32,
    /// Mean number of calls uploaded per day.
    pub calls_per_day: f64,
    /// Distributes arrivals evenly, without quiet nights and two peaks a day.
    pub flat: bool,
    /// Calls on a Saturday or Sunday, relative to other days.
    pub weekend_share: f64,
    /// Share of text calls, 0 to 1; the others are voice.
    pub text_share: f64,
    pub agents: u32,
    /// Speed of the inspection. At 1 it takes a median of about four minutes; with infinity each
    /// call is final as soon as it is uploaded.
    pub pipeline_speed: f64,
    /// Share of calls whose inspection takes 60 times as long.
    pub slow_share: f64,
    /// Share of calls that end in each status other than success, as (code, share). Text calls
    /// never end in one of speech to text. An undocumented code is allowed: it is not final and
    /// listed only if requested.
    pub failures: Vec<(u16, f64)>,
    /// Share of calls that are inspected again, hours later.
    pub reinspected_share: f64,
    /// Share of calls that are listed late.
    pub late_share: f64,
    /// Maximum delay of such a call; at least 1.
    pub late_max_seconds: u32,
    /// Share of calls that are deleted after they were listed.
    pub deleted_share: f64,
    /// Maximum time until the deletion; at least 1.
    pub deleted_after_seconds: u32,
    /// Share of calls that join the group of the call before them.
    pub joined_share: f64,
    /// Maximum number of calls in a group.
    pub group_max: u8,
    /// Share of null among the values of each measure and speaker.
    pub null_share: f64,
    /// Share of calls that are sampled manually.
    pub inspect_share: f64,
    /// Share of calls that are reviewed manually.
    pub review_share: f64,
    /// Share of calls whose result the agent appeals.
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

/// Disturbs the calls uploaded while it is active. All off by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Share of voice calls that end in `asr_failing_status`.
    pub asr_failing: f64,
    /// 32 by default.
    pub asr_failing_status: u16,
    /// Share of calls that end in 9, as if a daily quota were used up.
    pub quota_exhausted: f64,
    /// The status (0, 3 or 1) in which calls get stuck.
    pub stuck: Option<u16>,
    /// Nothing is uploaded.
    pub dried_up: bool,
    /// Everyone speaks 1.6 times as fast.
    pub fast_speech: bool,
    /// Everyone speaks for 0.3 of the usual time.
    pub long_silence: bool,
    /// One rule is violated in 0.7 of the calls that are checked for it.
    pub rule_violated: bool,
    /// The rules of one business scenario are violated six times as often.
    pub scores_falling: bool,
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
            rule_violated: false,
            scores_falling: false,
        }
    }
}

impl Scenario {
    /// Parses JSON; the error names the invalid field.
    pub fn parse(json: &(impl AsRef<[u8]> + ?Sized)) -> Result<Self, String> {
        let scenario: Self = serde_json::from_slice(json.as_ref()).map_err(|e| e.to_string())?;
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

pub(super) fn check_share(name: &str, share: f64) -> Result<(), String> {
    if (0.0..=1.0).contains(&share) {
        Ok(())
    } else {
        Err(format!("{name}: expected a share from 0 to 1, not {share}"))
    }
}
