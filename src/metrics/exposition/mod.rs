//! Exposition formats: text, OpenMetrics and protobuf.
//!
//! `families` decides which series a response has of calls, and in which order, `own` which it has of
//! the exporter; one `Writer` per kind of format encodes them. There is no intermediate list: each series goes straight into the response.

mod families;
mod history;
mod output;
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
use output::Output;
use protobuf::Protobuf;
use text::{Dialect, Text};
use writer::Writer;

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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus's text format, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.0. The output is valid as version 0.0.1 too.
    OpenMetrics,
    /// Length-delimited messages `io.prometheus.client.MetricFamily`; the only format with native
    /// histograms.
    Protobuf,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Text, Self::OpenMetrics, Self::Protobuf];
}

/// Selects the exporter's own series of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExporterSeries<'a> {
    /// Those of these targets, and those without a target.
    With(&'a [&'a str]),
    /// Those of this target alone.
    Only(&'a str),
}

/// A format and its options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RenderOptions {
    pub format: Format,
    /// Whether OpenMetrics text has a line `_created` per counter and histogram. Prometheus stores
    /// each such line as a series of its own.
    pub created_lines: bool,
}

impl From<Format> for RenderOptions {
    fn from(format: Format) -> Self {
        Self {
            format,
            created_lines: false,
        }
    }
}

/// Renders a response: the call metrics of the targets, then the exporter's own metrics.
pub fn render(
    options: impl Into<RenderOptions>,
    targets: &[TargetCallMetrics<'_>],
    exporter: Option<&ExporterMetrics>,
    selection: ExporterSeries<'_>,
) -> Vec<u8> {
    let mut response = Vec::with_capacity(32 * 1024 * (1 + targets.len()));
    let rendered = render_to(&mut response, options, targets, exporter, selection);
    rendered.expect("memory takes all that is written");
    response
}

/// Renders a response piece by piece, so that it is never in memory as a whole if `sink` compresses it.
///
/// # Errors
///
/// Those of `sink`.
pub fn render_to(
    sink: &mut dyn io::Write,
    options: impl Into<RenderOptions>,
    targets: &[TargetCallMetrics<'_>],
    exporter: Option<&ExporterMetrics>,
    selection: ExporterSeries<'_>,
) -> io::Result<()> {
    let RenderOptions {
        format,
        created_lines,
    } = options.into();
    let out = Output::new(sink);
    let dialect = match format {
        Format::Text => Dialect::Prometheus,
        Format::OpenMetrics => Dialect::OpenMetrics { created_lines },
        Format::Protobuf => {
            return render_with(Protobuf::new(out), targets, exporter, selection);
        }
    };
    render_with(Text::new(out, dialect), targets, exporter, selection)
}

fn render_with(
    mut writer: impl Writer,
    targets: &[TargetCallMetrics<'_>],
    exporter: Option<&ExporterMetrics>,
    selection: ExporterSeries<'_>,
) -> io::Result<()> {
    families::call_metrics(&mut writer, targets);
    if let Some(exporter) = exporter {
        own::exporter_metrics(&mut writer, exporter, selection);
    }
    writer.finish()
}

#[cfg(test)]
mod tests;
