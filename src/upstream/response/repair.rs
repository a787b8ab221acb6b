//! Repairs a body that is not quite JSON, so that an invalid value does not cost the page.
//!
//! Repairs only what needs no guessing: invalid tokens (`NaN`, a raw control character, a bad
//! escape, invalid UTF-8, a missing value) and extra commas. A row with misplaced tokens becomes a
//! string, which is rejected as a call. A truncated body stays invalid.

use std::hash::{DefaultHasher, Hash, Hasher};

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
        comma: None,
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
    empty: bool,
}

struct Repair<'a> {
    text: &'a str,
    position: usize,
    out: Vec<u8>,
    open: Vec<Open>,
    expected: Expected,
    /// Position in the output of a comma that nothing follows yet.
    comma: Option<usize>,
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
        if self.expected == Expected::Value {
            self.start_entry();
        } else {
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
            empty: true,
        });
        self.out.push(bracket);
        self.position += 1;
        self.expected = self.next_entry();
        Some(())
    }

    fn end(&mut self, bracket: u8) -> Option<()> {
        let is_empty_or_after_comma = self.comma.is_some() || self.open.last()?.empty;
        match self.expected {
            Expected::CommaOrEnd => {}
            Expected::Value if self.is_value_missing() => self.out.extend_from_slice(b"null"),
            Expected::Value | Expected::Key if is_empty_or_after_comma => {}
            _ => self.misplaced()?,
        }
        if let Some(comma) = self.comma.take() {
            self.out[comma] = b' ';
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
            Expected::CommaOrEnd => self.write_comma(),
            Expected::Value if self.is_value_missing() => {
                self.out.extend_from_slice(b"null");
                self.write_comma();
            }
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
        match self.expected {
            Expected::Key | Expected::Value => self.start_entry(),
            _ => self.misplaced()?,
        }
        self.out.push(b'"');
        self.position += 1;
        loop {
            let byte = self.peek()?;
            self.position += 1;
            match byte {
                b'"' => break,
                b'\\' => self.escape()?,
                // As a space: nothing grows by it.
                0..=0x1f => self.out.push(b' '),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
        self.expected = match self.expected {
            Expected::Key => Expected::Colon,
            _ => Expected::CommaOrEnd,
        };
        Some(())
    }

    /// After a backslash.
    fn escape(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.position..];
        match rest.first()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.out.extend_from_slice(&[b'\\', rest[0]]);
                self.position += 1;
            }
            b'u' => match code_unit(rest) {
                Some(0xd800..=0xdbff)
                    if rest.get(5) == Some(&b'\\')
                        && matches!(rest.get(6..).and_then(code_unit), Some(0xdc00..=0xdfff)) =>
                {
                    self.copy_escape(11);
                }
                Some(0xd800..=0xdfff) => {
                    self.out.extend_from_slice("\u{fffd}".as_bytes());
                    self.position += 5;
                }
                Some(_) => self.copy_escape(5),
                None => self.out.extend_from_slice(b"\\\\"),
            },
            // A literal backslash, such as in a Windows path.
            _ => self.out.extend_from_slice(b"\\\\"),
        }
        Some(())
    }

    fn copy_escape(&mut self, length: usize) {
        let escape = &self.text.as_bytes()[self.position - 1..self.position + length];
        self.out.extend_from_slice(escape);
        self.position += length;
    }

    /// A number or literal, valid or not.
    fn word(&mut self) -> Option<()> {
        let rest = &self.text[self.position..];
        let is_end = |byte: u8| byte <= b' ' || b"{}[]:,\"".contains(&byte);
        let length = rest.bytes().position(is_end).unwrap_or(rest.len());
        let word = &rest.as_bytes()[..length];
        self.position += length;
        if self.expected != Expected::Value {
            return self.misplaced();
        }
        self.start_entry();
        let literals = [&b"null"[..], b"true", b"false"];
        let mut literals = literals.iter();
        if let Some(literal) = literals.find(|literal| word.eq_ignore_ascii_case(literal)) {
            // Python writes `True`.
            self.out.extend_from_slice(literal);
        } else if is_json_number(word) {
            self.out.extend_from_slice(word);
        } else if word.iter().all(|byte| b"0123456789+-.eE".contains(byte)) {
            // `.5`, `+5` and `007` can be parsed from a string.
            self.out.push(b'"');
            self.out.extend_from_slice(word);
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(PLACEHOLDER);
        }
        self.expected = Expected::CommaOrEnd;
        Some(())
    }

    /// Marks the current row as broken; outside of rows the body cannot be repaired.
    fn misplaced(&mut self) -> Option<()> {
        let row = self.open.iter_mut().rfind(|open| open.row.is_some())?;
        row.broken = true;
        self.comma = None;
        self.expected = Expected::CommaOrEnd;
        Some(())
    }

    /// Whether a colon has no value.
    fn is_value_missing(&self) -> bool {
        self.expected == Expected::Value
            && self.comma.is_none()
            && self.open.last().is_some_and(|open| open.bracket == b'{')
    }

    fn next_entry(&self) -> Expected {
        match self.open.last().map(|open| open.bracket) {
            Some(b'{') => Expected::Key,
            _ => Expected::Value,
        }
    }

    fn write_comma(&mut self) {
        self.comma = Some(self.out.len());
        self.out.push(b',');
    }

    fn start_entry(&mut self) {
        self.comma = None;
        if let Some(open) = self.open.last_mut() {
            open.empty = false;
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

/// Parses `uXXXX`.
fn code_unit(rest: &[u8]) -> Option<u16> {
    let digits = rest.strip_prefix(b"u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

fn is_json_number(word: &[u8]) -> bool {
    let digits = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = word.strip_prefix(b"-").unwrap_or(word);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests;
