//! `data`: the call groups of a response, and the calls in them.

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::record::{Fields, Row};
use super::visit::{Expect, Tolerant, next_key};
use super::{Rows, example};
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

/// The next element and whether it is as expected; if `exact`, with its text, and an element that
/// cannot be parsed is not.
fn next<'de, A: SeqAccess<'de>>(
    seq: &mut A,
    exact: bool,
    expected: impl Expect<'de, Value = bool>,
) -> Result<Option<(bool, &'de str)>, A::Error> {
    if !exact {
        let found = seq.next_element_seed(Tolerant(expected))?;
        return Ok(found.map(|found| (found, "")));
    }
    let Some(text) = seq.next_element::<&RawValue>()?.map(RawValue::get) else {
        return Ok(None);
    };
    let found = Tolerant(expected).deserialize(&mut Deserializer::from_str(text));
    Ok(Some((found.unwrap_or(false), text)))
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
        while let Some((has_calls, text)) = next(&mut seq, rows.exact, Group(rows))? {
            // A group without calls counts as a row. An overflow inside of one with calls shows here.
            rows.count(usize::from(!has_calls))?;
            rows.page.groups = rows.page.groups.saturating_add(1);
            if !has_calls {
                rows.reject(Rejection::Shape, text, || example::bad_group(text));
            }
        }
        Ok(DataType::List)
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
        loop {
            // Filled in place: it has some hundred bytes, and moving them takes a notable part of the
            // parse.
            let mut fields = Fields::default();
            let row = Row(&mut fields, rows.texts);
            let Some((is_object, text)) = next(&mut seq, rows.exact, row)? else {
                return Ok(true);
            };
            rows.count(1)?;
            match is_object {
                true => fields.add_to(rows, text),
                false => rows.reject(Rejection::Shape, text, || example::bad_row(text)),
            }
        }
    }
}
