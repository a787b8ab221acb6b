//! Bytes to values: the vendor's JSON as records, in one pass and without a copy per row.
//!
//! Every field may be missing, null, or a string where a number was and the reverse; a row that
//! cannot be used costs its neighbours nothing.

mod loose;
mod row;

use std::borrow::Cow;
use std::fmt;
use std::hash::Hash;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use tracing::debug;

use loose::Loose;
use row::Row;

use super::{Page, Rejected};
use crate::model::Rejection;

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
use otherwise_none;

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
                    page.groups = page.groups.saturating_add(1);
                    if !found {
                        let place = page.rejected.len();
                        reject(
                            &mut page,
                            Rejection::Shape,
                            place,
                            "a call group without calls",
                        );
                    }
                }
                Ok(Data(Some(page)))
            }
        }
        deserializer.deserialize_any(DataVisitor)
    }
}

fn reject(page: &mut Page, reason: Rejection, row: impl Hash, what: &str) {
    page.rejected.push(Rejected::new(reason, row));
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
                None => {
                    let place = self.0.rejected.len();
                    reject(self.0, Rejection::Shape, place, "not an object");
                }
            }
        }
        Ok(true)
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
mod tests;
