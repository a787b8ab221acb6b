//! Bytes to values: the vendor's JSON as records, in one pass and without a copy per row.
//!
//! Every field may be missing, null, or a string where a number was and the reverse; a row that
//! cannot be used costs its neighbours nothing.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use tracing::debug;

use super::Page;
use crate::model::{
    CallId, CallType, Manual, Measure, Measures, Record, Rejection, Role, Speech, Status,
    UnixSeconds,
};

/// Why a body with status 200 is not a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// Not the JSON that was expected: cut short, HTML, another shape.
    Body(String),
    /// The vendor's own error inside a 200: its code and text, cut to a sane length.
    Envelope(String),
}

/// Reads the answer to a list request.
///
/// # Errors
///
/// `data` that is null or absent is an empty page only where the total is 0 as well and no error
/// code is given: an empty window and a failure must never look alike.
pub fn parse_page(body: &[u8]) -> Result<Page, Unreadable> {
    // Checked as a whole, for checking each of its short strings takes longer. Broken characters in
    // a field that is not read are no reason to lose the page.
    let answer: Answer = match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(body),
    }
    .map_err(|error| Unreadable::Body(error.to_string()))?;
    let failed = answer
        .code
        .as_deref()
        .is_some_and(|code| code.bytes().any(|b| b != b'0'));
    match (answer.page, answer.total) {
        (Some(page), total) if !(failed && page.is_empty()) => Ok(Page { total, ..page }),
        (None, Some(0)) if !failed => Ok(Page {
            total: Some(0),
            ..Page::default()
        }),
        (_, total) => Err(Unreadable::Envelope(match answer.code {
            Some(code) => {
                format!(
                    "{} {}",
                    clip(&code),
                    clip(answer.text.as_deref().unwrap_or_default())
                )
            }
            None => match total {
                Some(total) => format!("no data, though paging.total is {total}"),
                None => "neither data nor paging.total".into(),
            },
        })),
    }
}

/// The vendor's texts go into logs and pages; nobody needs more of one than this.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[derive(Default)]
struct Answer {
    page: Option<Page>,
    total: Option<u64>,
    code: Option<String>,
    text: Option<String>,
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnswerVisitor;
        impl<'de> Visitor<'de> for AnswerVisitor {
            type Value = Answer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with data and paging")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer, A::Error> {
                let mut answer = Answer::default();
                while let Some(key) = next_key(&mut map)? {
                    match key.as_ref() {
                        "data" => answer.page = map.next_value::<Data>()?.0,
                        "paging" => answer.total = map.next_value::<Paging>()?.0,
                        "resultCode" => answer.code = map.next_value::<Loose>()?.into_text(),
                        "resultDesc" => answer.text = map.next_value::<Loose>()?.into_text(),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(answer)
            }
        }
        deserializer.deserialize_map(AnswerVisitor)
    }
}

/// Anything JSON, where only one shape is of use: `T` from that shape, `None` from any other.
///
/// `deserialize_any` with the scalar cases answered is what lets a row of the wrong shape be
/// skipped while its neighbours are read.
macro_rules! otherwise_none {
    () => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
    };
}

fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// `paging`: its total, where it is a usable number.
#[derive(Default)]
struct Paging(Option<u64>);

impl<'de> Deserialize<'de> for Paging {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PagingVisitor;
        impl<'de> Visitor<'de> for PagingVisitor {
            type Value = Paging;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("paging")
            }

            otherwise_none!();

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Paging, A::Error> {
                skip_seq(seq).map(|()| Paging::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Paging, A::Error> {
                let mut paging = Paging::default();
                while let Some(key) = next_key(&mut map)? {
                    if key == "total" {
                        let total = map.next_value::<Loose>()?.integer();
                        paging.0 = total.and_then(|total| u64::try_from(total).ok());
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(paging)
            }
        }
        deserializer.deserialize_any(PagingVisitor)
    }
}

/// `data`: all calls of all groups, or nothing where it is not a list.
#[derive(Default)]
struct Data(Option<Page>);

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DataVisitor;
        impl<'de> Visitor<'de> for DataVisitor {
            type Value = Data;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of call groups")
            }

            otherwise_none!();

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
                skip_map(map).map(|()| Data::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Data, A::Error> {
                let mut page = Page::default();
                while let Some(found) = seq.next_element_seed(GroupSeed(&mut page))? {
                    if !found {
                        reject(&mut page, Rejection::Shape, "a call group without calls");
                    }
                }
                Ok(Data(Some(page)))
            }
        }
        deserializer.deserialize_any(DataVisitor)
    }
}

