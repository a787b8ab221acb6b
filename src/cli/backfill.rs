//! The flags of `backfill`, and those of `demo` for a simulated history.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ConfigArgs;
use super::simulate::parse_number;
use crate::backfill::daily_window::DailyWindow;
use crate::config::duration;
use crate::metrics::catalog::{self, Metric};
use crate::model::{UnixSeconds, is_identifier, whole_seconds};

/// The labels of a scrape job on this machine.
const LABELS: [&str; 2] = ["job=cec_exporter", "instance=localhost:10042"];

#[derive(Clone, PartialEq, Debug, Args)]
pub struct BackfillArgs {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Start of the history: a date (midnight UTC), a time such as 2026-10-01T08:00:00Z, or a
    /// duration before now such as 30d.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Time,

    /// End of the history. Leave it out if the exporter is to continue without a gap [default: the
    /// time at which the last day is read].
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Time>,

    /// Backfill only this target. Repeatable [default: all targets].
    #[arg(long = "target", value_name = "NAME")]
    pub targets: Vec<String>,

    /// Directory for the OpenMetrics files: a directory per target, a file per day.
    #[arg(long, value_name = "DIRECTORY")]
    pub output: PathBuf,

    /// Directory of the ledgers: the --storage.path of the exporter that will continue them.
    #[arg(
        long = "storage.path",
        value_name = "DIRECTORY",
        default_value = "data"
    )]
    pub storage_path: PathBuf,

    /// Time between samples, at most 5m: after that Prometheus marks a series stale.
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = step)]
    pub step: UnixSeconds,

    /// Label added to each series, as the scrape job would: NAME=VALUE. Repeatable.
    #[arg(
        long = "label",
        value_name = "NAME=VALUE",
        default_values = LABELS,
        value_parser = label
    )]
    pub labels: Vec<(String, String)>,

    /// Limit of requests per second per target, if lower than max_requests_per_second of the
    /// configuration.
    #[arg(long, value_name = "NUMBER", value_parser = rate)]
    pub max_requests_per_second: Option<f64>,

    /// Read the list only between these local times, for example 22:00-06:00 [default: always].
    #[arg(long, value_name = "TIME-TIME")]
    pub between: Option<DailyWindow>,
}

#[derive(Clone, PartialEq, Debug, Args)]
pub struct DemoHistoryArgs {
    /// Simulate a history of this length, such as 30d, with nights, weekends and incidents, and
    /// write it to --output for Prometheus [default: a day, not written].
    #[arg(long, value_name = "DURATION", requires = "output", value_parser = duration::parse)]
    pub history: Option<Duration>,

    /// Directory for the OpenMetrics files of --history, see backfill.
    #[arg(long, value_name = "DIRECTORY", requires = "history")]
    pub output: Option<PathBuf>,

    /// Label added to each series of --history, see backfill. Repeatable.
    #[arg(
        long = "label",
        value_name = "NAME=VALUE",
        requires = "history",
        default_values = LABELS,
        value_parser = label
    )]
    pub labels: Vec<(String, String)>,
}

/// A point in time as it is written on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Time {
    At(UnixSeconds),
    /// Before now.
    Ago(Duration),
}

impl Time {
    /// The time it stands for.
    pub fn resolve(self, now: UnixSeconds) -> UnixSeconds {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => now.saturating_sub(whole_seconds(ago)),
        }
    }
}

fn time(text: &str) -> Result<Time, String> {
    // A date gets its time here: jiff's `Date` accepts whatever begins with one, and drops its time.
    let date = || format!("{text}T00:00:00Z").parse::<Timestamp>();
    if let Ok(at) = text.parse::<Timestamp>().or_else(|_| date()) {
        let seconds = UnixSeconds::try_from(at.as_second());
        return seconds.map(Time::At).map_err(|_| "out of range".to_owned());
    }
    duration::parse(text).map(Time::Ago).map_err(|_| {
        "expected a date such as 2026-10-01, a time such as 2026-10-01T08:00:00Z, or a duration \
         such as 30d"
            .to_owned()
    })
}

fn step(text: &str) -> Result<UnixSeconds, String> {
    let step = duration::parse(text)?;
    UnixSeconds::try_from(step.as_secs())
        .ok()
        .filter(|seconds| (1..=300).contains(seconds) && step.subsec_nanos() == 0)
        .ok_or_else(|| "expected whole seconds from 1s to 5m".to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| is_identifier(name) && !name.starts_with("__"))
        .ok_or_else(|| "expected NAME=VALUE, such as instance=localhost:10042".to_owned())
        .and_then(|(name, value)| match is_taken(name) {
            true => Err(format!(
                "{name} is a label of the exporter's metrics: choose another one"
            )),
            false => Ok((name.to_owned(), value.to_owned())),
        })
}

/// Whether series of the history have this label themselves.
fn is_taken(name: &str) -> bool {
    let of_calls = |metric: &&Metric| {
        !metric.name.starts_with("cec_exporter_") && !metric.name.starts_with("cec_target_info")
    };
    let mut metrics = catalog::ALL.iter().filter(of_calls);
    name == "le" || metrics.any(|metric| metric.labels.contains(&name))
}

/// A name that several labels have: a series has it once.
pub(super) fn repeated(labels: &[(String, String)]) -> Option<&str> {
    let mut names = labels.iter().map(|(name, _)| name.as_str());
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name))
}

fn rate(text: &str) -> Result<f64, String> {
    parse_number(text, "a number above 0", |rate| {
        rate.is_finite() && rate > 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_times_or_durations() {
        for (text, seconds) in [
            ("2026-10-01", 1_790_812_800),
            ("2026-10-01T08:00:00Z", 1_790_841_600),
            ("2026-10-01T20:00:00+08:00", 1_790_856_000),
            ("2026-10-01T20:00+08:00", 1_790_856_000),
            ("30d", 2_000_000_000 - 30 * 86_400),
            ("90m", 2_000_000_000 - 5400),
        ] {
            let time = time(text).map(|time| time.resolve(2_000_000_000));
            assert_eq!(time, Ok(seconds), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "30",
            "2026-13-01",
            "1900-01-01",
            "2026-10-01T20:00:00",
            "2026-10-01 20:00",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn labels_have_names_that_a_series_may_have() {
        let expected = Ok(("instance".to_owned(), "a=b:1".to_owned()));
        assert_eq!(label("instance=a=b:1"), expected);
        for text in [
            "",
            "=x",
            "job",
            "1a=x",
            "le=1",
            "target=x",
            "status=x",
            "__name__=x",
            "a b=x",
        ] {
            assert!(label(text).is_err(), "{text}");
        }
        assert!(step("1m").is_ok_and(|step| step == 60));
        assert!(
            step("6m").is_err()
                && step("0").is_err()
                && step("1500ms").is_err()
                && rate("0").is_err()
        );
    }
}
