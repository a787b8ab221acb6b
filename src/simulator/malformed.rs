//! Rows that are not written as they should be.

use serde_json::{Value, json};

use super::call::Call;
use super::faults::WireFaults;
use super::random::unit;
use super::rows::RowFaults;
use super::wire::Row;

/// Marks what is no JSON until the page is written. No text of the simulator's has it.
const MARK: char = '\u{e000}';

/// The rows of a group, with whatever the faults ask for.
pub(super) fn odd_rows(
    calls: &[Call<'_>],
    now: u32,
    faults: &WireFaults,
    odd: &RowFaults,
) -> Vec<Value> {
    let mut rows = Vec::with_capacity(calls.len());
    for call in calls {
        let row = serde_json::to_value(Row::of(call, now)).unwrap_or(Value::Null);
        let row = odd_row(row, call, now, odd);
        let hits = |salt: u64, share: f64| unit(call.dice(salt)) < share;
        if hits(100, faults.malformed_share) {
            let mut broken = row.clone();
            match call.dice(101) % 5 {
                0 => {
                    broken["call_uuid"] = Value::Null;
                    broken["call_id"] = Value::Null;
                }
                1 => broken["upload_time"] = Value::Null,
                2 => broken = json!("garbage"),
                3 => broken = json!(17),
                _ => broken = Value::Null,
            }
            // One without an upload time is somebody else, not this call once more.
            if call.dice(101) % 5 == 1 {
                broken["call_uuid"] = json!(format!("broken-{:016x}", call.dice(102)));
                broken["call_id"] = broken["call_uuid"].clone();
            }
            rows.push(row_with(row, call, faults));
            rows.push(broken);
        } else {
            rows.push(row_with(row, call, faults));
        }
    }
    rows
}

fn odd_row(mut row: Value, call: &Call<'_>, now: u32, odd: &RowFaults) -> Value {
    row["upload_time"] = json!(odd.upload_time(call, now));
    if let Some(id) = odd.call_id(call) {
        row["call_id"] = json!(id);
    }
    if odd.lacks_uuid(call, now) {
        row["call_uuid"] = Value::Null;
    }
    if odd.has_no_identity(call) {
        row["call_uuid"] = Value::Null;
        row["call_id"] = Value::Null;
    }
    if odd.has_no_upload_time(call) {
        row["upload_time"] = Value::Null;
    }
    if odd.has_no_status(call) {
        row["status"] = Value::Null;
    }
    if odd.has_nan(call) {
        row["duration"] = json!(format!("{MARK}NaN"));
    }
    for (is_odd, name) in [
        (odd.has_control_character(call), "control"),
        (odd.has_broken_utf8(call), "utf8"),
    ] {
        if is_odd {
            row["staff_name"] = json!(format!("agent {MARK}{name}"));
        }
    }
    row
}

/// Puts what is no JSON in the place of its marks.
pub(super) fn spoil(body: Vec<u8>) -> Vec<u8> {
    let marked = |text: &str| {
        let mut marked = MARK.to_string();
        marked.push_str(text);
        marked
    };
    let mark = MARK.to_string();
    if !body.windows(mark.len()).any(|part| part == mark.as_bytes()) {
        return body;
    }
    let odd: [(String, &[u8]); 3] = [
        (format!("\"{}\"", marked("NaN")), b"NaN"),
        (marked("control"), b"\x01"),
        (marked("utf8"), b"\xff\xfe"),
    ];
    let mut spoilt = Vec::with_capacity(body.len());
    let mut rest = &body[..];
    while let Some(&first) = rest.first() {
        let found = odd
            .iter()
            .find(|(text, _)| rest.starts_with(text.as_bytes()));
        if let Some((text, bytes)) = found {
            spoilt.extend_from_slice(bytes);
            rest = &rest[text.len()..];
        } else {
            spoilt.push(first);
            rest = &rest[1..];
        }
    }
    spoilt
}

const MEASURES: [&str; 7] = [
    "duration",
    "left_speed",
    "right_speed",
    "left_silence_time",
    "right_silence_time",
    "left_speech_ratio",
    "right_speech_ratio",
];

/// The fields that a record cannot do without, or whose loss changes what it is counted as.
const KEYS: [&str; 5] = ["call_uuid", "call_id", "upload_time", "status", "call_type"];

fn row_with(mut row: Value, call: &Call<'_>, faults: &WireFaults) -> Value {
    let hits = |salt: u64, share: f64| unit(call.dice(salt)) < share;
    if hits(110, faults.bad_measure_share) {
        let name = MEASURES[(call.dice(111) % MEASURES.len() as u64) as usize];
        row[name] = match call.dice(112) % 5 {
            0 => json!(-1),
            1 => json!("NaN"),
            2 => json!("Infinity"),
            3 => json!("abc"),
            _ => json!([1]),
        };
    }
    if hits(113, faults.no_uuid_share) {
        row["call_uuid"] = Value::Null;
    }
    if faults.call_id_as_number {
        if row["call_uuid"].is_null() && !row["call_id"].is_null() {
            row["call_uuid"] = row["call_id"].clone();
        }
        // Small enough to be exact as a double.
        row["call_id"] = json!(call.dice(114) >> 12);
    }
    if hits(115, faults.null_status_share) {
        row["status"] = Value::Null;
    }
    if hits(116, faults.null_type_share) {
        row["call_type"] = Value::Null;
    }
    if let Value::Object(fields) = &mut row {
        let mut salt = 200;
        fields.retain(|name, value| {
            salt += 1;
            if KEYS.contains(&name.as_str()) {
                return true;
            }
            if hits(salt, faults.null_share) {
                *value = Value::Null;
            }
            !hits(salt + 100, faults.missing_share)
        });
        for (name, value) in fields {
            let wanted = faults.numbers_as_strings || faults.status_as_string && name == "status";
            if wanted && value.is_number() {
                *value = Value::String(value.to_string());
            }
        }
    }
    row
}
