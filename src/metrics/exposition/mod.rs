//! What Prometheus is answered: text, OpenMetrics or protobuf, as it asks for.
//!
//! One walk over families and series decides what is shown (`walk`); one writer per format decides
//! how it is spelled. Nothing stands between them: a series goes straight into the answer.

mod lines;
mod openmetrics;
mod protobuf;
mod text;
mod walk;
mod writer;

use super::exporter::Gathered;
use super::tallies::{OldestPending, Tallies};
use crate::model::UnixSeconds;
use openmetrics::OpenMetrics;
use protobuf::Protobuf;
use text::Text;
use writer::Writer;

/// The call metrics of one target, as they are published.
#[derive(Clone, PartialEq, Debug)]
pub struct CallMetrics {
    /// Counters, histograms and window gauges.
    pub tallies: Tallies,
    /// Oldest call by type and status.
    pub oldest_pending: OldestPending,
    /// When all counters were 0, if that is known.
    pub counted_from: Option<UnixSeconds>,
}

/// How an answer is spelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus's text format, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.0; what it holds is also right as version 0.0.1.
    OpenMetrics,
    /// Messages `io.prometheus.client.MetricFamily`, each with its length before it; the only one
    /// with native histograms.
    Protobuf,
}

impl Format {
    /// Every format there is.
    pub const ALL: [Self; 3] = [Self::Text, Self::OpenMetrics, Self::Protobuf];
}

/// Which of the exporter's own series belong to an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Own<'a> {
    /// Those of any of these targets, and those that are of no target.
    With(&'a [&'a str]),
    /// Those of this target alone.
    Only(&'a str),
}

/// Writes a whole answer: the call metrics of the targets that have some, then the exporter's own.
pub fn render(
    format: Format,
    targets: &[(&str, &CallMetrics)],
    own: &Gathered,
    which: Own<'_>,
) -> Vec<u8> {
    let out = Vec::with_capacity(64 * 1024 * (1 + targets.len()));
    match format {
        Format::Text => whole(Text::new(out), targets, own, which),
        Format::OpenMetrics => whole(OpenMetrics::new(out), targets, own, which),
        Format::Protobuf => whole(Protobuf::new(out), targets, own, which),
    }
}

fn whole(
    mut writer: impl Writer,
    targets: &[(&str, &CallMetrics)],
    own: &Gathered,
    which: Own<'_>,
) -> Vec<u8> {
    walk::calls(&mut writer, targets);
    walk::own(&mut writer, own, which);
    writer.finish()
}

#[cfg(test)]
mod tests;
