//! What is wrong with single rows of the list. What a share hits depends on the call alone, so
//! that it is the same in each reading.

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::random::unit;
use super::spec::check_share;

/// Rows that are listed, identified or written in a way that troubles whoever reads them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowFaults {
    /// Share of rows that are listed twice.
    pub twice_share: f64,
    /// The second copy stands in another group a few rows away, not right behind the first.
    pub twice_apart: bool,
    /// Share of rows that make every page with one of them fail with 500.
    pub failing_share: f64,
    /// Share of rows that make every page with one of them a text that is not JSON.
    pub not_json_share: f64,
    /// Share of rows whose duration is written `NaN`, which is not JSON.
    pub nan_share: f64,
    /// Share of rows with a raw control character in the agent's name, which is not JSON.
    pub control_character_share: f64,
    /// Share of rows with bytes in the agent's name that are not UTF-8.
    pub broken_utf8_share: f64,
    /// Share of rows without `call_uuid` and `call_id`. They count in limit and total.
    pub no_identity_share: f64,
    /// Share of rows without `upload_time`. They count in limit and total.
    pub no_upload_time_share: f64,
    /// Share of rows whose status is null. No query for particular statuses lists them.
    pub no_status_share: f64,
    /// Share of rows whose `call_uuid` is null at first.
    pub late_uuid_share: f64,
    /// Seconds after the upload at which it appears.
    pub late_uuid_seconds: u32,
    /// The `call_id` of such a row is another value than its `call_uuid`.
    pub late_uuid_differs: bool,
    /// Share of rows whose `upload_time` changes.
    pub moved_share: f64,
    /// By how many seconds at most, either way, but never into the future.
    pub moved_seconds: u32,
    /// Seconds after its first listing at which it does.
    pub moved_after_seconds: u32,
}

impl RowFaults {
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, share) in [
            ("rows.twice_share", self.twice_share),
            ("rows.failing_share", self.failing_share),
            ("rows.not_json_share", self.not_json_share),
            ("rows.nan_share", self.nan_share),
            ("rows.control_character_share", self.control_character_share),
            ("rows.broken_utf8_share", self.broken_utf8_share),
            ("rows.no_identity_share", self.no_identity_share),
            ("rows.no_upload_time_share", self.no_upload_time_share),
            ("rows.no_status_share", self.no_status_share),
            ("rows.late_uuid_share", self.late_uuid_share),
            ("rows.moved_share", self.moved_share),
        ] {
            check_share(name, share)?;
        }
        Ok(())
    }

    /// Whether the list holds other rows, or in another order, than without these faults.
    pub(super) fn change_list(&self) -> bool {
        self.twice_share > 0.0 || self.no_status_share > 0.0 || self.moved_share > 0.0
    }

    pub(super) fn is_twice(&self, call: &Call<'_>) -> bool {
        hits(call, 120, self.twice_share)
    }

    /// How many rows behind the first copy of a call the second one stands.
    pub(super) fn distance(&self, call: &Call<'_>) -> usize {
        match self.twice_apart {
            true => 1 + (call.dice(121) % 5) as usize,
            false => 0,
        }
    }

    /// Whether every page with this call fails with 500.
    pub fn is_failing(&self, call: &Call<'_>) -> bool {
        hits(call, 122, self.failing_share)
    }

    /// Whether every page with this call is no JSON at all.
    pub fn is_not_json(&self, call: &Call<'_>) -> bool {
        hits(call, 123, self.not_json_share)
    }

    pub(super) fn has_nan(&self, call: &Call<'_>) -> bool {
        hits(call, 124, self.nan_share)
    }

    pub(super) fn has_control_character(&self, call: &Call<'_>) -> bool {
        hits(call, 125, self.control_character_share)
    }

    pub(super) fn has_broken_utf8(&self, call: &Call<'_>) -> bool {
        hits(call, 126, self.broken_utf8_share)
    }

    /// Whether this call is listed without an identity.
    pub fn has_no_identity(&self, call: &Call<'_>) -> bool {
        hits(call, 127, self.no_identity_share)
    }

    /// Whether this call is listed without an upload time.
    pub fn has_no_upload_time(&self, call: &Call<'_>) -> bool {
        hits(call, 128, self.no_upload_time_share)
    }

    /// Whether this call is listed without a status.
    pub fn has_no_status(&self, call: &Call<'_>) -> bool {
        hits(call, 129, self.no_status_share)
    }

    /// Whether no page can ever show this call.
    pub fn hide(&self, call: &Call<'_>) -> bool {
        self.is_failing(call)
            || self.is_not_json(call)
            || self.has_no_identity(call)
            || self.has_no_upload_time(call)
    }

    /// The identity that a call is listed under at first, and then beside its `call_uuid`.
    pub fn call_id(&self, call: &Call<'_>) -> Option<String> {
        let is_other = self.late_uuid_differs && hits(call, 130, self.late_uuid_share);
        is_other.then(|| format!("call-{:016x}", call.dice(131)))
    }

    /// Whether the `call_uuid` is not there yet.
    pub(super) fn lacks_uuid(&self, call: &Call<'_>, now: u32) -> bool {
        hits(call, 130, self.late_uuid_share)
            && now < call.upload_time().saturating_add(self.late_uuid_seconds)
    }

    /// The upload time that a call is listed with at `now`.
    pub fn upload_time(&self, call: &Call<'_>, now: u32) -> u32 {
        let uploaded = call.upload_time();
        let moves_at = call.visible_at().saturating_add(self.moved_after_seconds);
        if now < moves_at || !hits(call, 132, self.moved_share) {
            return uploaded;
        }
        let span = u64::from(self.moved_seconds) * 2 + 1;
        let shift = (call.dice(133) % span) as i64 - i64::from(self.moved_seconds);
        let moved = i64::from(uploaded) + shift;
        moved.clamp(0, i64::from(moves_at)) as u32
    }
}

fn hits(call: &Call<'_>, salt: u64, share: f64) -> bool {
    share > 0.0 && unit(call.dice(salt)) < share
}
