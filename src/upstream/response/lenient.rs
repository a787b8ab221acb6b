//! A JSON scalar that may have the wrong type.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::{CallId, Measure, Role, UnixSeconds};

#[derive(Default, Debug, PartialEq)]
pub(super) enum Lenient<'de> {
    /// Missing or null.
    #[default]
    Null,
    Integer(i64),
    /// A string, or a number that is not a 64-bit integer.
    Text(Cow<'de, str>),
    /// A boolean, array or object.
    Other,
}

impl Lenient<'_> {
    /// A string that is not blank, without spaces around it, or a number.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(text.trim().into()).filter(|text: &Cow<str>| !text.is_empty()),
            Self::Integer(number) => Some(number.to_string().into()),
            _ => None,
        }
    }

    pub(super) fn identity(&self) -> Option<CallId> {
        CallId::parse(&self.text()?)
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Null | Self::Other => None,
        }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => {
                let number = self.number()?;
                // Beyond 2^53 an f64 cannot represent every integer.
                (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
            }
        }
    }

    /// Unix seconds. Rejects zero and milliseconds: neither is the upload time of a call.
    pub(super) fn time(&self) -> Option<UnixSeconds> {
        let seconds = self.number()?;
        (1.0..=f64::from(UnixSeconds::MAX))
            .contains(&seconds)
            .then_some(seconds as UnixSeconds)
    }

    pub(super) fn role(&self) -> Role {
        match self {
            Self::Text(text) => Role::parse(text),
            _ => Role::Unknown,
        }
    }

    /// `Ok(None)` for null, an error for an invalid value.
    pub(super) fn measure(&self) -> Result<Option<Measure>, ()> {
        if *self == Self::Null {
            return Ok(None);
        }
        let measure = self.number().and_then(Measure::from_units);
        measure.map(Some).ok_or(())
    }

    /// A manual state from 0 up; `None` for the vendor's -1. Limited, since each state is a series.
    pub(super) fn manual_state(&self) -> Result<Option<u8>, ()> {
        match (self, self.integer()) {
            (Self::Null, _) | (_, Some(..=-1)) => Ok(None),
            (_, Some(state @ 0..=254)) => Ok(Some(state as u8)),
            _ => Err(()),
        }
    }
}

impl<'de> Deserialize<'de> for Lenient<'de> {
    /// From the raw text: `1e999` is valid JSON that serde_json refuses to parse as a number, and
    /// one such value must not fail the page.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Self::from)
    }
}

impl<'de> From<&'de RawValue> for Lenient<'de> {
    fn from(raw: &'de RawValue) -> Self {
        let raw = raw.get();
        match raw.as_bytes().first() {
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
        }
    }
}
