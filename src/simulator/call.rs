//! A call of the world: everything about it, at any time.

use fastrand::Rng;
use uuid::Uuid;

use super::measures::Measures;
use super::random::{log_normal, mix, unit};
use super::record::{NEVER, Pass, Record};
use super::spec::{Scenario, Spec};
use super::status::{SUCCEEDED, is_final};
use super::teams::{self, Team, agent_of};

/// Values of `call_type`.
pub const VOICE: u8 = 0;
pub const TEXT: u8 = 2;

/// A view of one call. All times are Unix seconds.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub(super) spec: &'a Spec,
    /// The one of its upload.
    pub(super) scenario: &'a Scenario,
    pub(super) record: &'a Record,
    /// The first call of its group.
    pub(super) leader: &'a Record,
}

impl Call<'_> {
    /// The identity, a UUID.
    pub fn uuid(&self) -> String {
        id(self.record.seed).to_string()
    }

    /// The identity of the group: that of its first call.
    pub fn group_id(&self) -> String {
        id(self.leader.seed).to_string()
    }

    /// A pseudo-random number that depends only on the call and `salt`.
    pub(super) fn hash(&self, salt: u64) -> u64 {
        mix(self.record.seed, salt)
    }

    /// Whether the call is among this share of all calls; `salt` makes shares independent.
    pub(super) fn hits(&self, salt: u64, share: f64) -> bool {
        share > 0.0 && unit(self.hash(salt)) < share
    }

    pub fn call_type(&self) -> u8 {
        if self.record.is_text { TEXT } else { VOICE }
    }

    pub fn upload_time(&self) -> u32 {
        self.record.upload
    }

    /// When the call took place: up to ten minutes before the upload.
    pub fn call_time(&self) -> u32 {
        let before = if self.hash(4).is_multiple_of(4) {
            0
        } else {
            self.hash(5) % 600
        };
        self.record.upload.saturating_sub(before as u32)
    }

    /// When it is first listed.
    pub fn visible_at(&self) -> u32 {
        self.record.visible
    }

    /// When it is deleted, if ever.
    pub fn gone_at(&self) -> Option<u32> {
        (self.record.gone != NEVER).then_some(self.record.gone)
    }

    /// The last time until `now` at which it is listed, if it has been.
    pub(super) fn last_listed(&self, now: u32) -> u32 {
        now.min(self.record.gone - 1)
    }

    pub fn is_visible(&self, now: u32) -> bool {
        self.record.visible <= now && now < self.record.gone
    }

    /// The status at a time not before the upload.
    pub fn status_at(&self, now: u32) -> u16 {
        match self.second_pass() {
            Some((start, pass)) if start <= now => pass.status_at(now),
            _ => self.record.pass.status_at(now),
        }
    }

    pub(super) fn second_pass(&self) -> Option<(u32, Pass)> {
        self.record.second_pass(self.spec)
    }

    /// Time and value of the first final status, if it was reached by `now`.
    pub fn first_final(&self, now: u32) -> Option<(u32, u16)> {
        // A second pass only follows a first that ended.
        let Pass { ended, end, .. } = self.record.pass;
        (ended <= now && is_final(end)).then_some((ended, end))
    }

    /// Time of the first success, if it was by `now`.
    pub fn first_success(&self, now: u32) -> Option<u32> {
        let second = self.second_pass().map(|(_, pass)| pass);
        let mut passes = [self.record.pass].into_iter().chain(second);
        let ended = passes.find(|pass| pass.end == SUCCEEDED)?.ended;
        (ended <= now).then_some(ended)
    }

    pub fn measures(&self) -> Measures {
        Measures::of(self.record, self.scenario, self.spec)
    }

    /// The measures as listed at `now`: those of speech need the transcript and appear with the
    /// first inspection.
    pub fn measures_at(&self, now: u32) -> Measures {
        let second = self.second_pass();
        if self.record.pass.inspecting <= now
            || second.is_some_and(|(_, pass)| pass.inspecting <= now)
        {
            self.measures()
        } else {
            self.measures().before_transcript()
        }
    }

    /// The states of sampling for manual inspection, of the review of the result, and of the agent's
    /// appeal: -1 none, 0 in progress, 1 done.
    pub fn manual_at(&self, now: u32) -> [(&'static str, i8); 3] {
        let state = |salt: u64, share: f64| {
            let rng = &mut Rng::with_seed(self.hash(salt));
            if rng.f64() >= share {
                return -1;
            }
            let mut pause = || (log_normal(rng, 3600.0, 1.0) / self.spec.pipeline_speed) as u32;
            let started = self.record.upload.saturating_add(pause());
            let done = started.saturating_add(pause());
            i8::from(started <= now) + i8::from(done <= now) - 1
        };
        [
            ("inspect", state(6, self.spec.inspect_share)),
            ("review", state(7, self.spec.review_share)),
            ("complain", state(8, self.spec.complain_share)),
        ]
    }

    pub(super) fn agent(&self) -> u64 {
        agent_of(self.record.seed, self.spec)
    }

    /// The agent's id: 19 digits.
    pub fn staff_id(&self) -> String {
        teams::staff_id(self.agent())
    }

    pub fn staff_name(&self) -> String {
        format!("agent {:03}", self.agent() + 1)
    }

    /// The agent's team, if any.
    pub fn team(&self) -> Option<&'static Team> {
        teams::team_of(self.agent(), self.spec)
    }

    /// The recording's name.
    pub fn file_name(&self) -> String {
        let ending = if self.call_type() == VOICE {
            "wav"
        } else {
            "json"
        };
        format!(
            "{}-{:05}.{ending}",
            self.call_time(),
            self.hash(10) % 100_000
        )
    }
}

/// The identity of the call with this seed: a UUID of version 4.
pub(super) fn id(seed: u64) -> Uuid {
    let random = Uuid::from_u64_pair(mix(seed, 11), mix(seed, 12));
    uuid::Builder::from_random_bytes(random.into_bytes()).into_uuid()
}
