//! One call in the list.

use serde::de::{IgnoredAny, MapAccess};

use super::lenient::Lenient;
use super::visit::{Expect, next_key};
use super::{Rows, example};
use crate::model::{CallType, ManualStates, Measures, Record, Rejection, Speech, Status};

/// Longest identity in bytes that is kept as text. It is stored until the call's inspection result has
/// arrived; a longer one is no identity of the vendor's, and its result is not requested.
const MAX_WRITTEN_ID: usize = 256;

/// Expects an object, reads its fields, and returns whether it is one. Identities that are only needed
/// as text are read if the second part says so.
pub(super) struct Row<'a, 'de>(pub(super) &'a mut Fields<'de>, pub(super) bool);

impl<'de> Expect<'de> for Row<'_, 'de> {
    type Value = bool;

    fn other(self) -> bool {
        false
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let Self(fields, texts) = self;
        while let Some(key) = next_key(&mut map)? {
            let field = match &*key {
                "staff_id" if !texts => None,
                key => fields.field(key),
            };
            match field {
                Some(field) => *field = map.next_value()?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(true)
    }
}

/// The used fields of a call, unchecked.
#[derive(Default)]
pub(super) struct Fields<'de> {
    call_uuid: Lenient<'de>,
    call_id: Lenient<'de>,
    upload_time: Lenient<'de>,
    call_type: Lenient<'de>,
    status: Lenient<'de>,
    staff_id: Lenient<'de>,
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

const MANUAL_FIELDS: [&str; 3] = ["inspect_status", "review_status", "complain_status"];

impl<'de> Fields<'de> {
    fn field(&mut self, key: &str) -> Option<&mut Lenient<'de>> {
        Some(match key {
            "call_uuid" => &mut self.call_uuid,
            "call_id" => &mut self.call_id,
            "upload_time" => &mut self.upload_time,
            "call_type" => &mut self.call_type,
            "status" => &mut self.status,
            "staff_id" => &mut self.staff_id,
            "duration" => &mut self.duration,
            "left_channel" => &mut self.left.channel,
            "left_speed" => &mut self.left.speed,
            "left_silence_time" => &mut self.left.silence,
            "left_speech_ratio" => &mut self.left.ratio,
            "right_channel" => &mut self.right.channel,
            "right_speed" => &mut self.right.speed,
            "right_silence_time" => &mut self.right.silence,
            "right_speech_ratio" => &mut self.right.ratio,
            key => {
                let kind = MANUAL_FIELDS.iter().position(|name| *name == key)?;
                &mut self.manual[kind]
            }
        })
    }

    /// Adds the call to the page, or rejects it. `text` is its JSON if rows are parsed exactly.
    pub(super) fn add_to(&self, rows: &mut Rows, text: &str) {
        let call_id = self.call_id.identity();
        // A UUID of zeros stands for none where the other field has an identity.
        let uuid = self.call_uuid.identity();
        let uuid = uuid.filter(|id| id.0 != 0 || call_id.is_none());
        let Some(id) = uuid.or(call_id) else {
            return rows.reject(Rejection::Identity, text, || example::no_identity(text));
        };
        let Some(uploaded) = self.upload_time.time() else {
            rows.page.undated.push(id);
            return rows.reject(Rejection::UploadTime, id, || {
                example::bad_time(&self.upload_time)
            });
        };
        rows.page.has_fractions |= self.upload_time.integer().is_none();
        let mut invalid = Vec::new();
        let mut measure = |name: &'static str, value: &Lenient<'_>| {
            value.measure().unwrap_or_else(|()| {
                invalid.push(name);
                None
            })
        };
        let left = ["left_speed", "left_silence_time", "left_speech_ratio"];
        let right = ["right_speed", "right_silence_time", "right_speech_ratio"];
        let measures = Measures {
            duration: measure("duration", &self.duration),
            channels: [(&self.left, left), (&self.right, right)].map(
                |(side, [speed, silence, ratio])| Speech {
                    role: side.channel.role(),
                    speed: measure(speed, &side.speed),
                    silence: measure(silence, &side.silence),
                    ratio: measure(ratio, &side.ratio),
                },
            ),
        };
        let manual = ManualStates(std::array::from_fn(|kind| {
            self.manual[kind].manual_state().unwrap_or_else(|()| {
                invalid.push(MANUAL_FIELDS[kind]);
                None
            })
        }));
        for name in invalid {
            rows.reject(Rejection::Measure, (id, name), String::new);
        }
        if let Some(other) = call_id.filter(|other| *other != id) {
            rows.page.renamed.push((id, other));
        }
        let call_type = self.call_type.integer();
        let status = self.status.integer();
        rows.page.records.push(Record {
            id,
            has_uuid: uuid.is_some(),
            uploaded,
            call_type: call_type.map_or(CallType::UNKNOWN, CallType::from_number),
            status: status.map_or(Status::UNKNOWN, Status::from_number),
            manual,
            measures,
            staff_id: self.staff_id.text().map(Into::into),
            written_id: (rows.texts)
                .then(|| uuid.map_or(&self.call_id, |_| &self.call_uuid).text())
                .flatten()
                .filter(|text| text.len() <= MAX_WRITTEN_ID && !id.is_written(text))
                .map(Into::into),
        });
    }
}
