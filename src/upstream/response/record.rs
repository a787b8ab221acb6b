//! One call as the vendor lists it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::data::{Rows, otherwise_none, skip_seq};
use super::lenient::Lenient;
use super::{example, next_key};
use crate::model::{CallType, Manual, Measures, Record, Rejection, Speech, Status};

/// A row: its fields, or nothing where it is not an object.
#[derive(Default)]
pub(super) struct Row<'de>(pub(super) Option<Fields<'de>>);

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor<'de>(PhantomData<&'de ()>);
        impl<'de> Visitor<'de> for RowVisitor<'de> {
            type Value = Row<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a call")
            }

            otherwise_none!();

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Row<'de>, A::Error> {
                skip_seq(seq).map(|()| Row(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = next_key(&mut map)? {
                    match fields.place(&key) {
                        Some(place) => *place = map.next_value()?,
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Row(Some(fields)))
            }
        }
        deserializer.deserialize_any(RowVisitor(PhantomData))
    }
}

/// The fields of a call that are used, as they came.
#[derive(Default)]
pub(super) struct Fields<'de> {
    call_uuid: Lenient<'de>,
    call_id: Lenient<'de>,
    upload_time: Lenient<'de>,
    call_type: Lenient<'de>,
    status: Lenient<'de>,
    duration: Lenient<'de>,
    left: SpeechFields<'de>,
    right: SpeechFields<'de>,
    manual: [Lenient<'de>; 3],
}

#[derive(Default)]
struct SpeechFields<'de> {
    channel: Lenient<'de>,
    speed: Lenient<'de>,
    silence: Lenient<'de>,
    ratio: Lenient<'de>,
}

impl<'de> Fields<'de> {
    fn place(&mut self, key: &str) -> Option<&mut Lenient<'de>> {
        Some(match key {
            "call_uuid" => &mut self.call_uuid,
            "call_id" => &mut self.call_id,
            "upload_time" => &mut self.upload_time,
            "call_type" => &mut self.call_type,
            "status" => &mut self.status,
            "duration" => &mut self.duration,
            "left_channel" => &mut self.left.channel,
            "left_speed" => &mut self.left.speed,
            "left_silence_time" => &mut self.left.silence,
            "left_speech_ratio" => &mut self.left.ratio,
            "right_channel" => &mut self.right.channel,
            "right_speed" => &mut self.right.speed,
            "right_silence_time" => &mut self.right.silence,
            "right_speech_ratio" => &mut self.right.ratio,
            "inspect_status" => &mut self.manual[0],
            "review_status" => &mut self.manual[1],
            "complain_status" => &mut self.manual[2],
            _ => return None,
        })
    }

    /// Puts the call on the page, or counts why it cannot be used. `text`: see [`Rows::take`].
    pub(super) fn take_up(&self, rows: &mut Rows, text: &str) {
        let Some(id) = self
            .call_uuid
            .identity()
            .or_else(|| self.call_id.identity())
        else {
            return rows.reject(Rejection::Identity, text, || example::no_identity(text));
        };
        let Some(uploaded) = self.upload_time.time() else {
            return rows.reject(Rejection::UploadTime, id, || {
                example::no_time(&self.upload_time)
            });
        };
        let mut bad = Vec::new();
        let mut measure = |name: &'static str, value: &Lenient<'_>| {
            value.measure().unwrap_or_else(|()| {
                bad.push(name);
                None
            })
        };
        let measures = Measures {
            duration: measure("duration", &self.duration),
            channels: [
                (
                    &self.left,
                    ["left_speed", "left_silence_time", "left_speech_ratio"],
                ),
                (
                    &self.right,
                    ["right_speed", "right_silence_time", "right_speech_ratio"],
                ),
            ]
            .map(|(side, [speed, silence, ratio])| Speech {
                role: side.channel.role(),
                speed: measure(speed, &side.speed),
                silence: measure(silence, &side.silence),
                ratio: measure(ratio, &side.ratio),
            }),
        };
        let manual = Manual(std::array::from_fn(|kind| {
            self.manual[kind].state().unwrap_or_else(|()| {
                bad.push(["inspect_status", "review_status", "complain_status"][kind]);
                None
            })
        }));
        for name in bad {
            rows.reject(Rejection::Measure, (id, name), String::new);
        }
        if let Some(other) = self.call_id.identity().filter(|other| *other != id) {
            rows.page.renamed.push((id, other));
        }
        rows.page.records.push(Record {
            id,
            uploaded,
            call_type: self
                .call_type
                .integer()
                .map_or(CallType::UNKNOWN, CallType::from_number),
            status: self
                .status
                .integer()
                .map_or(Status::UNKNOWN, Status::from_number),
            manual,
            measures,
        });
    }
}
