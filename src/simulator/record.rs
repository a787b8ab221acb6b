//! The stored part of a call: enough to compute its status at any time, and a seed for the rest.

use fastrand::Rng;

use super::random::{log_normal, mix};
use super::spec::{Scenario, Spec};
use super::status::{
    INSPECTING, INSPECTION_FAILED, SUCCEEDED, TRANSCRIBING, WAITING, is_final, stage_before,
};

/// After every time that is asked for.
pub(super) const NEVER: u32 = u32::MAX;

/// One pass through inspection: when each status begins (Unix seconds), or [`NEVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass {
    pub(super) transcribing: u32,
    pub(super) inspecting: u32,
    pub(super) ended: u32,
    /// The final status.
    pub(super) end: u16,
}

impl Pass {
    fn draw(rng: &mut Rng, spec: &Spec, from: u32, text: bool, end: u16) -> Self {
        let waiting = log_normal(rng, 60.0, 0.9);
        let transcribing = log_normal(rng, 90.0, 0.7);
        let inspecting = log_normal(rng, 40.0, 0.7);
        let slow = if rng.f64() < spec.slow_share {
            60.0
        } else {
            1.0
        };
        let after = |time: u32, seconds: f64| {
            // The cast saturates, so a speed of 0 gives a very late time.
            let seconds = (seconds * slow / spec.pipeline_speed).round() as u32;
            time.saturating_add(seconds).min(NEVER - 1)
        };
        let left_waiting = after(from, waiting);
        let transcript = if text {
            left_waiting
        } else {
            after(left_waiting, transcribing)
        };
        let start = |is_reached: bool, at: u32| if is_reached { at } else { NEVER };
        let last_stage = if end == SUCCEEDED {
            INSPECTING
        } else {
            stage_before(end)
        };
        Self {
            transcribing: start(!text && last_stage != WAITING, left_waiting),
            inspecting: start(last_stage == INSPECTING, transcript),
            ended: match last_stage {
                WAITING => left_waiting,
                TRANSCRIBING => transcript,
                _ => after(transcript, inspecting),
            },
            end,
        }
    }

    /// Keeps the call in `stage` for ever.
    fn stop_at(&mut self, stage: u16) {
        match stage {
            WAITING => (self.transcribing, self.inspecting, self.ended) = (NEVER, NEVER, NEVER),
            TRANSCRIBING if self.transcribing != NEVER => {
                (self.inspecting, self.ended) = (NEVER, NEVER);
            }
            INSPECTING if self.inspecting != NEVER => self.ended = NEVER,
            _ => {}
        }
    }

    /// The status at a time not before the pass began. Of two stages that begin in the same second,
    /// the later one counts.
    pub(super) fn status_at(&self, now: u32) -> u16 {
        if self.ended <= now {
            self.end
        } else if self.inspecting <= now {
            INSPECTING
        } else if self.transcribing <= now {
            TRANSCRIBING
        } else {
            WAITING
        }
    }
}

/// A call in memory. Names, measures and manual states are derived from `seed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) seed: u64,
    pub(super) upload: u32,
    /// When it is first listed.
    pub(super) visible: u32,
    /// When it is no longer listed.
    pub(super) gone: u32,
    pub(super) pass: Pass,
    pub(super) is_text: bool,
    is_inspected_again: bool,
    /// Distance to the first call of its group.
    pub(super) back: u8,
}

impl Record {
    /// Draws a call. Every scenario makes the same draws and only uses them differently, so that it
    /// does not change the calls before and after it.
    pub(super) fn draw(spec: &Spec, scenario: &Scenario, upload: u32, seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let is_text = rng.f64() < spec.text_share;
        let (failure, asr, quota) = (rng.f64(), rng.f64(), rng.f64());
        let late = rng.f64() < spec.late_share;
        let delay = 1 + rng.u32(0..spec.late_max_seconds.max(1));
        let deleted = rng.f64() < spec.deleted_share;
        let remaining = 1 + rng.u32(0..spec.deleted_after_seconds.max(1));
        let again = rng.f64() < spec.reinspected_share;

        let mut end = draw_end(spec, is_text, failure);
        if !is_text && asr < scenario.asr_failing {
            end = scenario.asr_failing_status;
        }
        if quota < scenario.quota_exhausted {
            end = INSPECTION_FAILED;
        }
        let mut pass = Pass::draw(rng, spec, upload, is_text, end);
        if let Some(stage) = scenario.stuck {
            pass.stop_at(stage);
        }
        let visible = upload.saturating_add(if late { delay } else { 0 });
        Self {
            seed,
            upload,
            visible,
            gone: if deleted {
                visible.saturating_add(remaining)
            } else {
                NEVER
            },
            pass,
            is_text,
            // Not while a stage is stuck, as the second pass would have to get through it.
            is_inspected_again: again
                && scenario.stuck.is_none()
                && pass.ended != NEVER
                && is_final(end),
            back: 0,
        }
    }

    /// The second pass and its start.
    pub(super) fn second_pass(&self, spec: &Spec) -> Option<(u32, Pass)> {
        if !self.is_inspected_again {
            return None;
        }
        let rng = &mut Rng::with_seed(mix(self.seed, 2));
        let pause = log_normal(rng, 7200.0, 1.0) / spec.pipeline_speed;
        // At least a second, so that the first final status can be observed.
        let start = self
            .pass
            .ended
            .saturating_add(1 + pause.round().min(1e9) as u32);
        let start = start.min(NEVER - 1);
        let end = if rng.f64() < 0.9 {
            SUCCEEDED
        } else {
            self.pass.end
        };
        Some((start, Pass::draw(rng, spec, start, self.is_text, end)))
    }
}

fn draw_end(spec: &Spec, text: bool, mut roll: f64) -> u16 {
    for &(code, share) in &spec.failures {
        if roll < share {
            // A text call has no audio that could fail.
            let is_possible = !text || stage_before(code) == INSPECTING;
            return if is_possible { code } else { SUCCEEDED };
        }
        roll -= share;
    }
    SUCCEEDED
}
