//! Exposition formats: text, OpenMetrics and protobuf.
//!
//! `families` decides which series a response has of calls, and in which order, `own` which it has of
//! the exporter; one `Writer` per kind of format encodes them. There is no intermediate list: each series
//! goes straight into the response.

mod families;
mod history;
mod own;
mod protobuf;
mod text;
mod writer;

use std::collections::BTreeMap;
use std::io;

use super::exporter::ExporterMetrics;
use super::tallies::{OldestPending, Tallies};
use crate::model::{CallType, UnixSeconds};
pub use history::History;
use protobuf::Protobuf;
use text::{Dialect, Text};
use writer::{Output, Writer};

/// The published call metrics of one target.
#[derive(Clone, PartialEq, Debug)]
pub struct CallMetrics {
    pub tallies: Tallies,
    pub oldest_pending: OldestPending,
    /// Calls uploaded in the hour before the frontier.
    pub recent: BTreeMap<CallType, u64>,
    /// When all counters were 0, if that is known.
    pub counted_from: Option<UnixSeconds>,
}

/// The call metrics of one target, as part of a response.
#[derive(Clone, Copy, Debug)]
pub struct TargetCallMetrics<'a> {
    /// The label `target`.
    pub target: &'a str,
    pub calls: &'a CallMetrics,
    /// Leaves out the gauges, because the last success is too long ago.
    pub is_stale: bool,
}

impl<'a> TargetCallMetrics<'a> {
    /// Metrics that are not stale.
    pub fn new(target: &'a str, calls: &'a CallMetrics) -> Self {
        Self {
            target,
            calls,
            is_stale: false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// Prometheus's text format, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.0. The output is valid as version 0.0.1 too.
    OpenMetrics,
    /// Length-delimited messages `io.prometheus.client.MetricFamily`; the only format with native
    /// histograms.
    Protobuf,
}

/// Which series a response has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Those of the targets and of the process.
    Everything,
    /// Those with the label `target`.
    TargetOnly,
}

/// The metrics of a response, and how to write them.
#[derive(Clone, Copy)]
pub struct Response<'a> {
    pub format: Format,
    /// Whether OpenMetrics text has a line `_created` per counter and histogram. Prometheus stores
    /// each such line as a series of its own.
    pub created_lines: bool,
    pub targets: &'a [TargetCallMetrics<'a>],
    /// The exporter's own metrics, and the names of the targets whose series it has.
    pub exporter: (&'a ExporterMetrics, &'a [&'a str]),
    pub scope: Scope,
}

impl Response<'_> {
    /// The response in memory.
    pub fn render(&self) -> Vec<u8> {
        let mut response = Vec::with_capacity(32 * 1024 * (1 + self.targets.len()));
        let rendered = self.render_to(&mut response);
        rendered.expect("memory takes all that is written");
        response
    }

    /// Renders the response piece by piece, so that it is never in memory as a whole if `sink`
    /// compresses it.
    ///
    /// # Errors
    ///
    /// Those of `sink`.
    pub fn render_to(&self, sink: &mut dyn io::Write) -> io::Result<()> {
        let out = Output::new(sink);
        let dialect = match self.format {
            Format::Text => Dialect::Prometheus,
            Format::OpenMetrics => Dialect::OpenMetrics {
                created_lines: self.created_lines,
            },
            Format::Protobuf => return self.render_with(Protobuf::new(out)),
        };
        self.render_with(Text::new(out, dialect))
    }

    fn render_with(&self, mut writer: impl Writer) -> io::Result<()> {
        families::call_metrics(&mut writer, self.targets);
        let (exporter, names) = self.exporter;
        own::exporter_metrics(&mut writer, exporter, names, self.scope);
        writer.finish()
    }
}

#[cfg(test)]
mod tests;