fn reject(page: &mut Page, reason: Rejection, what: &str) {
    page.rejected[reason as usize] += 1;
    debug!(%reason, what, "record rejected");
}

/// Reads one call group into the page; answers whether there was a list of calls.
struct GroupSeed<'a>(&'a mut Page);

impl<'de> DeserializeSeed<'de> for GroupSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for GroupSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call group")
    }

    otherwise_none!();

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        skip_seq(seq).map(|()| false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(key) = next_key(&mut map)? {
            if key == "calls" {
                found |= map.next_value_seed(CallsSeed(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Reads `calls` into the page; answers whether it was a list.
struct CallsSeed<'a>(&'a mut Page);

impl<'de> DeserializeSeed<'de> for CallsSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CallsSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of calls")
    }

    otherwise_none!();

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        skip_map(map).map(|()| false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        while let Some(row) = seq.next_element::<Row<'de>>()? {
            match row.0 {
                Some(fields) => fields.take_up(self.0),
                None => reject(self.0, Rejection::Shape, "not an object"),
            }
        }
        Ok(true)
    }
}

/// A row: its fields, or nothing where it is not an object.
#[derive(Default)]
struct Row<'de>(Option<Fields<'de>>);

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
struct Fields<'de> {
    call_uuid: Loose<'de>,
    call_id: Loose<'de>,
    upload_time: Loose<'de>,
    call_type: Loose<'de>,
    status: Loose<'de>,
    duration: Loose<'de>,
    left: SpeechFields<'de>,
    right: SpeechFields<'de>,
    manual: [Loose<'de>; 3],
}

#[derive(Default)]
struct SpeechFields<'de> {
    channel: Loose<'de>,
    speed: Loose<'de>,
    silence: Loose<'de>,
    ratio: Loose<'de>,
}

impl<'de> Fields<'de> {
    fn place(&mut self, key: &str) -> Option<&mut Loose<'de>> {
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

