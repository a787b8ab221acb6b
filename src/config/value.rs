//! Parses single values.
//!
//! Errors say what was expected; the caller adds the key and its position.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::duration;
use super::interpolate::{Environment, interpolate};
use super::secret::Secret;
use crate::model::{CallType, Status};

/// Longest name of a target in bytes: it becomes a label of every series.
const MAX_NAME_BYTES: usize = 64;

/// Longest path in bytes, as Linux has it.
const MAX_PATH_BYTES: usize = 4096;

/// Longest part of a wrong value that is shown.
const MAX_SHOWN_CHARS: usize = 60;

/// Why a value is refused.
pub(super) struct Problem {
    message: String,
    /// Whether the value may hold a secret and must not be shown.
    private: bool,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            private: false,
        }
    }

    pub(super) fn private(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            private: true,
        }
    }

    /// The whole message about this value.
    pub(super) fn about(self, value: &str) -> String {
        if self.private {
            return self.message;
        }
        let bare = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
        if !value.is_empty() && value.len() <= MAX_SHOWN_CHARS && value.chars().all(bare) {
            return format!("{}, got {value}", self.message);
        }
        let cut: String = value.chars().take(MAX_SHOWN_CHARS).collect();
        let dots = if cut.len() < value.len() { "..." } else { "" };
        format!("{}, got {cut:?}{dots}", self.message)
    }
}

/// Replaces variables in a value and parses it. Errors never show what a variable holds. Those
/// about a secret do not show the name either, which may be a part of the secret, unless the whole
/// value is one variable.
pub(super) fn read<T>(
    written: &str,
    is_secret: bool,
    environment: Environment<'_>,
    parse: impl FnOnce(&str) -> Result<T, Problem>,
) -> Result<T, String> {
    let value = interpolate(written, environment).map_err(|error| {
        match is_secret && !is_reference(written) {
            true => "expected every ${NAME} in it to be a variable that is set; write $${ for a \
                     literal ${"
                .to_owned(),
            false => error,
        }
    })?;
    parse(&value).map_err(|problem| match value != written && !problem.private {
        true => format!("{}, got the value of {written:?}", problem.message),
        false => problem.about(&value),
    })
}

/// Whether a text is a single `${NAME}` in upper case.
fn is_reference(text: &str) -> bool {
    let name = text
        .strip_prefix("${")
        .and_then(|text| text.strip_suffix('}'));
    name.is_some_and(|name| {
        let mut bytes = name.bytes();
        bytes.all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

/// An empty string means "not set".
pub(super) fn optional<T>(
    parse: impl Fn(&str) -> Result<T, Problem>,
) -> impl Fn(&str) -> Result<Option<T>, Problem> {
    move |text| match text {
        "" => Ok(None),
        _ => parse(text).map(Some),
    }
}

pub(super) fn name(text: &str) -> Result<String, Problem> {
    let usable = !text.trim().is_empty()
        && text.len() <= MAX_NAME_BYTES
        && !text.chars().any(char::is_control);
    usable
        .then(|| text.to_owned())
        .ok_or_else(|| Problem::new("expected a name of 1 to 64 bytes without control characters"))
}

/// A value that is sent in a header. Checked here, so that no request fails because of it.
pub(super) fn header(text: &str) -> Result<String, Problem> {
    let printable = text
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if text.is_empty() {
        Err(Problem::private("expected a value, got an empty one"))
    } else if !printable || text.trim() != text {
        Err(Problem::private(
            "expected printable ASCII characters only, without spaces around them",
        ))
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn secret(text: &str) -> Result<Secret, Problem> {
    header(text).map(Secret::new)
}

/// The path of a file. The error does not show the value: people paste the content of a file, such
/// as a private key, where its path belongs.
pub(super) fn path(text: &str) -> Result<String, Problem> {
    if text.is_empty() || text.len() > MAX_PATH_BYTES || text.contains(char::is_control) {
        return Err(Problem::private("expected the path of a file"));
    }
    if text.contains("-----BEGIN") {
        return Err(Problem::private(
            "expected the path of a file, got the content of one",
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn whole(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<u32, Problem> {
    move |text| in_range(text, &range, "a whole number")
}

/// Requests per second. The lower limit keeps the pause between two requests below 17 minutes.
pub(super) fn rate(text: &str) -> Result<f64, Problem> {
    in_range(text, &(0.001..=1000.0), "a number")
}

pub(super) fn share(text: &str) -> Result<f64, Problem> {
    in_range(text, &(0.0..=1.0), "a number")
}

fn in_range<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: &RangeInclusive<T>,
    kind: &str,
) -> Result<T, Problem> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (from, to) = (range.start(), range.end());
    number.ok_or_else(|| Problem::new(format!("expected {kind} from {from} to {to}")))
}

pub(super) fn boolean(text: &str) -> Result<bool, Problem> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::new("expected true or false")),
    }
}

pub(super) fn duration(
    range: RangeInclusive<Duration>,
) -> impl Fn(&str) -> Result<Duration, Problem> {
    move |text| {
        let duration = duration::parse(text).map_err(Problem::new)?;
        if range.contains(&duration) {
            return Ok(duration);
        }
        let [from, to] = [range.start(), range.end()].map(|end| duration::Display(*end));
        Err(Problem::new(format!(
            "expected a duration from {from} to {to}"
        )))
    }
}

/// A call type, by its label or the vendor's number.
pub(super) fn call_type(text: &str) -> Result<CallType, Problem> {
    match text {
        "voice" => Ok(CallType::VOICE),
        "text" => Ok(CallType::TEXT),
        _ => code(text)
            .map(CallType::from_number)
            .map_err(|_| Problem::new("expected voice, text or a number from 0 to 32767")),
    }
}

/// The vendor's number for a status.
pub(super) fn status(text: &str) -> Result<Status, Problem> {
    code(text).map(Status::from_number)
}

fn code(text: &str) -> Result<i64, Problem> {
    whole(0..=32767)(text).map(i64::from)
}

/// A result code of the vendor: a number or a word.
pub(super) fn result_code(text: &str) -> Result<String, Problem> {
    let usable = !text.is_empty()
        && text.len() <= MAX_NAME_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then(|| text.to_owned()).ok_or_else(|| {
        Problem::new("expected a code of 1 to 64 printable ASCII characters without spaces")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut() {
        let long = "价".repeat(1000);
        let message = Problem::new("expected less").about(&long);
        assert_eq!(
            message,
            format!("expected less, got \"{}\"...", "价".repeat(60))
        );
        assert_eq!(
            Problem::new("expected more").about(""),
            "expected more, got \"\""
        );
    }

    #[test]
    fn what_a_variable_holds_is_not_shown() {
        let environment = |_: &str| Some("hunter2".to_owned());
        let error = read("${N}", false, &environment, whole(1..=2)).unwrap_err();
        assert_eq!(
            error,
            "expected a whole number from 1 to 2, got the value of \"${N}\""
        );
        let error = read("$${N}", false, &environment, whole(1..=2)).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
