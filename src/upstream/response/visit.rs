//! serde helpers for JSON whose values may have the wrong type.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value of which only one JSON type is useful. Any other type is skipped, so that it does not
/// cost the values next to it.
pub(super) trait Expect<'de>: Sized {
    type Value;

    /// The result for any other type.
    fn other(self) -> Self::Value;

    fn null(self) -> Self::Value {
        self.other()
    }

    fn array<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.other())
    }

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.other())
    }
}

/// Deserializes what `T` expects.
pub(super) struct Tolerant<T>(pub(super) T);

impl<'de, T: Expect<'de>> DeserializeSeed<'de> for Tolerant<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Expect<'de>> Visitor<'de> for Tolerant<T> {
    type Value = T::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<T::Value, E> {
        Ok(self.0.null())
    }
    fn visit_bool<E>(self, _: bool) -> Result<T::Value, E> {
        Ok(self.0.other())
    }
    fn visit_i64<E>(self, _: i64) -> Result<T::Value, E> {
        Ok(self.0.other())
    }
    fn visit_u64<E>(self, _: u64) -> Result<T::Value, E> {
        Ok(self.0.other())
    }
    fn visit_f64<E>(self, _: f64) -> Result<T::Value, E> {
        Ok(self.0.other())
    }
    fn visit_str<E>(self, _: &str) -> Result<T::Value, E> {
        Ok(self.0.other())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T::Value, A::Error> {
        self.0.array(seq)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T::Value, A::Error> {
        self.0.object(map)
    }
}

/// The next key of an object, borrowed unless it contains escapes.
pub(super) fn next_key<'de, A: MapAccess<'de>>(
    map: &mut A,
) -> Result<Option<Cow<'de, str>>, A::Error> {
    #[derive(Deserialize)]
    struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
    Ok(map.next_key::<Key<'de>>()?.map(|key| key.0))
}
