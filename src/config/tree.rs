//! YAML as a tree of nodes that know where they stand.
//!
//! A tree and not derived structs, because messages need the path of a key, numbers their digits
//! as written (an operator's id has 19 of them and may begin with zeros), and variables have to be
//! put in before a value is judged.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::error::{ConfigError, Position};

/// A value and its place.
#[derive(Deserialize)]
#[serde(from = "Spanned<Value>")]
pub(super) struct Node {
    /// Where it begins.
    pub(super) position: Option<Position>,
    /// What it is.
    pub(super) value: Value,
    /// The bytes of the file that it is made of.
    span: std::ops::Range<usize>,
}

/// What a node holds.
pub(super) enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// A number or a boolean; its text is read from the file.
    Literal,
    /// A string.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the file's order; keys may still occur twice.
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// What it is called in a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Literal | Self::Text(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// A key of a mapping and its place.
#[derive(Deserialize)]
#[serde(from = "Spanned<String>")]
pub(super) struct Key {
    /// Where it begins.
    pub(super) position: Option<Position>,
    /// Its text.
    pub(super) name: String,
}

/// Where a node is defined: with an alias or a merge the place to mend is the definition.
fn position(location: Location) -> Option<Position> {
    let position = Position {
        line: location.line(),
        column: location.column(),
    };
    (location != Location::UNKNOWN).then_some(position)
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        let span = spanned.defined.span();
        let start = span.byte_offset().unwrap_or(0) as usize;
        let end = start + span.byte_len().unwrap_or(0) as usize;
        Self {
            position: position(spanned.defined),
            value: spanned.value,
            span: start..end,
        }
    }
}

impl From<Spanned<String>> for Key {
    fn from(spanned: Spanned<String>) -> Self {
        Self {
            position: position(spanned.defined),
            name: spanned.value,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Literal)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Literal)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Literal)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value, E> {
        Ok(Value::Literal)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(Value::Literal)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Literal)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = access.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = access.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

impl Node {
    /// The text of a single value as it was written; `None` for anything else.
    ///
    /// A number under an explicit tag and in quotes (`!!int "7"`) has no text of its own.
    pub(super) fn text<'a>(&'a self, file: &'a str) -> Option<Cow<'a, str>> {
        match &self.value {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Literal => file
                .get(self.span.clone())
                .map(str::trim_end)
                .filter(|text| !text.is_empty() && !text.starts_with(['"', '\'', '|', '>', '!']))
                .map(Cow::Borrowed),
            _ => None,
        }
    }
}

/// Reads the text of a configuration file.
pub(super) fn parse(text: &str) -> Result<Node, ConfigError> {
    let options = serde_saphyr::options! {
        // Reported by whoever walks the tree, with the path of the key.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // `yes` and `on` may well be the name of something.
        strict_booleans: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        // A snippet would need many lines and show what stands around the mistake, secrets too.
        with_snippet: false,
        budget: serde_saphyr::budget! {
            // Room for the largest number of targets, each with every key.
            max_nodes: 1_000_000,
            max_events: 3_000_000,
            max_depth: 32,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let position = error.location().and_then(position);
        if let Some(tab) = position.and_then(|position| tab_near(text, position.line)) {
            let message = "not valid YAML: a tab in the indentation; expected spaces";
            return ConfigError::plain(message).at(Some(tab));
        }
        let message = UserMessageFormatter.format_message(&error);
        let advice = advice(&message);
        ConfigError::plain(format!("not valid YAML: {message}{advice}")).at(position)
    })
}

/// A tab that indents the line of an error or the next one: the parser finds out in front of it.
fn tab_near(text: &str, line: u64) -> Option<Position> {
    let first = usize::try_from(line.saturating_sub(1)).ok()?;
    let lines = text.lines().zip(1..).skip(first).take(2);
    lines.into_iter().find_map(|(text, line)| {
        let indent = text
            .find(|c: char| !c.is_whitespace())
            .unwrap_or(text.len());
        let column = text[..indent].find('\t')? as u64 + 1;
        Some(Position { line, column })
    })
}

