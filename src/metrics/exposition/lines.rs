//! The lines that both text formats are made of.

use std::fmt::{self, Display, Write};
use std::ops::Range;

use super::writer::Labels;

/// The lines so far. Writing to memory cannot fail, so the results of `write!` are dropped.
pub(super) struct Lines {
    out: Vec<u8>,
    /// Name of the family, without what its samples add to it.
    name: String,
    /// Where the labels of the series that is being written were last put.
    labels: Range<usize>,
}

impl Lines {
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self {
            out,
            name: String::new(),
            labels: 0..0,
        }
    }

    /// Begins a family with this name.
    pub(super) fn family(&mut self, name: &str) {
        self.name.clear();
        self.name.push_str(name);
    }

    /// A line `# WORD name text`.
    pub(super) fn meta(&mut self, word: &str, text: impl Display) {
        let _ = writeln!(Plain(&mut self.out), "# {word} {} {text}", self.name);
    }

    pub(super) fn raw(&mut self, text: impl Display) {
        let _ = write!(Plain(&mut self.out), "{text}");
    }

    /// Begins the first line of a series, up to its last label.
    pub(super) fn series(&mut self, suffix: &str, labels: &dyn Labels) {
        self.begin(suffix);
        let start = self.out.len();
        let out = &mut self.out;
        labels.each(&mut |name, value| {
            if out.len() > start {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            let _ = write!(Escaped(out), "{value}");
            out.push(b'"');
        });
        self.labels = start..self.out.len();
    }

    /// Begins another line of the same series: the labels are spelled already.
    pub(super) fn again(&mut self, suffix: &str) {
        self.begin(suffix);
        let start = self.out.len();
        self.out.extend_from_within(self.labels.clone());
        self.labels = start..self.out.len();
    }

    fn begin(&mut self, suffix: &str) {
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(suffix.as_bytes());
        self.out.push(b'{');
    }

    /// The label of a bucket.
    pub(super) fn bound(&mut self, bound: impl Display) {
        if !self.labels.is_empty() {
            self.out.push(b',');
        }
        let _ = write!(Plain(&mut self.out), "le=\"{bound}\"");
    }

    /// The value; what follows on the line is the caller's.
    pub(super) fn value(&mut self, value: impl Display) {
        if self.out.ends_with(b"{") {
            self.out.pop();
        } else {
            self.out.push(b'}');
        }
        let _ = write!(Plain(&mut self.out), " {value}");
    }

    pub(super) fn end(&mut self) {
        self.out.push(b'\n');
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Bytes that text is written to.
pub(super) struct Plain<'a>(pub(super) &'a mut Vec<u8>);

impl Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Escapes what is written as the value of a label.
struct Escaped<'a>(&'a mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().split_inclusive(|byte| is_special(*byte)) {
            match part.split_last() {
                Some((special, before)) if is_special(*special) => {
                    self.0.extend_from_slice(before);
                    let letter = if *special == b'\n' { b'n' } else { *special };
                    self.0.extend_from_slice(&[b'\\', letter]);
                }
                _ => self.0.extend_from_slice(part),
            }
        }
        Ok(())
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'\\' | b'"' | b'\n')
}
