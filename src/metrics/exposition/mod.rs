//! What Prometheus is answered: text, OpenMetrics or protobuf, as it asks for.
//!
//! One collect over families and series decides what is shown (`collect`); one writer per format decides
//! how it is spelled. Nothing stands between them: a series goes straight into the answer.

mod collect;
mod history;
mod lines;
mod openmetrics;
mod protobuf;
mod text;
mod writer;

use super::exporter::Gathered;
use super::tallies::{OldestPending, Tallies};
use crate::model::{CallType, UnixSeconds};
pub use history::History;
use openmetrics::OpenMetrics;
use protobuf::Protobuf;
use text::Text;
use writer::Writer;

use std::collections::BTreeMap;

/// The call metrics of one target, as they are published.
#[derive(Clone, PartialEq, Debug)]
pub struct CallMetrics {
    /// Counters, histograms and window gauges.
    pub tallies: Tallies,
    /// Oldest call by type and status.
    pub oldest_pending: OldestPending,
    /// Calls uploaded in the hour before the frontier.
    pub recent: BTreeMap<CallType, u64>,
    /// When all counters were 0, if that is known.
    pub counted_from: Option<UnixSeconds>,
}

/// The call metrics of one target in an answer.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The label `target`.
    pub target: &'a str,
    /// What is published of it.
    pub calls: &'a CallMetrics,
    /// The last success is too long ago for the gauges: only counters and histograms are shown.
    pub is_stale: bool,
}

impl<'a> Shown<'a> {
    /// Everything of a target.
    pub fn all(target: &'a str, calls: &'a CallMetrics) -> Self {
        Self {
            target,
            calls,
            is_stale: false,
        }
    }
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
pub enum ExporterSeries<'a> {
    /// Those of any of these targets, and those that are of no target.
    With(&'a [&'a str]),
    /// Those of this target alone.
    Only(&'a str),
}

/// A format, and what is optional in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spelling {
    /// The format.
    pub format: Format,
    /// Whether OpenMetrics text has a line `_created` for each counter and histogram. Prometheus
    /// stores each of them as a series of its own.
    pub created_lines: bool,
}

impl From<Format> for Spelling {
    fn from(format: Format) -> Self {
        Self {
            format,
            created_lines: false,
        }
    }
}

/// Writes a whole answer: the call metrics of the targets that have some, then the exporter's own.
pub fn render(
    spelling: impl Into<Spelling>,
    targets: &[Shown<'_>],
    own: &Gathered,
    which: ExporterSeries<'_>,
) -> Vec<u8> {
    let Spelling {
        format,
        created_lines,
    } = spelling.into();
    let out = Vec::with_capacity(32 * 1024 * (1 + targets.len()));
    match format {
        Format::Text => whole(Text::new(out), targets, own, which),
        Format::OpenMetrics => {
            let writer = OpenMetrics::new(out, created_lines);
            whole(writer, targets, own, which)
        }
        Format::Protobuf => whole(Protobuf::new(out), targets, own, which),
    }
}

fn whole(
    mut writer: impl Writer,
    targets: &[Shown<'_>],
    own: &Gathered,
    which: ExporterSeries<'_>,
) -> Vec<u8> {
    collect::calls(&mut writer, targets);
    collect::own(&mut writer, own, which);
    writer.finish()
}

#[cfg(test)]
mod tests;
