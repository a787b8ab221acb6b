//! Imports history: reads the list day by day, replays the calls, and writes their metrics as
//! OpenMetrics files with timestamps, and a ledger that the exporter continues.
//!
//! A day is read with the puller, under a clock that stands still at its end. So history has the
//! same retries, narrowing and proofs as pulls have.

pub mod daily_window;
pub mod plan;
mod read;

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tracing::{info, warn};

use crate::config::{Target, read_teams};
use crate::metrics::exposition::History;
use crate::model::{Record, UnixSeconds, Window, utc};
use crate::process::blocking;
use crate::puller::replay::Replay;
use crate::puller::state::TargetState;
use crate::store::{self, Backend, FileStore, StoreError, file_name};
use crate::targets::{puller_settings, start_counting};
use crate::upstream::Upstream;
use daily_window::DailyWindow;
use plan::Plan;

/// Why a backfill stopped. Started again, it resumes with the day that was not finished.
#[derive(Debug, Error)]
pub enum BackfillError {
    #[error(
        "target {target:?} already has a ledger, {}: history can only come before the first pull. \
         Stop the exporter and move the file away to backfill (counters then start over), or \
         leave the target out with --target",
        .ledger.display()
    )]
    LedgerExists { target: String, ledger: PathBuf },
    #[error(
        "target {target:?}: {} is of a backfill with other flags or another --output: give those to \
         resume it, or remove the file to begin anew",
        .ledger.display()
    )]
    OtherBackfill { target: String, ledger: PathBuf },
    #[error("target {target:?}: the list cannot be read: {reason}; start again to resume")]
    Unreadable { target: String, reason: String },
    #[error("target {target:?}: {error}")]
    Store { target: String, error: StoreError },
    #[error("{}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// What to backfill, and where to.
pub struct Job {
    pub plan: Plan,
    /// The times of day at which the list is read.
    pub between: Option<DailyWindow>,
    /// A directory per target, a file per day.
    pub output: PathBuf,
    /// `--storage.path` of the exporter.
    pub storage: PathBuf,
    pub clock: fn() -> UnixSeconds,
}

/// Which days of the plan to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Days {
    /// Those that ended a lookback ago. With several targets, the rest of all is read when these are
    /// done, so that none ends long before the exporter starts.
    Old,
    /// All, which finishes the target.
    All,
}

/// What a finished day reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Day {
    pub window: Window,
    pub calls: usize,
    /// Windows that could not be read, so that their calls are missing.
    pub skipped: usize,
}