    /// Puts the call on the page, or counts why it cannot be used.
    fn take_up(&self, page: &mut Page) {
        let Some(id) = self
            .call_uuid
            .identity()
            .or_else(|| self.call_id.identity())
        else {
            return reject(page, Rejection::Identity, "neither call_uuid nor call_id");
        };
        let Some(uploaded) = self.upload_time.time() else {
            return reject(page, Rejection::UploadTime, "no usable upload_time");
        };
        let mut bad = Vec::new();
        let mut measure = |name: &'static str, value: &Loose<'_>| {
            value.measure().unwrap_or_else(|()| {
                bad.push(name);
                None
            })
        };
        let measures = Measures {
            duration: measure("duration", &self.duration),
            channels: [&self.left, &self.right].map(|side| Speech {
                role: side.channel.role(),
                speed: measure("speed", &side.speed),
                silence: measure("silence time", &side.silence),
                ratio: measure("speech ratio", &side.ratio),
            }),
        };
        let manual = Manual(std::array::from_fn(|kind| {
            self.manual[kind].state().unwrap_or_else(|()| {
                bad.push("manual state");
                None
            })
        }));
        for name in bad {
            reject(page, Rejection::Measure, name);
        }
        page.records.push(Record {
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

/// A scalar in whatever dress it came.
#[derive(Default, Debug, PartialEq)]
enum Loose<'de> {
    /// Missing or null.
    #[default]
    Null,
    Integer(i64),
    /// A string, or a number that is no 64-bit integer.
    Text(Cow<'de, str>),
    /// A boolean, a list, an object.
    Other,
}

impl Loose<'_> {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.into_owned()),
            Self::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn identity(&self) -> Option<CallId> {
        match self {
            Self::Text(text) => CallId::parse(text),
            Self::Integer(number) => CallId::parse(&number.to_string()),
            _ => None,
        }
    }

    /// As a number; `None` for what is none.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Null | Self::Other => None,
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => {
                let number = self.number()?;
                // Beyond 2^53 an f64 is no longer a whole number that somebody meant.
                (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
            }
        }
    }

    /// A moment since 1970 in seconds. Zero and milliseconds are not: neither is a time at which
    /// a call was uploaded.
    fn time(&self) -> Option<UnixSeconds> {
        let seconds = self.number()?;
        (1.0..=f64::from(UnixSeconds::MAX))
            .contains(&seconds)
            .then_some(seconds as UnixSeconds)
    }

    fn role(&self) -> Role {
        match self {
            Self::Text(text) => Role::parse(text),
            _ => Role::Unknown,
        }
    }

    /// A measure; `Ok(None)` where there is none, an error where it cannot be one.
    fn measure(&self) -> Result<Option<Measure>, ()> {
        match self {
            Self::Null => Ok(None),
            _ => self
                .number()
                .and_then(Measure::from_units)
                .map(Some)
                .ok_or(()),
        }
    }

    /// A manual state: from 0 up, or none for the vendor's -1. 256 states are more than people
    /// set by hand, and each is a series.
    fn state(&self) -> Result<Option<u8>, ()> {
        match (self, self.integer()) {
            (Self::Null, _) => Ok(None),
            (_, Some(number)) if number < 0 => Ok(None),
            (_, Some(number)) => match u8::try_from(number) {
                Ok(state) if state < u8::MAX => Ok(Some(state)),
                _ => Err(()),
            },
            (_, None) => Err(()),
        }
    }
}

impl<'de> Deserialize<'de> for Loose<'de> {
    /// By way of the raw text: `1e999` is JSON, but no number that serde_json would read, and one
    /// such value must not cost the page.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        Ok(match raw.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b'"') => match raw.contains('\\') {
                false => Self::Text(Cow::Borrowed(raw.trim_matches('"'))),
                true => serde_json::from_str(raw)
                    .map_or(Self::Other, |text: String| Self::Text(Cow::Owned(text))),
            },
            Some(b'-' | b'0'..=b'9') => match raw.parse() {
                Ok(number) => Self::Integer(number),
                Err(_) => Self::Text(Cow::Borrowed(raw)),
            },
            _ => Self::Other,
        })
    }
}

