//! A response on its way to a sink.

use std::io::{self, Write};

/// Bytes that are collected before they go to the sink.
const PIECE: usize = 64 << 10;

/// Collects a piece of the response, which the formats look back into and correct, and passes it on.
pub(super) struct Output<'a> {
    pub(super) buffer: Vec<u8>,
    sink: &'a mut dyn Write,
    /// The first error of the sink.
    result: io::Result<()>,
}

impl<'a> Output<'a> {
    pub(super) fn new(sink: &'a mut dyn Write) -> Self {
        Self {
            buffer: Vec::with_capacity(PIECE + PIECE / 4),
            sink,
            result: Ok(()),
        }
    }

    /// Passes on what was written, if it is a piece: the caller does not look back any more.
    pub(super) fn pass_on(&mut self) {
        if self.buffer.len() >= PIECE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.result.is_ok() {
            self.result = self.sink.write_all(&self.buffer);
        }
        self.buffer.clear();
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush();
        self.result
    }
}