/// What is most likely meant by a message that speaks of the parser's own trade.
fn advice(message: &str) -> &'static str {
    const OF_INDENTATION: [&str; 6] = [
        "mapping values are not allowed",
        "did not find expected key",
        "expected '-' indicator",
        "simple key expected",
        "invalid indentation",
        "block sequence entries are not allowed",
    ];
    match OF_INDENTATION.iter().any(|part| message.contains(part)) {
        true => {
            "; check the indentation of this line and the one before, and put a value that holds \
             a colon and a space in quotes"
        }
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(node: &Node, file: &str, out: &mut String) {
        use std::fmt::Write as _;
        let at = node.position.unwrap();
        write!(out, "{}:{} ", at.line, at.column).unwrap();
        match &node.value {
            Value::Null => out.push_str("null;"),
            Value::Literal | Value::Text(_) => write!(out, "{:?};", node.text(file)).unwrap(),
            Value::List(list) => {
                out.push_str("[ ");
                list.iter().for_each(|node| dump(node, file, out));
                out.push(']');
            }
            Value::Map(map) => {
                out.push_str("{ ");
                for (key, node) in map {
                    let at = key.position.unwrap();
                    write!(out, "{}:{} {}=", at.line, at.column, key.name).unwrap();
                    dump(node, file, out);
                }
                out.push('}');
            }
        }
    }

    fn dumped(file: &str) -> String {
        let mut out = String::new();
        dump(&parse(file).unwrap(), file, &mut out);
        out
    }

    #[test]
    fn values_keep_the_text_that_was_written() {
        for written in [
            "1",
            "1611917095665261978",
            "161191709566526197812345678901234567890123456789",
            "0012",
            "1.10",
            "-7",
            "0x1f",
            "1_000",
            ".inf",
            "1e999",
            "true",
            "yes",
            "1h30m",
        ] {
            for after in ["", "\n", " # comment\n", "\r\nb: 2\r\n"] {
                let file = format!("a: {written}{after}");
                let expected = format!("1:1 {{ 1:1 a=1:4 Some({written:?});");
                assert!(
                    dumped(&file).starts_with(&expected),
                    "{file:?} {}",
                    dumped(&file)
                );
            }
        }
        assert_eq!(
            dumped("[ 'a',\"b\", ~]"),
            r#"1:1 [ 1:3 Some("a");1:7 Some("b");1:12 null;]"#
        );
        assert_eq!(dumped("\u{feff}a: 1\n"), r#"1:1 { 1:1 a=1:4 Some("1");}"#);
    }

    #[test]
    fn an_explicit_tag_does_not_change_a_text_unseen() {
        let tree = r#"1:1 [ 1:8 Some("8");1:17 Some("9");1:26 None;]"#;
        assert_eq!(dumped("[!!str 8, !!int 9, !!int '7']"), tree);
    }

    #[test]
    fn aliases_and_merges_stand_where_they_are_defined() {
        let tree = r#"1:1 { 1:1 a=1:7 { 1:8 q=1:11 Some("007");}2:1 b=3:3 { 4:3 r=4:6 Some("2");1:8 q=1:11 Some("007");}}"#;
        assert_eq!(dumped("a: &m {q: 007}\nb:\n  <<: *m\n  r: 2\n"), tree);
        let tree = r#"1:1 { 1:1 价=1:7 Some("17");2:1 c=1:7 Some("17");}"#;
        assert_eq!(dumped("价: &b 17\nc: *b\n"), tree);
    }

    #[test]
    fn a_syntax_error_shows_no_secret() {
        for (file, expected) in [
            (
                "a: *hunter2\n",
                "1:4: not valid YAML: reference to unknown value",
            ),
            ("a: !!int hunter2\n", "1:10: not valid YAML: invalid u64"),
            ("a: \"hunter2\n", "1:4: not valid YAML: unclosed quote"),
            (
                "a: 'hunter2' hunter2\n",
                "1:14: not valid YAML: invalid trailing content after single-quoted scalar",
            ),
            (
                "a: b: hunter2\n",
                "1:5: not valid YAML: mapping values are not allowed in this context; check the \
                 indentation of this line and the one before, and put a value that holds a colon \
                 and a space in quotes",
            ),
            (
                "a: !h!hunter2 b\n",
                "1:4: not valid YAML: the handle wasn't declared",
            ),
        ] {
            let error = parse(file)
                .err()
                .unwrap()
                .in_file(std::path::Path::new("f"));
            assert_eq!(error.to_string(), format!("f:{expected}"), "{file:?}");
        }
    }

    #[test]
    fn a_wrong_indentation_is_called_that() {
        let at = |file: &str| {
            let error = parse(file).err().unwrap();
            error.in_file(std::path::Path::new("f")).to_string()
        };
        for (file, line) in [
            ("targets:\n  - name: a\n\tendpoint: b\n", 3),
            ("targets:\n\t- name: a\n", 2),
            ("targets:\n  - name: a\n  \tendpoint: b\n", 3),
        ] {
            let error = at(file);
            assert!(
                error.starts_with(&format!("f:{line}:")),
                "{file:?}: {error}"
            );
            assert!(
                error.contains("a tab in the indentation; expected spaces"),
                "{error}"
            );
        }
        for file in [
            "targets:\n  - name: a\n     endpoint: b\n",
            "targets:\n  - name: a\n   endpoint: b\n",
            "defaults:\n  page_size: 7\n targets: []\n",
        ] {
            let error = at(file);
            assert!(
                error.contains("; check the indentation of this line"),
                "{file:?}: {error}"
            );
        }
    }

    #[test]
    fn an_alias_bomb_is_an_error() {
        let mut file = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..10 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(",");
            file.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
        }
        assert!(parse(&file).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
