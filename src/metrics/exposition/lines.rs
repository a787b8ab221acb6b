//! The line syntax that both text formats share.

use std::fmt::{self, Display, Write};
use std::io;
use std::ops::Range;

use super::output::Output;
use super::writer::Labels;

/// The lines written last. Writing to memory cannot fail, so the results of `write!` are ignored.
pub(super) struct Lines<'a> {
    out: Output<'a>,
    /// Name of the family, without suffixes such as `_bucket`.
    name: String,
    /// Position in `out` of the labels of the current series.
    labels: Range<usize>,
    /// The bounds of this family's buckets as text: the same for all its series.
    bounds: Vec<String>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(out: Output<'a>) -> Self {
        Self {
            out,
            name: String::new(),
            labels: 0..0,
            bounds: Vec::new(),
        }
    }

    pub(super) fn start_family(&mut self, name: &str) {
        self.name.clear();
        self.name.push_str(name);
        self.bounds.clear();
    }

    /// Writes a line `# KEYWORD name text`.
    pub(super) fn metadata(&mut self, keyword: &str, text: &str) {
        let _ = writeln!(
            Plain(&mut self.out.buffer),
            "# {keyword} {} {text}",
            self.name
        );
    }

    pub(super) fn raw(&mut self, text: impl Display) {
        let _ = write!(Plain(&mut self.out.buffer), "{text}");
    }

    /// Starts the first line of a series, up to its last label.
    pub(super) fn start_series(&mut self, suffix: &str, labels: &dyn Labels) {
        self.out.pass_on();
        self.start_line(suffix);
        let start = self.out.buffer.len();
        let out = &mut self.out.buffer;
        labels.for_each(&mut |name, value| {
            if out.len() > start {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            let _ = write!(Escaped(out), "{value}");
            out.push(b'"');
        });
        self.labels = start..self.out.buffer.len();
    }

    /// Starts another line of the same series, with a copy of its labels.
    pub(super) fn continue_series(&mut self, suffix: &str) {
        self.start_line(suffix);
        let start = self.out.buffer.len();
        self.out.buffer.extend_from_within(self.labels.clone());
        self.labels = start..self.out.buffer.len();
    }

    fn start_line(&mut self, suffix: &str) {
        self.out.buffer.extend_from_slice(self.name.as_bytes());
        self.out.buffer.extend_from_slice(suffix.as_bytes());
        self.out.buffer.push(b'{');
    }

    /// Adds the label `le` of the bucket at `index`. Series of a family have the same bounds.
    pub(super) fn le_label(&mut self, index: usize, bound: impl Display) {
        if !self.labels.is_empty() {
            self.out.buffer.push(b',');
        }
        if index >= self.bounds.len() {
            self.bounds.push(format!("le=\"{bound}\""));
        }
        self.out
            .buffer
            .extend_from_slice(self.bounds[index].as_bytes());
    }

    /// Ends the labels and writes the value. An exemplar may follow.
    pub(super) fn value(&mut self, value: impl Display) {
        if self.out.buffer.ends_with(b"{") {
            self.out.buffer.pop();
        } else {
            self.out.buffer.push(b'}');
        }
        let _ = write!(Plain(&mut self.out.buffer), " {value}");
    }

    pub(super) fn end_line(&mut self, value: impl Display) {
        self.value(value);
        self.newline();
    }

    pub(super) fn newline(&mut self) {
        self.out.buffer.push(b'\n');
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.out.finish()
    }
}

/// Writes text as it is.
pub(super) struct Plain<'a>(pub(super) &'a mut Vec<u8>);

impl Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Writes text escaped as a label value.
struct Escaped<'a>(&'a mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.bytes().any(is_special) {
            self.0.extend_from_slice(text.as_bytes());
            return Ok(());
        }
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
