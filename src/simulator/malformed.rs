//! Rows with faults in their JSON.

use serde_json::{Value, json};

use super::call::Call;
use super::faults::WireFaults;
use super::row::Row;
use super::rows::RowFaults;

/// Marks where the serialised page gets bytes that are not JSON. Occurs in no other text.
const MARK: char = '\u{e000}';

const MEASURES: [&str; 7] = [
    "duration",
    "left_speed",
    "right_speed",
    "left_silence_time",
    "right_silence_time",
    "left_speech_ratio",
    "right_speech_ratio",
];

/// Fields that a record needs, or whose loss changes what it is counted as.
const KEY_FIELDS: [&str; 5] = ["call_uuid", "call_id", "upload_time", "status", "call_type"];

/// The rows of a group with faults applied.
pub(super) fn malformed_rows(
    calls: &[Call<'_>],
    now: u32,
    wire: &WireFaults,
    row_faults: &RowFaults,
) -> Vec<Value> {
    let mut rows = Vec::with_capacity(calls.len());
    for call in calls {
        let row = serde_json::to_value(Row::of(call, now)).unwrap_or(Value::Null);
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
    if std::str::from_utf8(&body).is_ok_and(|text| !text.contains(MARK)) {
        return body;
    }
    let replacements: [(String, &[u8]); 3] = [
        (format!("\"{MARK}NaN\""), b"NaN"),
        (format!("{MARK}control"), b"\x01"),
        (format!("{MARK}utf8"), b"\xff\xfe"),
    ];
    let mut invalid = Vec::with_capacity(body.len());
    let mut rest = &body[..];
    while let Some(&first) = rest.first() {
        let mut found = replacements.iter();
        match found.find(|(text, _)| rest.starts_with(text.as_bytes())) {
            Some((text, bytes)) => {
                invalid.extend_from_slice(bytes);
                rest = &rest[text.len()..];
            }
            None => {
                invalid.push(first);
                rest = &rest[1..];
            }
        }
    }
    invalid
}

fn with_wire_faults(mut row: Value, call: &Call<'_>, faults: &WireFaults) -> Value {
    if call.hits(110, faults.bad_measure_share) {
        let name = MEASURES[(call.hash(111) % MEASURES.len() as u64) as usize];
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
