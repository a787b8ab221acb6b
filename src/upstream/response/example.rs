//! Describes unusable rows by names and types of their fields, since the values are personal data.

use std::borrow::Cow;

use super::envelope::Fields;
use super::lenient::Lenient;
use crate::model::is_identifier;

const MAX_FIELDS: usize = 12;
/// Characters of a field's name or a time.
const MAX_CHARS: usize = 32;

/// A group without a list of calls.
pub(super) fn bad_group(group: &str) -> String {
    let fields = fields(group);
    if fields.contains_key("call_uuid") || fields.contains_key("call_id") {
        return "data is a list of calls, not of call groups with a list `calls`".to_owned();
    }
    format!("a call group without a list `calls` is {}", shape(group))
}

/// An element of `calls` that is not an object.
pub(super) fn bad_row(row: &str) -> String {
    match row.starts_with("\"unreadable ") {
        true => "a call is not JSON".to_owned(),
        false => format!("a call is {}", shape(row)),
    }
}

pub(super) fn no_identity(row: &str) -> String {
    format!(
        "a call has neither call_uuid nor call_id: it is {}",
        shape(row)
    )
}

/// An unusable upload time. It is quoted, since a time is not personal data.
pub(super) fn bad_time(time: &Lenient<'_>) -> String {
    let text = match time {
        Lenient::Null => return "a call has no upload_time".to_owned(),
        Lenient::Other => return "upload_time is not a number".to_owned(),
        Lenient::Integer(number) => Cow::from(number.to_string()),
        Lenient::Text(text) => Cow::from(text.trim()),
    };
    let is_time = |c: char| c.is_ascii_digit() || "+-:./TZe ".contains(c);
    if text.is_empty() || text.len() > MAX_CHARS || !text.chars().all(is_time) {
        return "upload_time is a string, not a number".to_owned();
    }
    let hint = match text.parse::<f64>() {
        Ok(number) if (1e12..1e14).contains(&number) => ": milliseconds?",
        Ok(_) => "",
        Err(_) => ": a date?",
    };
    format!("upload_time is {text}{hint} (expected seconds since 1970)")
}

/// The type of a value; for an object, also its fields and their types.
fn shape(text: &str) -> String {
    if !text.starts_with('{') {
        return kind(text).to_owned();
    }
    let fields = fields(text);
    if fields.is_empty() {
        return "an object without fields".to_owned();
    }
    let mut shown: Vec<String> = fields
        .iter()
        .take(MAX_FIELDS)
        .map(|(name, value)| format!("{name} ({})", kind(value.get())))
        .collect();
    if fields.len() > MAX_FIELDS {
        shown.push(format!("{} more", fields.len() - MAX_FIELDS));
    }
    format!("an object with {}", shown.join(", "))
}

/// The fields of an object. Skips names that do not look like names: they may be values.
fn fields(object: &str) -> Fields<'_> {
    let mut fields: Fields<'_> = serde_json::from_str(object).unwrap_or_default();
    fields.retain(|name, _| name.len() <= MAX_CHARS && is_identifier(name));
    fields
}

fn kind(value: &str) -> &'static str {
    match value.as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "list",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_are_quoted_and_values_are_not() {
        let row = r#"{"staff_name":"Wang Fang","staff_id":7,"tags":[],"Wang Fang":1,"x":null}"#;
        assert_eq!(
            no_identity(row),
            "a call has neither call_uuid nor call_id: it is an object with staff_id (number), \
             staff_name (string), tags (list), x (null)"
        );
        assert_eq!(bad_row("[\"Wang Fang\"]"), "a call is list");
        assert_eq!(
            bad_group(r#"{"group":"Wang"}"#),
            "a call group without a list `calls` is an object with group (string)"
        );
        let flat = bad_group(r#"{"call_uuid":"a","upload_time":5}"#);
        assert!(flat.starts_with("data is a list of calls"), "{flat}");
    }

    #[test]
    fn a_time_is_quoted_with_a_hint() {
        let text = |text: &'static str| Lenient::Text(text.into());
        for (time, expected) in [
            (
                Lenient::Integer(1_622_633_782_000),
                "is 1622633782000: milliseconds?",
            ),
            (text("1622633782000"), "is 1622633782000: milliseconds?"),
            (
                text("2021-06-02T11:36:22+08:00"),
                "is 2021-06-02T11:36:22+08:00: a date?",
            ),
            (
                text("2021-06-02 11:36:22"),
                "is 2021-06-02 11:36:22: a date?",
            ),
            (Lenient::Integer(0), "is 0 (expected"),
            (text("Wang Fang"), "is a string"),
            (Lenient::Null, "has no upload_time"),
            (Lenient::Other, "is not a number"),
        ] {
            let example = bad_time(&time);
            assert!(example.contains(expected), "{example}");
        }
    }
}
