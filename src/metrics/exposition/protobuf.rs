//! Length-delimited messages `io.prometheus.client.MetricFamily`. Field numbers are those of
//! `metrics.proto` in <https://github.com/prometheus/client_model>.

use std::fmt::Display;
use std::io::{self, Write};

use super::writer::{Labels, Observations, Output, Value, Writer};
use crate::metrics::catalog::Kind;
use crate::metrics::histogram::Exemplar;
use crate::metrics::native::{NativeBuckets, SCHEMA, ZERO_THRESHOLD};

pub(super) struct Protobuf<'a> {
    out: Message<'a>,
    kind: Kind,
    /// Where the family starts in the output.
    start: usize,
    /// End of its name, help and type.
    head: usize,
}

impl<'a> Protobuf<'a> {
    pub(super) fn new(out: Output<'a>) -> Self {
        Self {
            out: Message(out),
            kind: Kind::Gauge,
            start: 0,
            head: 0,
        }
    }

    fn end_family(&mut self) {
        if self.out.0.buffer.len() == self.head {
            // A family without series would be invalid. Before the first family there is nothing at all.
            self.out.0.buffer.truncate(self.start);
        } else {
            self.out.set_length(self.start, FAMILY);
        }
        self.out.0.pass_on();
    }

    fn metric(&mut self, labels: &dyn Labels, rest: impl FnOnce(&mut Message<'_>)) {
        self.out.nested(4, SERIES, |metric| {
            labels.for_each(&mut |name, value| metric.label(1, name, value));
            rest(metric);
        });
    }
}

impl Writer for Protobuf<'_> {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        self.end_family();
        self.kind = kind;
        self.start = self.out.0.buffer.len();
        self.out.0.buffer.extend_from_slice(&[0; FAMILY]);
        self.out.text(1, name);
        self.out.text(2, help);
        let number = match kind {
            Kind::Counter => 0,
            Kind::Gauge => 1,
            Kind::Summary => 2,
            Kind::Histogram => 4,
        };
        self.out.unsigned(3, number);
        self.head = self.out.0.buffer.len();
    }

    fn value(&mut self, labels: &dyn Labels, value: Value, created: Option<f64>) {
        let is_counter = self.kind == Kind::Counter;
        let field = if is_counter { 3 } else { 2 };
        self.metric(labels, |metric| {
            metric.nested(field, SMALL, |message| {
                message.double(1, value.as_f64());
                if let Some(created) = created.filter(|_| is_counter) {
                    message.time(3, created);
                }
            });
        });
    }

    fn observations(&mut self, labels: &dyn Labels, seen: Observations<'_>, created: Option<f64>) {
        let (field, reserved, created_field) = match self.kind {
            Kind::Summary => (4, SMALL, 4),
            _ => (7, SERIES, 15),
        };
        self.metric(labels, |metric| {
            metric.nested(field, reserved, |message| {
                message.unsigned(1, seen.count);
                message.double(2, seen.sum);
                for (index, (bound, count)) in seen.buckets.enumerate() {
                    message.nested(3, SMALL, |bucket| {
                        bucket.unsigned(1, count);
                        bucket.double(2, bound);
                        if let Some(Some(exemplar)) = seen.exemplars.get(index) {
                            bucket.exemplar(3, exemplar);
                        }
                    });
                }
                if let Some(native) = seen.native {
                    message.native(native);
                }
                if let Some(created) = created {
                    message.time(created_field, created);
                }
            });
        });
    }

    fn finish(mut self) -> io::Result<()> {
        self.end_family();
        self.out.0.finish()
    }
}

/// Bytes reserved for the length of a message before its content is written: enough for 127 bytes,
/// 2 MB and 34 GB. A varint may have more bytes than it needs.
const SMALL: usize = 1;
const SERIES: usize = 3;
const FAMILY: usize = 5;

