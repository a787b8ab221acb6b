//! Repairs a body that is not quite JSON, so that an invalid value does not cost the page.
//!
//! Repairs only what needs no guessing: invalid tokens (`NaN`, a raw control character, a bad
//! escape, invalid UTF-8, a missing value) and extra commas. A row with misplaced tokens becomes a
//! string, which is rejected as a call. A truncated body stays invalid.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::IgnoredAny;
use serde_json::from_str;

const MAX_DEPTH: usize = 128;
/// The brackets around a call: response, `data`, call group, `calls`.
const BRACKETS_AROUND_ROW: &[u8] = b"{[{[";
/// Keys that a row contains once. Text with two of them is several rows, whose boundary an extra
/// quotation mark hides.
const UNIQUE_KEYS: [&str; 3] = ["\"call_uuid\"", "\"call_id\"", "\"upload_time\""];
/// Replaces a bare word; not valid as an identity, time or measure.
const PLACEHOLDER: &[u8] = b"false";

/// Returns valid JSON, or `None` if the body cannot be repaired.
pub(super) fn repair(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut repair = Repair {
        text,
        position: 0,
        out: Vec::with_capacity(text.len()),
        open: Vec::new(),
        expected: Expected::Value,
    };
    while let Some(byte) = repair.peek() {
        repair.token(byte)?;
    }
    match repair.expected {
        Expected::Nothing => String::from_utf8(repair.out).ok(),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    Key,
    Colon,
    CommaOrEnd,
    /// The value is complete.
    Nothing,
}

/// An object or array that is not closed yet.
struct Open {
    bracket: u8,
    /// For a row: its start in the input and in the output.
    row: Option<(usize, usize)>,
    /// It has misplaced tokens.
    broken: bool,
}

struct Repair<'a> {
    text: &'a str,
    position: usize,
    out: Vec<u8>,
    open: Vec<Open>,
    expected: Expected,
}