/// Backfills one target, and reports each day when it is finished. Finished days stay after an
/// error.
pub async fn run<U: Upstream>(
    job: &Job,
    target: &Target,
    upstream: Arc<U>,
    days: Days,
    mut finished: impl FnMut(Day),
) -> Result<(), BackfillError> {
    let name = &target.name;
    let settings = puller_settings(target);
    let lookback = settings.intervals.lookback;
    let ledger = job.storage.join(file_name(name));
    let unfinished = store::unfinished(&ledger);
    // The name of the ledger is safe as a name of a directory.
    let directory = job.output.join(ledger.file_stem().unwrap_or_default());
    let ledger_exists = || BackfillError::LedgerExists {
        target: name.clone(),
        ledger: ledger.clone(),
    };
    if ledger.exists() {
        // Interrupted after it was finished, there is nothing left to do.
        let first = directory.join(plan::file_name(job.plan.from));
        if !unfinished.exists() && first.exists() {
            info!(target = %name, "the history is complete");
            return Ok(());
        }
        return Err(ledger_exists());
    }
    fs::create_dir_all(&directory).map_err(|error| in_file(&directory, error))?;
    let in_store = |error| BackfillError::Store {
        target: name.clone(),
        error,
    };
    let (state, store) = open(target, unfinished.clone()).await?;
    let mut replay = Replay::new(state, job.plan.from, lookback);
    let is_of_this = |done| {
        replay.counts_from() == Some(job.plan.from)
            && directory.join(plan::file_name(done)).exists()
    };
    if replay.position().is_some_and(|done| !is_of_this(done)) {
        return Err(BackfillError::OtherBackfill {
            target: name.clone(),
            ledger: unfinished,
        });
    }
    let next = |replay: &Replay| job.plan.days(replay.position(), (job.clock)()).next();
    while let Some(day) = next(&replay) {
        if days == Days::Old && day.to.saturating_add(lookback) > (job.clock)() {
            return Ok(());
        }
        if let Some(window) = job.between {
            window.wait().await;
        }
        // A day that has not ended ends later now.
        let Some(day) = next(&replay) else { break };
        // An exporter has been started meanwhile: what follows would be for nothing.
        if ledger.exists() {
            return Err(ledger_exists());
        }
        let read = read::day(&settings, Arc::clone(&upstream), job.between, day).await;
        let (records, skipped) = read.map_err(|reason| BackfillError::Unreadable {
            target: name.clone(),
            reason,
        })?;
        if skipped > 0 {
            warn!(target = %name, from = %utc(day.from), to = %utc(day.to), windows = skipped,
                "parts of a day could not be read: their calls are missing from the history");
        }
        let calls = records.len();
        let (plan, path) = (job.plan.clone(), directory.join(plan::file_name(day.from)));
        let target = name.clone();
        replay = blocking(move || {
            let history = replay_day(&mut replay, &records, &plan, day, &target);
            write(&path, |out| history.write(out)).map_err(|error| in_file(&path, error))?;
            Ok(replay)
        })
        .await?;
        // After the file: an interruption in between repeats the day.
        replay.commit(&store).map_err(in_store)?;
        finished(Day {
            window: day,
            calls,
            skipped,
        });
    }
    drop(store);
    let end = replay.position().unwrap_or(job.plan.from);
    if job.plan.to.is_none() && end.saturating_add(lookback) < (job.clock)() {
        warn!(target = %name, end = %utc(end),
            "the history ends more than a lookback ago: calls uploaded since then and more than a lookback \
             ago will not be counted; start the exporter now");
    }
    store::finish(&ledger).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => ledger_exists(),
        _ => in_file(&ledger, error),
    })
}

/// Opens the ledger of a history, whose counters start with the series that an exporter creates.
async fn open(target: &Target, path: PathBuf) -> Result<(TargetState, FileStore), BackfillError> {
    let opened = blocking(move || TargetState::open(Backend::File(path))).await;
    let (mut state, store) = opened.map_err(|error| BackfillError::Store {
        target: target.name.clone(),
        error,
    })?;
    let read = |path: &PathBuf| {
        let teams = read_teams(path).map_err(|reason| in_file(path, io::Error::other(reason)))?;
        Ok(Arc::new(teams))
    };
    let teams = target.teams_file.as_ref().map(read).transpose()?;
    start_counting(&mut state, target, teams);
    Ok((state, store))
}

/// Replays one day, and samples the metrics at each step.
fn replay_day(
    replay: &mut Replay,
    records: &[Record],
    plan: &Plan,
    day: Window,
    target: &str,
) -> History {
    let mut history = History::new(&plan.labels);
    let mut rest = records;
    let mut advance = |replay: &mut Replay, to: UnixSeconds| {
        let (until, later) = rest.split_at(rest.partition_point(|record| record.uploaded <= to));
        rest = later;
        replay.advance(until, to);
    };
    for time in plan.samples(day) {
        advance(replay, time);
        replay.with_metrics(|calls| history.sample(target, calls, Some(time)));
    }
    advance(replay, day.to);
    replay.with_metrics(|calls| history.sample(target, calls, None));
    history
}

/// Writes a file under another name first, so that it is complete if it exists.
///
/// # Errors
///
/// Those of `content` and of the file system.
pub fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let unfinished = path.with_added_extension("unfinished");
    let mut out = BufWriter::new(File::create(&unfinished)?);
    content(&mut out)?;
    out.flush()?;
    out.get_ref().sync_all()?;
    fs::rename(&unfinished, path)?;
    // The ledger says next that the file exists.
    store::sync_directory(path)
}

fn in_file(path: &Path, error: io::Error) -> BackfillError {
    BackfillError::Io {
        path: path.to_owned(),
        error,
    }
}
