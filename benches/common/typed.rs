//! The vendor's response as documented, for a derived serde parse.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "fields are parsed to be measured"
)]

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Response {
    pub data: Vec<Group>,
    pub paging: Paging,
}
#[derive(Deserialize)]
pub struct Paging {
    pub total: u64,
}
#[derive(Deserialize)]
pub struct Group {
    pub calls: Vec<Call>,
}
#[derive(Deserialize)]
pub struct Call {
    pub call_uuid: Option<String>,
    pub call_id: Option<String>,
    pub upload_time: Option<u32>,
    pub call_type: Option<i16>,
    pub status: Option<i16>,
    pub duration: Option<f64>,
    pub left_channel: Option<String>,
    pub left_speed: Option<f64>,
    pub left_silence_time: Option<f64>,
    pub left_speech_ratio: Option<f64>,
    pub right_channel: Option<String>,
    pub right_speed: Option<f64>,
    pub right_silence_time: Option<f64>,
    pub right_speech_ratio: Option<f64>,
    pub inspect_status: Option<i16>,
    pub review_status: Option<i16>,
    pub complain_status: Option<i16>,
}