/// The next key of an object, borrowed where serde would copy it.
fn next_key<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    struct Key<'de>(Cow<'de, str>);
    impl<'de> Deserialize<'de> for Key<'de> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(KeyVisitor).map(Self)
        }
    }
    struct KeyVisitor;
    impl<'de> Visitor<'de> for KeyVisitor {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a key")
        }
        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(text))
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }
    }
    Ok(map.next_key::<Key<'de>>()?.map(|key| key.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(calls: &str) -> Page {
        let body = format!(r#"{{"data":[{{"calls":[{calls}]}}],"paging":{{"total":1}}}}"#);
        parse_page(body.as_bytes()).unwrap()
    }

    fn record(fields: &str) -> Record {
        let page = page(&format!(
            r#"{{"call_uuid":"a","upload_time":1622633782,{fields}}}"#
        ));
        assert_eq!(page.rejected, [0; 4], "{fields}");
        page.records.into_iter().next().unwrap()
    }

    fn units(value: f64) -> Option<Measure> {
        Measure::from_units(value)
    }

    #[test]
    fn the_vendors_sample_is_read_to_the_last_field() {
        let page =
            parse_page(include_bytes!("../../tests/fixtures/details-response.json")).unwrap();
        assert_eq!(
            (page.total, page.records.len(), page.rejected),
            (Some(6), 6, [0; 4])
        );
        assert_eq!(
            page.records[0],
            Record {
                id: CallId(0x3b9cd7a9_d38c_4aa0_a35d_77f6abb9f497),
                uploaded: 1622633782,
                call_type: CallType::VOICE,
                status: Status::SUCCEEDED,
                manual: Manual([Some(0), None, None]),
                measures: Measures {
                    duration: units(164.22),
                    channels: [
                        Speech {
                            role: Role::Customer,
                            speed: units(241.552),
                            silence: units(88.46),
                            ratio: units(0.4613),
                        },
                        Speech {
                            role: Role::Staff,
                            speed: units(165.169),
                            silence: units(110.82),
                            ratio: units(0.3252),
                        },
                    ],
                },
            }
        );
    }

    #[test]
    fn a_number_may_be_a_string_and_a_string_a_number() {
        let call = record(
            r#""call_type":"2","status":"31","duration":"88.5","left_speed":null,
               "inspect_status":"1","complain_status":-1"#,
        );
        assert_eq!(call.call_type, CallType::TEXT);
        assert_eq!(call.status, Status::from_number(31));
        assert_eq!(call.measures.duration, units(88.5));
        assert_eq!(call.measures.channels[0], Speech::default());
        assert_eq!(call.manual, Manual([Some(1), None, None]));
        let page = page(r#"{"call_uuid":null,"call_id":17,"upload_time":"1622633782"}"#);
        assert_eq!(page.records[0].id, CallId::parse("17").unwrap());
        assert_eq!(page.records[0].uploaded, 1622633782);
    }

    #[test]
    fn a_status_or_type_that_is_none_is_unknown_and_a_strange_one_is_named() {
        for (fields, call_type, status) in [
            (r#""x":0"#, "unknown", "unknown"),
            (r#""call_type":null,"status":null"#, "unknown", "unknown"),
            (r#""call_type":"","status":[2]"#, "unknown", "unknown"),
            (r#""call_type":-5,"status":1e999"#, "unknown", "unknown"),
            (r#""call_type":7,"status":77"#, "unknown_7", "unknown_77"),
            (r#""call_type":0.0,"status":2.0"#, "voice", "succeeded"),
            (
                r#""call_type":0.5,"status":99999999999999999999"#,
                "unknown",
                "unknown",
            ),
        ] {
            let call = record(fields);
            assert_eq!(
                (call.call_type.to_string(), call.status.to_string()),
                (call_type.to_string(), status.to_string()),
                "{fields}"
            );
        }
    }

    #[test]
    fn a_row_that_cannot_be_used_costs_its_neighbours_nothing() {
        let good = r#"{"call_uuid":"a","upload_time":5}"#;
        for (bad, reason) in [
            (r#"{"upload_time":5}"#, Rejection::Identity),
            (
                r#"{"call_uuid":"","call_id":null,"upload_time":5}"#,
                Rejection::Identity,
            ),
            (r#"{"call_uuid":{},"upload_time":5}"#, Rejection::Identity),
            (r#"{"call_uuid":"b"}"#, Rejection::UploadTime),
            (
                r#"{"call_uuid":"b","upload_time":null}"#,
                Rejection::UploadTime,
            ),
            (
                r#"{"call_uuid":"b","upload_time":0}"#,
                Rejection::UploadTime,
            ),
            (
                r#"{"call_uuid":"b","upload_time":-5}"#,
                Rejection::UploadTime,
            ),
            (
                r#"{"call_uuid":"b","upload_time":"soon"}"#,
                Rejection::UploadTime,
            ),
            (
                r#"{"call_uuid":"b","upload_time":1622633782000}"#,
                Rejection::UploadTime,
            ),
            (
                r#"{"call_uuid":"b","upload_time":1e999}"#,
                Rejection::UploadTime,
            ),
            ("null", Rejection::Shape),
            ("7", Rejection::Shape),
            (r#""row""#, Rejection::Shape),
            ("true", Rejection::Shape),
            ("[{}]", Rejection::Shape),
        ] {
            let page = page(&format!("{good},{bad},{good}"));
            assert_eq!(page.records.len(), 2, "{bad}");
            assert_eq!(page.unusable(), 1, "{bad}");
            assert_eq!(page.rejected[reason as usize], 1, "{bad}");
        }
        for group in [
            "null",
            "3",
            "[]",
            "{}",
            r#"{"calls":null}"#,
            r#"{"calls":{"a":1}}"#,
        ] {
            let body =
                format!(r#"{{"data":[{group},{{"calls":[{good}]}}],"paging":{{"total":2}}}}"#);
            let page = parse_page(body.as_bytes()).unwrap();
            assert_eq!((page.records.len(), page.unusable()), (1, 1), "{group}");
        }
    }

    #[test]
    fn a_measure_that_is_none_is_ignored_and_its_record_is_not() {
        for bad in [
            "-0.1",
            "1e999",
            "-1e999",
            r#""NaN""#,
            r#""inf""#,
            r#""long""#,
            "{}",
            "true",
            "1e10",
        ] {
            let page = page(&format!(
                r#"{{"call_uuid":"a","upload_time":5,"duration":{bad},"left_silence_time":3}}"#
            ));
            assert_eq!(page.rejected[Rejection::Measure as usize], 1, "{bad}");
            assert_eq!(page.unusable(), 0);
            assert_eq!(page.records[0].measures.duration, None);
            assert_eq!(page.records[0].measures.channels[0].silence, units(3.0));
        }
    }

    #[test]
    fn either_side_may_be_the_customer() {
        let call = record(
            r#""left_channel":"staff","left_speed":1,"right_channel":"Customer","right_speed":2"#,
        );
        let roles = call.measures.channels.map(|side| (side.role, side.speed));
        assert_eq!(
            roles,
            [(Role::Staff, units(1.0)), (Role::Customer, units(2.0))]
        );
        let call = record(r#""left_channel":3,"left_speed":1"#);
        assert_eq!(call.measures.channels[0].role, Role::Unknown);
    }

    #[test]
    fn an_empty_window_and_a_failure_never_look_alike() {
        let empty = Page {
            total: Some(0),
            ..Page::default()
        };
        for body in [
            r#"{"data":[],"paging":{"total":0}}"#,
            r#"{"data":null,"paging":{"total":0}}"#,
            r#"{"paging":{"total":"0"}}"#,
            r#"{"resultCode":"0","data":[],"paging":{"total":0}}"#,
        ] {
            assert_eq!(parse_page(body.as_bytes()), Ok(empty.clone()), "{body}");
        }
        for (body, message) in [
            (
                r#"{"resultCode":"0300028","resultDesc":"no\npermission"}"#,
                "0300028 nopermission",
            ),
            (
                r#"{"resultCode":"0300028","data":null,"paging":{"total":0}}"#,
                "0300028 ",
            ),
            (
                r#"{"resultCode":"0300028","data":[],"paging":{"total":0}}"#,
                "0300028 ",
            ),
            (
                r#"{"data":null,"paging":{"total":5}}"#,
                "no data, though paging.total is 5",
            ),
            (r#"{"data":null}"#, "neither data nor paging.total"),
            (r#"{}"#, "neither data nor paging.total"),
            (
                r#"{"data":{"calls":[]},"paging":[1]}"#,
                "neither data nor paging.total",
            ),
        ] {
            assert_eq!(
                parse_page(body.as_bytes()),
                Err(Unreadable::Envelope(message.into())),
                "{body}"
            );
        }
        for body in [
            "",
            "<html>",
            r#"{"data":[{"calls":[{"call_uuid":"a""#,
            "[]",
            "null",
        ] {
            let answer = parse_page(body.as_bytes());
            assert!(
                matches!(answer, Err(Unreadable::Body(_))),
                "{body}: {answer:?}"
            );
        }
    }

    #[test]
    fn a_total_that_is_missing_is_not_zero() {
        let page =
            parse_page(br#"{"data":[{"calls":[{"call_uuid":"a","upload_time":5}]}]}"#).unwrap();
        assert_eq!(page.total, None);
    }
}
