//! YAML into derived structs, and every mistake into one line that says where it is.
//!
//! Values are read as `Spanned<String>`: the text as written (an operator's id has 19 digits and
//! may begin with zeros), which is checked once variables are filled in.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_path_to_error::{Path, Segment, Track};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error, Location, MessageFormatter, Options, Spanned, UserMessageFormatter};
use strsim::damerau_levenshtein;

use super::error::{ConfigError, Position};

/// A single value; `None` without the key, and for a key without a value.
pub(super) type Scalar = Option<Spanned<String>>;

/// A list of single values.
pub(super) type List = Option<Spanned<Vec<Spanned<String>>>>;

/// A mapping; without keys for a key without a value.
pub(super) fn or_default<'de, T, D>(yaml: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(yaml).map(Option::unwrap_or_default)
}

/// Where a value is written. For an alias that is its anchor, which is the place to edit.
pub(super) fn position<T>(value: &Spanned<T>) -> Option<Position> {
    place(value.defined)
}

fn place(location: Location) -> Option<Position> {
    let position = Position {
        line: location.line(),
        column: location.column(),
    };
    (location != Location::UNKNOWN).then_some(position)
}

/// Reads the text of a configuration file. `keys` says in a message which keys the file has.
///
/// An empty file is `None` for an optional `T`.
pub(super) fn parse<T: DeserializeOwned>(text: &str, keys: &str) -> Result<T, ConfigError> {
    let mut track = Track::new();
    serde_saphyr::with_deserializer_from_str_with_options(text, options(), |yaml| {
        T::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track))
    })
    .map_err(|error| describe(&error, &track.path(), text, keys))
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        // A snippet takes many lines and shows the neighbours of a mistake, secrets included.
        with_snippet: false,
        budget: serde_saphyr::budget! {
            // Room for the largest number of targets, each with every key.
            max_nodes: 1_000_000,
            max_events: 3_000_000,
            max_depth: 32,
            // Many targets may share one key. What aliases repeat has a limit of its own.
            enforce_alias_anchor_ratio: false,
        },
    }
}

/// Names what was expected, never what was found: that may be a secret.
fn describe(error: &Error, path: &Path, text: &str, keys: &str) -> ConfigError {
    if let Error::AliasError { error, .. } = error {
        return describe(error, path, text, keys);
    }
    let position = error.location().and_then(place);
    let path = key_path(path);
    let message = match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => unknown_key(field, expected),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            let message = match position.and_then(|second| first_line(text, key, second)) {
                Some(line) => format!("expected only once, but it is already on line {line}"),
                None => "expected only once".to_owned(),
            };
            return ConfigError::key(join(&path, key), message).at(position);
        }
        Error::Unexpected { expected, .. } if expected.contains("scalar") => {
            "expected a single value, not a list or a mapping".to_owned()
        }
        Error::NullIntoString { .. } => "expected a single value, got nothing".to_owned(),
        Error::TaggedScalarCannotDeserializeIntoString { .. } => {
            "expected a single value, got a tag that changes its type".to_owned()
        }
        Error::Unexpected { expected, .. } if expected.contains("sequence") => {
            "expected a list: [a, b], or a line with - for each entry".to_owned()
        }
        Error::Unexpected { .. } | Error::SerdeInvalidType { .. } if path.is_empty() => {
            format!("expected a mapping with keys such as {keys}")
        }
        Error::Unexpected { .. } | Error::SerdeInvalidType { .. } => {
            "expected a mapping".to_owned()
        }
        _ => return syntax_error(error, position, text),
    };
    ConfigError::key(path, message).at(position)
}

fn syntax_error(error: &Error, position: Option<Position>, text: &str) -> ConfigError {
    if let Some(tab) = position.and_then(|position| tab_near(text, position.line)) {
        let message = "not valid YAML: a tab in the indentation; expected spaces";
        return ConfigError::plain(message).at(Some(tab));
    }
    let message = UserMessageFormatter.format_message(error);
    let advice = advice(&message);
    ConfigError::plain(format!("not valid YAML: {message}{advice}")).at(position)
}

/// A tab in the indentation of the line of an error or of the next line: the parser may stop
/// before it gets there.
fn tab_near(text: &str, line: u64) -> Option<Position> {
    let first = usize::try_from(line.saturating_sub(1)).ok()?;
    text.lines()
        .zip(1..)
        .skip(first)
        .take(2)
        .find_map(|(text, line)| {
            let indent = &text[..text.len() - text.trim_start().len()];
            let column = indent.find('\t')? as u64 + 1;
            Some(Position { line, column })
        })
}

/// The likely cause of an error that the parser describes in its own terms.
fn advice(message: &str) -> &'static str {
    const INDENTATION: [&str; 6] = [
        "mapping values are not allowed",
        "did not find expected key",
        "expected '-' indicator",
        "simple key expected",
        "invalid indentation",
        "block sequence entries are not allowed",
    ];
    match INDENTATION.iter().any(|part| message.contains(part)) {
        true => {
            "; check the indentation of this line and the one before, and put a value that holds \
             a colon and a space in quotes"
        }
        false => "",
    }
}

/// The nearest line above with the same key in the same column. `None` in flow style.
fn first_line(text: &str, key: &str, second: Position) -> Option<u64> {
    let before = usize::try_from(second.column - 1).ok()?;
    let lines = text.lines().zip(1..second.line);
    let has_key = |line: &str| {
        let at = line.char_indices().nth(before).map(|(at, _)| &line[at..]);
        at.and_then(|rest| rest.strip_prefix(key))
            .is_some_and(|rest| rest.starts_with(':'))
    };
    lines
        .filter(|(line, _)| has_key(line))
        .last()
        .map(|(_, line)| line)
}

/// Names the key that was probably meant, or else all keys.
fn unknown_key(found: &str, known: &[&str]) -> String {
    let name = found.to_ascii_lowercase();
    // A third of the letters may be wrong: more would suggest unrelated keys.
    let most = (name.chars().count() / 3).max(1);
    let meant = (known.iter())
        .map(|known| {
            (
                damerau_levenshtein(&name, &known.to_ascii_lowercase()),
                known,
            )
        })
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance);
    match meant {
        Some((_, meant)) => format!("unknown key; did you mean `{meant}`?"),
        None => format!("unknown key; the keys here are {}", known.join(", ")),
    }
}

/// A path such as `targets[0].page_size`.
fn key_path(path: &Path) -> String {
    path.iter()
        .fold(String::new(), |path, segment| match segment {
            Segment::Seq { index } => format!("{path}[{index}]"),
            // The field of `Spanned` that holds the value, not a key of the file.
            Segment::Map { key } if key == "value" => path,
            // A secret in the place of a key: no key has more than one digit, but most secrets do.
            Segment::Map { key } if key.bytes().filter(u8::is_ascii_digit).count() > 1 => path,
            Segment::Map { key } => join(&path, key),
            Segment::Enum { .. } | Segment::Unknown => path,
        })
}

/// The path of a key. Text that does not look like a key is left out: without a space after the
/// colon, `app_secret:...` is a key, secret included.
pub(super) fn join(path: &str, key: &str) -> String {
    let is_key_char = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    match key.len() <= 64 && key.bytes().all(is_key_char) && !key.is_empty() {
        false => path.to_owned(),
        true if path.is_empty() => key.to_owned(),
        true => format!("{path}.{key}"),
    }
}

#[cfg(test)]
mod tests;
