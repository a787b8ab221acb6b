//! The list of calls inside an answer.

use std::fmt;
use std::hash::Hash;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};
use serde_json::value::RawValue;
use tracing::debug;

use super::lenient::Lenient;
use super::record::Row;
use super::{example, next_key};
use crate::model::Rejection;
use crate::upstream::{Page, Rejected};

/// Anything JSON, where only one shape is of use: `T` from that shape, `None` from any other.
///
/// `deserialize_any` with the scalar cases answered is what lets a row of the wrong shape be
/// skipped while its neighbours are read.
macro_rules! scalars_none {
    () => {
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

/// The same, null included.
macro_rules! otherwise_none {
    () => {
        crate::upstream::response::data::scalars_none!();

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Default::default())
        }
    };
}
pub(super) use {otherwise_none, scalars_none};

pub(super) fn skip_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn skip_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// `paging`: its total, where it is a usable number.
#[derive(Default)]
pub(super) struct Paging(pub(super) Option<u64>);

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
                        let total = map.next_value::<Lenient>()?.integer();
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

/// The calls of an answer as they are read.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) page: Page,
    /// What is wrong with the first row that cannot be used.
    pub(super) example: Option<String>,
    /// Row by row: slower, and each is known by its text.
    exact: bool,
    rows: usize,
    max_rows: usize,
}

impl Rows {
    pub(super) fn new(max_rows: usize, exact: bool) -> Self {
        Self {
            exact,
            max_rows,
            ..Self::default()
        }
    }

    /// Whether there were more rows than allowed.
    pub(super) fn overflowed(&self) -> bool {
        self.rows > self.max_rows
    }

    /// Whether there are rows without an identity, which can be told apart by their text alone.
    pub(super) fn has_strangers(&self) -> bool {
        let mut rejected = self.page.rejected.iter();
        rejected.any(|row| matches!(row.reason, Rejection::Identity | Rejection::Shape))
    }

    /// Another row has come.
    fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.rows += 1;
        match self.overflowed() {
            true => Err(E::custom("too many rows")),
            false => Ok(()),
        }
    }

    pub(super) fn reject(
        &mut self,
        reason: Rejection,
        row: impl Hash,
        what: impl FnOnce() -> String,
    ) {
        self.page.rejected.push(Rejected::new(reason, row));
        debug!(%reason, "record rejected");
        if reason != Rejection::Measure && self.example.is_none() {
            self.example = Some(what());
        }
    }

    /// Takes up a row; `text` is the whole of it where rows are read exactly.
    fn take(&mut self, row: Row<'_>, text: &str) {
        match row.0 {
            Some(fields) => fields.take_up(self, text),
            None => self.reject(Rejection::Shape, text, || example::no_call(text)),
        }
    }
}

/// What `data` is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Shape {
    #[default]
    Absent,
    Null,
    List,
    Other,
}

/// `data`: all calls of all groups.
pub(super) struct DataSeed<'a>(pub(super) &'a mut Rows);

impl<'de> DeserializeSeed<'de> for DataSeed<'_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        // Of a key that comes twice the last counts.
        self.0.page = Page::default();
        match deserializer.deserialize_any(self)? {
            Shape::Absent => Ok(Shape::Other),
            shape => Ok(shape),
        }
    }
}

impl<'de> Visitor<'de> for DataSeed<'_> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of call groups")
    }

    scalars_none!();

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shape, A::Error> {
        skip_map(map).map(|()| Shape::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let rows = self.0;
        loop {
            let (found, text) = if rows.exact {
                let Some(group) = seq.next_element::<&RawValue>()? else {
                    return Ok(Shape::List);
                };
                let mut json = serde_json::Deserializer::from_str(group.get());
                let found = GroupSeed(rows).deserialize(&mut json);
                if rows.overflowed() {
                    return Err(A::Error::custom("too many rows"));
                }
                (found.unwrap_or_default(), group.get())
            } else {
                let Some(found) = seq.next_element_seed(GroupSeed(rows))? else {
                    return Ok(Shape::List);
                };
                (found, "")
            };
            rows.page.groups = rows.page.groups.saturating_add(1);
            if !found {
                rows.count()?;
                rows.reject(Rejection::Shape, text, || example::no_group(text));
            }
        }
    }
}

/// Reads one call group; answers whether there was a list of calls.
struct GroupSeed<'a>(&'a mut Rows);

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

/// Reads `calls`; answers whether it was a list.
struct CallsSeed<'a>(&'a mut Rows);

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
        let rows = self.0;
        if rows.exact {
            while let Some(text) = seq.next_element::<&RawValue>()? {
                rows.count()?;
                let text = text.get();
                rows.take(serde_json::from_str(text).unwrap_or_default(), text);
            }
        } else {
            while let Some(row) = seq.next_element::<Row<'de>>()? {
                rows.count()?;
                rows.take(row, "");
            }
        }
        Ok(true)
    }
}
