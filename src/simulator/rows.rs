//! Faults of single rows. Whether a share applies to a row depends only on the call, so that it is
//! the same on each read.

use serde::{Deserialize, Serialize};

use super::call::Call;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowFaults {
    /// Share of rows that are listed twice.
    pub twice_share: f64,
    /// The second copy is in another group a few rows later, not right behind the first.
    pub twice_apart: bool,
    /// Share of rows that make every page with them fail with 500.
    pub failing_share: f64,
    /// Share of rows that turn every page with them into text that is not JSON.
    pub not_json_share: f64,
    /// Share of rows with the duration `NaN`, which is not JSON.
    pub nan_share: f64,
    /// Share of rows with a raw control character in the agent's name, which is not JSON.
    pub control_character_share: f64,
    /// Share of rows with bytes in the agent's name that are not UTF-8.
    pub broken_utf8_share: f64,
    /// Share of rows without `call_uuid` and `call_id`. Limit and total count them.
    pub no_identity_share: f64,
    /// Share of rows without `upload_time`. Limit and total count them.
    pub no_upload_time_share: f64,
    /// Share of rows whose status is null. Only queries for all statuses list them.
    pub no_status_share: f64,
    /// Share of rows whose `call_uuid` is null at first.
    pub late_uuid_share: f64,
    /// Time after the upload until it appears.
    pub late_uuid_seconds: u32,
    /// The `call_id` of such a row differs from its `call_uuid`.
    pub late_uuid_differs: bool,
    /// Share of rows whose `upload_time` changes.
    pub moved_share: f64,
    /// Maximum change in either direction, but never into the future.
    pub moved_seconds: u32,
    /// Time after the first listing until it changes.
    pub moved_after_seconds: u32,
}

impl RowFaults {
    /// Whether every page with this call fails with 500.
    pub fn is_failing(&self, call: &Call<'_>) -> bool {
        call.hits(122, self.failing_share)
    }

    /// Whether every page with this call is not JSON.
    pub fn is_not_json(&self, call: &Call<'_>) -> bool {
        call.hits(123, self.not_json_share)
    }

    /// Whether this call is listed without an identity.
    pub fn has_no_identity(&self, call: &Call<'_>) -> bool {
        call.hits(127, self.no_identity_share)
    }

    /// Whether this call is listed without an upload time.
    pub fn has_no_upload_time(&self, call: &Call<'_>) -> bool {
        call.hits(128, self.no_upload_time_share)
    }

    /// Whether this call is listed without a status.
    pub fn has_no_status(&self, call: &Call<'_>) -> bool {
        call.hits(129, self.no_status_share)
    }

    /// Whether no page can show this call in a usable row.
    pub fn hide(&self, call: &Call<'_>) -> bool {
        self.is_failing(call)
            || self.is_not_json(call)
            || self.has_no_identity(call)
            || self.has_no_upload_time(call)
    }

    /// The `call_id`, if it differs from the `call_uuid`.
    pub fn call_id(&self, call: &Call<'_>) -> Option<String> {
        let differs = self.late_uuid_differs && call.hits(130, self.late_uuid_share);
        differs.then(|| format!("call-{:016x}", call.hash(131)))
    }

    /// The upload time in the row at `now`.
    pub fn upload_time(&self, call: &Call<'_>, now: u32) -> u32 {
        let uploaded = call.upload_time();
        let moves_at = call.visible_at().saturating_add(self.moved_after_seconds);
        if now < moves_at || !call.hits(132, self.moved_share) {
            return uploaded;
        }
        let span = u64::from(self.moved_seconds) * 2 + 1;
        let shift = (call.hash(133) % span) as i64 - i64::from(self.moved_seconds);
        let moved = i64::from(uploaded) + shift;
        moved.clamp(0, i64::from(moves_at)) as u32
    }
}
