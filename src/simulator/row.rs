//! One call in the vendor's list, as JSON.

use serde::Serialize;

use super::call::Call;
use super::measures::{Channel, Millionths, Role};

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
        // A single division yields the double that prints as the same decimal.
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
            deal: (call.hash(13).is_multiple_of(10)).then_some((call.hash(14) % 2) as u8),
        }
    }
}
