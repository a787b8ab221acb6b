//! Faults of single rows. Whether a share applies to a row depends only on the call, so that it is
//! the same on each read.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use super::row::Row;

/// Marks where the serialised page gets bytes that are not JSON. Occurs in no other text.
const MARK: char = '\u{e000}';

/// Fields that a record needs, or whose loss changes what it is counted as.
const KEY_FIELDS: [&str; 5] = ["call_uuid", "call_id", "upload_time", "status", "call_type"];

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

/// Faults in the JSON of rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WireFaults {
    /// Writes every number of a row as a string.
    pub numbers_as_strings: bool,
    /// Writes `status` as a string.
    pub status_as_string: bool,
    /// `call_id` is a number that differs from `call_uuid`.
    pub call_id_as_number: bool,
    /// Share of rows with the identity in `call_id` only.
    pub no_uuid_share: f64,
    /// Share of null among the fields other than identity, upload time, type and status.
    pub null_share: f64,
    /// Share of missing ones among those fields.
    pub missing_share: f64,
    /// Share of rows whose status is null.
    pub null_status_share: f64,
    /// Share of rows whose type is null.
    pub null_type_share: f64,
    /// Share of rows with a measure that is negative, not finite or not a number.
    pub bad_measure_share: f64,
    /// Share of rows that are followed by an unusable one: without identity, without upload time,
    /// or not an object. Limit and total do not count these.
    pub malformed_share: f64,
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

/// The rows of a group with faults applied.
pub(super) fn malformed_rows(
    calls: &[Call<'_>],
    now: u32,
    wire: &WireFaults,
    row_faults: &RowFaults,
) -> Vec<Value> {
    let mut rows = Vec::with_capacity(calls.len());
    for call in calls {
        let row = serde_json::to_value(Row(call, now)).unwrap_or(Value::Null);
        let row = with_row_faults(row, call, now, row_faults);
        let malformed = call
            .hits(100, wire.malformed_share)
            .then(|| malformed(&row, call));
        rows.push(with_wire_faults(row, call, wire));
        rows.extend(malformed);
    }
    rows
}

/// An unusable row that follows the row of a call.
fn malformed(row: &Value, call: &Call<'_>) -> Value {
    let mut malformed = row.clone();
    match call.hash(101) % 5 {
        0 => {
            malformed["call_uuid"] = Value::Null;
            malformed["call_id"] = Value::Null;
        }
        1 => {
            // Of another identity, or it would be a second row of this call.
            let id = format!("broken-{:016x}", call.hash(102));
            malformed["call_uuid"] = json!(id);
            malformed["call_id"] = json!(id);
            malformed["upload_time"] = Value::Null;
        }
        2 => malformed = json!("garbage"),
        3 => malformed = json!(17),
        _ => malformed = Value::Null,
    }
    malformed
}

fn with_row_faults(mut row: Value, call: &Call<'_>, now: u32, faults: &RowFaults) -> Value {
    row["upload_time"] = json!(faults.upload_time(call, now));
    if let Some(id) = faults.call_id(call) {
        row["call_id"] = json!(id);
    }
    if call.hits(130, faults.late_uuid_share)
        && now < call.upload_time().saturating_add(faults.late_uuid_seconds)
    {
        row["call_uuid"] = Value::Null;
    }
    if faults.has_no_identity(call) {
        row["call_uuid"] = Value::Null;
        row["call_id"] = Value::Null;
    }
    if faults.has_no_upload_time(call) {
        row["upload_time"] = Value::Null;
    }
    if faults.has_no_status(call) {
        row["status"] = Value::Null;
    }
    if call.hits(124, faults.nan_share) {
        row["duration"] = json!(format!("{MARK}NaN"));
    }
    if call.hits(125, faults.control_character_share) {
        row["staff_name"] = json!(format!("agent {MARK}control"));
    }
    if call.hits(126, faults.broken_utf8_share) {
        row["staff_name"] = json!(format!("agent {MARK}utf8"));
    }
    row
}

/// Replaces the marks in a serialised page by bytes that are not JSON.
pub(super) fn insert_invalid_bytes(body: Vec<u8>) -> Vec<u8> {
    let text = std::str::from_utf8(&body).ok();
    let Some(text) = text.filter(|text| text.contains(MARK)) else {
        return body;
    };
    let text = text.replace(&format!("\"{MARK}NaN\""), "NaN");
    let text = text.replace(&format!("{MARK}control"), "\x01");
    let broken = format!("{MARK}utf8");
    let parts: Vec<&[u8]> = text.split(&broken).map(str::as_bytes).collect();
    parts.join(&b"\xff\xfe"[..])
}

fn with_wire_faults(mut row: Value, call: &Call<'_>, faults: &WireFaults) -> Value {
    if call.hits(110, faults.bad_measure_share) {
        let (name, _) = call.measures().named()[(call.hash(111) % 7) as usize];
        row[name] = match call.hash(112) % 5 {
            0 => json!(-1),
            1 => json!("NaN"),
            2 => json!("Infinity"),
            3 => json!("abc"),
            _ => json!([1]),
        };
    }
    if call.hits(113, faults.no_uuid_share) {
        row["call_uuid"] = Value::Null;
    }
    if faults.call_id_as_number {
        if row["call_uuid"].is_null() && !row["call_id"].is_null() {
            row["call_uuid"] = row["call_id"].clone();
        }
        // Small enough to be exact as a double.
        row["call_id"] = json!(call.hash(114) >> 12);
    }
    if call.hits(115, faults.null_status_share) {
        row["status"] = Value::Null;
    }
    if call.hits(116, faults.null_type_share) {
        row["call_type"] = Value::Null;
    }
    if let Value::Object(fields) = &mut row {
        let mut salt = 200;
        fields.retain(|name, value| {
            salt += 1;
            if KEY_FIELDS.contains(&name.as_str()) {
                return true;
            }
            if call.hits(salt, faults.null_share) {
                *value = Value::Null;
            }
            !call.hits(salt + 100, faults.missing_share)
        });
        for (name, value) in fields {
            let as_string =
                faults.numbers_as_strings || faults.status_as_string && name == "status";
            if as_string && value.is_number() {
                *value = Value::String(value.to_string());
            }
        }
    }
    row
}
