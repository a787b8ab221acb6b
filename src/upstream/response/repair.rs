//! Makes JSON of a body that is not quite JSON, so that one bad value costs only itself.
//!
//! Only what can be repaired without guessing is: a token that is no JSON (`NaN`, a raw control
//! character, a bad escape, broken UTF-8, a missing value) and a comma too many. A row whose tokens
//! do not fit together becomes a string, which no call is. A body that was cut short stays so.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 128;
/// What encloses a call: the answer, `data`, a call group, `calls`.
const ABOVE_A_ROW: &[u8] = b"{[{[";
/// Keys that a row has once. One that shows them twice is several rows between which a quotation
/// mark too many hides the border.
const ONCE_A_ROW: [&str; 3] = ["\"call_uuid\"", "\"call_id\"", "\"upload_time\""];
/// Takes the place of a bare word: no identity, no time, no measure.
const NO_VALUE: &[u8] = b"false";

/// The body as JSON; `None` where that cannot be told.
pub(super) fn repair(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut repair = Repair {
        text,
        at: 0,
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

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Value,
    Key,
    Colon,
    CommaOrEnd,
    /// The answer is complete.
    Nothing,
}

/// An object or a list that has begun.
struct Open {
    bracket: u8,
    /// Where a row begins, in the text and in what was made of it.
    row: Option<(usize, usize)>,
    /// Its tokens do not fit together.
    broken: bool,
    /// Nothing has come in it yet.
    empty: bool,
}

struct Repair<'a> {
    text: &'a str,
    at: usize,
    out: Vec<u8>,
    open: Vec<Open>,
    expected: Expected,
    /// Where a comma was written that nothing has followed yet.
    comma: Option<usize>,
}

impl Repair<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn token(&mut self, byte: u8) -> Option<()> {
        match byte {
            0..=b' ' | 0x7f => {
                // Kept, so that a row has the same text whether the page needed repair or not.
                let is_json = b" \t\r\n".contains(&byte);
                self.out.push(if is_json { byte } else { b' ' });
                self.at += 1;
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
            self.begin_entry();
        } else {
            self.broken()?;
        }
        if self.open.len() >= MAX_DEPTH {
            return None;
        }
        let above = self.open.iter().map(|open| open.bracket);
        let is_row = bracket == b'{' && above.eq(ABOVE_A_ROW.iter().copied());
        self.open.push(Open {
            bracket,
            row: is_row.then_some((self.at, self.out.len())),
            broken: false,
            empty: true,
        });
        self.out.push(bracket);
        self.at += 1;
        self.expected = self.next_entry();
        Some(())
    }

    fn end(&mut self, bracket: u8) -> Option<()> {
        let is_entry_due = self.comma.is_some() || self.open.last()?.empty;
        match self.expected {
            Expected::CommaOrEnd => {}
            Expected::Value if self.is_value_missing() => self.out.extend_from_slice(b"null"),
            Expected::Value | Expected::Key if is_entry_due => {}
            _ => self.broken()?,
        }
        if let Some(comma) = self.comma.take() {
            self.out[comma] = b' ';
        }
        let open = self.open.pop()?;
        // The brackets' codes are two apart.
        if open.bracket + 2 != bracket {
            return None;
        }
        self.at += 1;
        self.out.push(bracket);
        if let (true, Some((from, start))) = (open.broken, open.row) {
            self.out.truncate(start);
            self.write_unreadable(&self.text[from..self.at])?;
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
            // One too many.
            Expected::Value | Expected::Key if !self.open.is_empty() => {}
            _ => self.broken()?,
        }
        self.at += 1;
        self.expected = self.next_entry();
        Some(())
    }

    fn colon(&mut self) -> Option<()> {
        if self.expected == Expected::Colon {
            self.out.push(b':');
            self.expected = Expected::Value;
        } else {
            self.broken()?;
        }
        self.at += 1;
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        match self.expected {
            Expected::Key | Expected::Value => self.begin_entry(),
            _ => self.broken()?,
        }
        self.out.push(b'"');
        self.at += 1;
        loop {
            let byte = self.peek()?;
            self.at += 1;
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

    /// What follows a backslash.
    fn escape(&mut self) -> Option<()> {
        let rest = &self.text.as_bytes()[self.at..];
        match rest.first()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.out.extend_from_slice(&[b'\\', rest[0]]);
                self.at += 1;
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
                    self.at += 5;
                }
                Some(_) => self.copy_escape(5),
                None => self.out.extend_from_slice(b"\\\\"),
            },
            // A backslash that stands for itself, as in a path of Windows.
            _ => self.out.extend_from_slice(b"\\\\"),
        }
        Some(())
    }

    fn copy_escape(&mut self, length: usize) {
        let escape = &self.text.as_bytes()[self.at - 1..self.at + length];
        self.out.extend_from_slice(escape);
        self.at += length;
    }

    /// A number, a literal, or what should have been one.
    fn word(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        let ends = |byte: u8| byte <= b' ' || b"{}[]:,\"".contains(&byte);
        let length = rest.bytes().position(ends).unwrap_or(rest.len());
        let word = &rest.as_bytes()[..length];
        self.at += length;
        if self.expected != Expected::Value {
            return self.broken();
        }
        self.begin_entry();
        if matches!(word, b"null" | b"true" | b"false") || is_number(word) {
            self.out.extend_from_slice(word);
        } else if word.iter().all(|byte| b"0123456789+-.eE".contains(byte)) {
            // `.5`, `+5` and `007` are numbers to those who read strings as numbers.
            self.out.push(b'"');
            self.out.extend_from_slice(word);
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(NO_VALUE);
        }
        self.expected = Expected::CommaOrEnd;
        Some(())
    }

    /// A token that does not fit spoils the row that it is in; elsewhere it cannot be helped.
    fn broken(&mut self) -> Option<()> {
        let row = self.open.iter_mut().rfind(|open| open.row.is_some())?;
        row.broken = true;
        self.comma = None;
        self.expected = Expected::CommaOrEnd;
        Some(())
    }

    /// After a colon without a value.
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

    /// Something follows the comma, if there was one.
    fn begin_entry(&mut self) {
        self.comma = None;
        if let Some(open) = self.open.last_mut() {
            open.empty = false;
        }
    }

    /// A row that cannot be read, as a string that is the same in each reading.
    fn write_unreadable(&mut self, row: &str) -> Option<()> {
        if ONCE_A_ROW.iter().any(|key| row.matches(key).count() > 1) {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        let text = format!("\"unreadable {:016x}\"", hasher.finish());
        self.out.extend_from_slice(text.as_bytes());
        Some(())
    }
}

/// The code unit of `uXXXX`.
fn code_unit(rest: &[u8]) -> Option<u16> {
    let digits = rest.strip_prefix(b"u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// Whether this is a number as JSON writes them.
fn is_number(word: &[u8]) -> bool {
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
