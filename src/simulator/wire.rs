//! The vendor's answers as JSON.

use serde::Serialize;
use serde_json::{Value, json};

use super::call::Call;
use super::faults::{Faults, WireFaults};
use super::listing::{Group, Listing};
use super::malformed::{odd_rows, spoil};
use super::measures::{Channel, Millionths, Role};
use super::random::unit;
use super::rows::RowFaults;

#[derive(Serialize)]
struct Page<D: Serialize> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<D>,
    paging: Total,
}

#[derive(Serialize)]
struct Total {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
}

#[derive(Serialize)]
struct GroupRow<R: Serialize> {
    call_group_id: String,
    calls: Vec<R>,
}

/// A row of the list, or the top of a single call's result.
#[derive(Serialize)]
pub(super) struct Row {
    call_uuid: String,
    call_id: String,
    call_type: u8,
    status: u16,
    upload_time: u32,
    call_time: u32,
    create_time: u32,
    duration: Option<f64>,
    left_channel: Option<&'static str>,
    right_channel: Option<&'static str>,
    left_speed: Option<f64>,
    right_speed: Option<f64>,
    left_silence_time: Option<f64>,
    right_silence_time: Option<f64>,
    left_speech_ratio: Option<f64>,
    right_speech_ratio: Option<f64>,
    staff_id: String,
    staff_name: String,
    file_name: String,
    inspect_status: i8,
    review_status: i8,
    complain_status: i8,
    #[serde(skip_serializing_if = "Option::is_none")]
    deal: Option<u8>,
}

impl Row {
    pub(super) fn of(call: &Call<'_>, now: u32) -> Self {
        // Dividing an exact decimal once gives the double that prints as that decimal again.
        let number = |value: Option<Millionths>| value.map(|value| value as f64 / 1e6);
        let speaker = |channel: &Channel| match channel.role? {
            Role::Customer => Some("customer"),
            Role::Staff => Some("staff"),
            Role::Unknown => None,
        };
        let measures = call.measures_at(now);
        let manual = call.manual_at(now);
        let uuid = call.uuid();
        Self {
            call_id: uuid.clone(),
            call_uuid: uuid,
            call_type: call.call_type(),
            status: call.status_at(now),
            upload_time: call.upload_time(),
            call_time: call.call_time(),
            create_time: call.upload_time(),
            duration: number(measures.duration),
            left_channel: speaker(&measures.left),
            right_channel: speaker(&measures.right),
            left_speed: number(measures.left.speed),
            right_speed: number(measures.right.speed),
            left_silence_time: number(measures.left.silence),
            right_silence_time: number(measures.right.silence),
            left_speech_ratio: number(measures.left.ratio),
            right_speech_ratio: number(measures.right.ratio),
            staff_id: call.staff_id(),
            staff_name: call.staff_name(),
            file_name: call.file_name(),
            inspect_status: manual.inspect,
            review_status: manual.review,
            complain_status: manual.complain,
            deal: (call.dice(13).is_multiple_of(10)).then_some((call.dice(14) % 2) as u8),
        }
    }
}

/// What becomes of `data`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    Rows,
    Null,
    Absent,
}

/// A page as JSON, or as what the faults make of it.
pub(super) fn page(
    listing: &Listing<'_>,
    now: u32,
    data: Data,
    faults: &Faults,
) -> serde_json::Result<Vec<u8>> {
    let total = match (faults.paging.no_total, listing.groups.is_empty()) {
        (false, _) => Some(listing.total),
        // An empty window and an error would look the same.
        (true, true) => Some(0),
        (true, false) => None,
    };
    let paging = Total { total };
    let is_plain = faults.wire == WireFaults::default() && faults.rows == RowFaults::default();
    let mut body = match data {
        Data::Absent => serde_json::to_vec(&Page::<()> { data: None, paging }),
        Data::Null => serde_json::to_vec(&Page {
            data: Some(Value::Null),
            paging,
        }),
        Data::Rows if is_plain => {
            let rows = |calls: &[Call<'_>]| calls.iter().map(|call| Row::of(call, now)).collect();
            serde_json::to_vec(&Page {
                data: Some(groups(listing, rows)),
                paging,
            })
        }
        Data::Rows => {
            let rows = |calls: &[Call<'_>]| odd_rows(calls, now, &faults.wire, &faults.rows);
            serde_json::to_vec(&Page {
                data: Some(groups(listing, rows)),
                paging,
            })
            .map(spoil)
        }
    }?;
    if let Some(success) = &faults.success {
        body.pop();
        let (name, text) = success.name.names();
        let code = serde_json::to_string(&success.code)?;
        body.extend_from_slice(format!(r#","{name}":{code},"{text}":"success"}}"#).as_bytes());
    }
    Ok(body)
}

fn groups<R: Serialize>(
    listing: &Listing<'_>,
    rows: impl Fn(&[Call<'_>]) -> Vec<R>,
) -> Vec<GroupRow<R>> {
    let group = |group: &Group<'_>| GroupRow {
        call_group_id: group.id.clone(),
        calls: rows(&group.calls),
    };
    listing.groups.iter().map(group).collect()
}

/// One call's inspection result as JSON.
pub(super) fn detail(call: &Call<'_>, now: u32) -> Value {
    let mut result = serde_json::to_value(Row::of(call, now)).unwrap_or(Value::Null);
    let sentences = [
        "您好，请问有什么可以帮您？",
        "我想查询一下账单。",
        "好的，请稍等。",
    ];
    let segment = |(index, text): (usize, &&str)| {
        json!({
            "segment_id": index + 1,
            "speaker": if index % 2 == 0 { "staff" } else { "customer" },
            "start_time": index * 4,
            "end_time": index * 4 + 3,
            "asr_text": text,
        })
    };
    result["segments"] = sentences.iter().enumerate().map(segment).collect();
    result["left_emotions"] = json!([{"type": "positive", "score": unit(call.dice(15))}]);
    result["rule_severity_violation_count"] = json!(call.dice(16) % 3);
    result
}