impl Repair<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn token(&mut self, byte: u8) -> Option<()> {
        match byte {
            0..=b' ' | 0x7f => {
                // Kept, so that a row's text does not depend on whether its page was repaired.
                let is_json = b" \t\r\n".contains(&byte);
                self.out.push(if is_json { byte } else { b' ' });
                self.position += 1;
                Some(())
            }
            b'{' | b'[' => self.begin(byte),
            b'}' | b']' => self.end(byte),
            b',' => self.separator(),
            b':' => self.colon(),
            b'"' => self.string(),
            _ => self.word(),
        }
    }

    fn begin(&mut self, bracket: u8) -> Option<()> {
        if self.expected != Expected::Value {
            self.misplaced()?;
        }
        if self.open.len() >= MAX_DEPTH {
            return None;
        }
        let enclosing = self.open.iter().map(|open| open.bracket);
        let is_row = bracket == b'{' && enclosing.eq(BRACKETS_AROUND_ROW.iter().copied());
        self.open.push(Open {
            bracket,
            row: is_row.then_some((self.position, self.out.len())),
            broken: false,
        });
        self.out.push(bracket);
        self.position += 1;
        self.expected = self.next_entry();
        Some(())
    }

    fn end(&mut self, bracket: u8) -> Option<()> {
        match self.expected {
            Expected::Value if self.is_in_object() => self.out.extend_from_slice(b"null"),
            // Nothing yet, or a comma before.
            Expected::Value | Expected::Key | Expected::CommaOrEnd => {}
            Expected::Colon | Expected::Nothing => self.misplaced()?,
        }
        let mut written = self.out.iter_mut().rev();
        if let Some(comma @ b',') = written.find(|byte| !byte.is_ascii_whitespace()) {
            *comma = b' ';
        }
        let open = self.open.pop()?;
        // In ASCII, each closing bracket is its opening one plus 2.
        if open.bracket + 2 != bracket {
            return None;
        }
        self.position += 1;
        self.out.push(bracket);
        if let (true, Some((start, out_start))) = (open.broken, open.row) {
            self.out.truncate(out_start);
            self.write_unreadable(&self.text[start..self.position])?;
        }
        self.expected = match self.open.is_empty() {
            true => Expected::Nothing,
            false => Expected::CommaOrEnd,
        };
        Some(())
    }

    fn separator(&mut self) -> Option<()> {
        match self.expected {
            Expected::CommaOrEnd => self.out.push(b','),
            Expected::Value if self.is_in_object() => self.out.extend_from_slice(b"null,"),
            // An extra comma.
            Expected::Value | Expected::Key if !self.open.is_empty() => {}
            _ => self.misplaced()?,
        }
        self.position += 1;
        self.expected = self.next_entry();
        Some(())
    }

    fn colon(&mut self) -> Option<()> {
        if self.expected == Expected::Colon {
            self.out.push(b':');
            self.expected = Expected::Value;
        } else {
            self.misplaced()?;
        }
        self.position += 1;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        if !matches!(self.expected, Expected::Key | Expected::Value) {
            self.misplaced()?;
        }
        self.out.push(b'"');
        self.position += 1;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    self.escape();
                    continue;
                }
                // As a space: nothing grows by it.
                0..=0x1f => self.out.push(b' '),
                byte => self.out.push(byte),
            }
            self.position += 1;
        }
        self.position += 1;
        self.out.push(b'"');
        self.expected = match self.expected {
            Expected::Key => Expected::Colon,
            _ => Expected::CommaOrEnd,
        };
        Some(())
    }

    /// At a backslash.
    fn escape(&mut self) {
        let rest = &self.text[self.position..];
        let is_valid = |length: &usize| {
            let escape = rest.get(..*length);
            escape.is_some_and(|escape| from_str::<String>(&format!("\"{escape}\"")).is_ok())
        };
        let code_unit = || u16::from_str_radix(rest.strip_prefix("\\u")?.get(..4)?, 16).ok();
        // Such as `\n`, `\u0041`, and two surrogates.
        let (replacement, length) = match [2, 6, 12].iter().find(|length| is_valid(length)) {
            Some(length) => (&rest[..*length], *length),
            None if matches!(code_unit(), Some(0xd800..=0xdfff)) => ("\u{fffd}", 6),
            // A literal backslash, such as in a Windows path.
            None => ("\\\\", 1),
        };
        self.out.extend_from_slice(replacement.as_bytes());
        self.position += length;
    }

    /// A number or literal, valid or not.
    fn word(&mut self) -> Option<()> {
        let rest = &self.text[self.position..];
        let is_end = |byte: u8| byte <= b' ' || b"{}[]:,\"".contains(&byte);
        let length = rest.bytes().position(is_end).unwrap_or(rest.len());
        let text = &rest[..length];
        self.position += length;
        if self.expected != Expected::Value {
            return self.misplaced();
        }
        let lower = text.to_ascii_lowercase();
        let is_of_number = |byte| b"0123456789+-.eE".contains(&byte);
        let valid = match &*lower {
            // Python writes `True`.
            "null" | "true" | "false" => lower.into_bytes(),
            _ if from_str::<IgnoredAny>(text).is_ok() => text.into(),
            // `.5`, `+5` and `007` can be parsed from a string.
            _ if text.bytes().all(is_of_number) => format!("\"{text}\"").into(),
            _ => PLACEHOLDER.to_vec(),
        };
        self.out.extend_from_slice(&valid);
        self.expected = Expected::CommaOrEnd;
        Some(())
    }

    /// Marks the current row as broken; outside of rows the body cannot be repaired.
    fn misplaced(&mut self) -> Option<()> {
        let row = self.open.iter_mut().rfind(|open| open.row.is_some())?;
        row.broken = true;
        self.expected = Expected::CommaOrEnd;
        Some(())
    }

    /// In an object a value is only expected after a colon.
    fn is_in_object(&self) -> bool {
        self.open.last().is_some_and(|open| open.bracket == b'{')
    }

    fn next_entry(&self) -> Expected {
        match self.is_in_object() {
            true => Expected::Key,
            false => Expected::Value,
        }
    }

    /// Writes a broken row as a string that is the same each time.
    fn write_unreadable(&mut self, row: &str) -> Option<()> {
        if UNIQUE_KEYS.iter().any(|key| row.matches(key).count() > 1) {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        let text = format!("\"unreadable {:016x}\"", hasher.finish());
        self.out.extend_from_slice(text.as_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests;