/// Wire types.
const VARINT: u64 = 0;
const DOUBLE: u64 = 1;
const LENGTH: u64 = 2;

/// The encoded bytes, to which fields of the innermost open message are appended.
struct Message<'a>(Output<'a>);

impl Message<'_> {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.buffer.push(value as u8);
    }

    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    fn unsigned(&mut self, field: u64, value: u64) {
        self.tag(field, VARINT);
        self.varint(value);
    }

    /// Encodes 0, -1, 1, -2 as 0, 1, 2, 3, so that small negative numbers are short.
    fn zigzag(&mut self, value: i64) {
        self.varint((value << 1 ^ value >> 63) as u64);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.tag(field, DOUBLE);
        self.0.buffer.extend_from_slice(&value.to_le_bytes());
    }

    fn text(&mut self, field: u64, text: &str) {
        self.tag(field, LENGTH);
        self.varint(text.len() as u64);
        self.0.buffer.extend_from_slice(text.as_bytes());
    }

    /// Writes a nested message, with `reserved` bytes for its length.
    fn nested(&mut self, field: u64, reserved: usize, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let start = self.0.buffer.len();
        self.0.buffer.extend_from_slice(&[0; FAMILY][..reserved]);
        write(self);
        self.set_length(start, reserved);
    }

    /// Writes the length of a message into the bytes reserved at `start`, and inserts more if they are
    /// not enough.
    fn set_length(&mut self, start: usize, reserved: usize) {
        let length = self.0.buffer.len() - start - reserved;
        let needed = (length | 1).ilog2() as usize / 7 + 1;
        if needed > reserved {
            let more = std::iter::repeat_n(0, needed - reserved);
            self.0.buffer.splice(start..start, more);
        }
        let width = reserved.max(needed);
        for (at, byte) in self.0.buffer[start..start + width].iter_mut().enumerate() {
            let continues = if at + 1 < width { 0x80 } else { 0 };
            *byte = (length >> (7 * at)) as u8 & 0x7f | continues;
        }
    }

    fn label(&mut self, field: u64, name: &str, value: &dyn Display) {
        self.nested(field, SMALL, |label| {
            label.text(1, name);
            label.nested(2, SMALL, |text| {
                let _ = write!(text.0.buffer, "{value}");
            });
        });
    }

    /// A `google.protobuf.Timestamp`.
    fn time(&mut self, field: u64, unix: f64) {
        self.nested(field, SMALL, |time| {
            time.unsigned(1, unix as u64);
            time.unsigned(2, (unix.fract() * 1e9) as u64);
        });
    }

    fn exemplar(&mut self, field: u64, exemplar: &Exemplar) {
        if let Some(uuid) = exemplar.call.uuid() {
            self.nested(field, SMALL, |message| {
                message.label(1, "call_uuid", &uuid);
                message.double(2, exemplar.value.units());
                message.time(3, exemplar.at.into());
            });
        }
    }

    /// The additional fields of a native histogram.
    fn native(&mut self, native: &NativeBuckets) {
        self.tag(5, VARINT);
        self.zigzag(SCHEMA.into());
        self.double(6, ZERO_THRESHOLD);
        self.unsigned(7, native.zero);
        // Prometheus recognises a native histogram by its spans, so an empty one needs an empty span.
        let empty = native.spans().next().is_none();
        let empty = empty.then_some((0, &[] as &[u64]));
        for (distance, counts) in native.spans().chain(empty) {
            self.nested(12, SMALL, |span| {
                span.tag(1, VARINT);
                span.zigzag(distance.into());
                span.unsigned(2, counts.len() as u64);
            });
        }
        // Each count as the difference from the previous one, across all spans.
        let mut previous = 0;
        self.nested(13, SMALL, |deltas| {
            for count in native.spans().flat_map(|(_, counts)| counts) {
                deltas.zigzag(count.wrapping_sub(previous) as i64);
                previous = *count;
            }
        });
    }
}
