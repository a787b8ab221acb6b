//! `data`: the call groups of a response, and the calls in them.

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::example;
use super::record::{Fields, Row};
use super::rows::Rows;
use super::visit::{Expect, Tolerant, next_key};
use crate::model::Rejection;

/// The JSON type of `data`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum DataType {
    #[default]
    Absent,
    Null,
    List,
    Other,
}

/// Expects the array of call groups.
pub(super) struct Data<'a>(pub(super) &'a mut Rows);

impl<'de> Expect<'de> for Data<'_> {
    type Value = DataType;

    fn other(self) -> DataType {
        DataType::Other
    }

    fn null(self) -> DataType {
        DataType::Null
    }

    fn array<A: SeqAccess<'de>>(self, mut seq: A) -> Result<DataType, A::Error> {
        let rows = self.0;
        loop {
            let (has_calls, text) = if rows.exact {
                let Some(group) = seq.next_element::<&RawValue>()? else {
                    return Ok(DataType::List);
                };
                let mut json = Deserializer::from_str(group.get());
                let has_calls = Tolerant(Group(rows)).deserialize(&mut json);
                rows.check()?;
                (has_calls.unwrap_or(false), group.get())
            } else {
                let Some(has_calls) = seq.next_element_seed(Tolerant(Group(rows)))? else {
                    return Ok(DataType::List);
                };
                (has_calls, "")
            };
            rows.page.groups = rows.page.groups.saturating_add(1);
            if !has_calls {
                rows.count()?;
                rows.reject(Rejection::Shape, text, || example::bad_group(text));
            }
        }
    }
}

/// Expects a call group; returns whether it has a list of calls.
struct Group<'a>(&'a mut Rows);

impl<'de> Expect<'de> for Group<'_> {
    type Value = bool;

    fn other(self) -> bool {
        false
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut has_calls = false;
        while let Some(key) = next_key(&mut map)? {
            if key == "calls" {
                has_calls |= map.next_value_seed(Tolerant(Calls(self.0)))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(has_calls)
    }
}

/// Expects the array of calls; returns whether it is one.
struct Calls<'a>(&'a mut Rows);

impl<'de> Expect<'de> for Calls<'_> {
    type Value = bool;

    fn other(self) -> bool {
        false
    }

    fn array<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let rows = self.0;
        let texts = rows.texts;
        loop {
            // Filled in place: it has some hundred bytes, and moving them takes a notable part of the
            // parse.
            let mut fields = Fields::default();
            let row = Tolerant(Row(&mut fields, texts));
            let (is_object, text) = if rows.exact {
                let Some(text) = seq.next_element::<&RawValue>()? else {
                    return Ok(true);
                };
                let text = text.get();
                let is_object = row.deserialize(&mut Deserializer::from_str(text));
                (is_object.unwrap_or(false), text)
            } else {
                let Some(is_object) = seq.next_element_seed(row)? else {
                    return Ok(true);
                };
                (is_object, "")
            };
            rows.count()?;
            match is_object {
                true => fields.add_to(rows, text),
                false => rows.reject(Rejection::Shape, text, || example::bad_row(text)),
            }
        }
    }
}
