//! `backfill`: history for Prometheus, and a ledger that the exporter continues.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::backfill::plan::Plan;
use crate::backfill::{self, Day, Days, Job};
use crate::cli::{BackfillArgs, Time};
use crate::client::HttpClient;
use crate::client::tls::Trust;
use crate::config::Target;
use crate::model::{UnixSeconds, utc};
use crate::process::{self, Fatal};
use crate::targets::{LoadError, Storage, UnknownTarget};

/// The plan, beside the files.
const PLAN: &str = "backfill.json";

/// Backfills one target after the other. Interrupted, it resumes where it stopped.
pub async fn run(arguments: &BackfillArgs) -> Result<ExitCode, Fatal> {
    let config = arguments.config.load().map_err(Fatal::configuration)?;
    let targets = chosen(&config.targets, &arguments.targets)?;
    let storage = Storage::Directory(arguments.storage_path.clone());
    storage.create_directory().map_err(|error| match error {
        // Without the advice to keep nothing on disk: there is no backfill without a ledger.
        LoadError::Storage { directory, reason } => Fatal::from(format!(
            "--storage.path: cannot create the directory {directory}: {reason}"
        )),
        other => Fatal::from(other),
    })?;
    let plan = plan(arguments, &targets)?;
    let job = Job {
        plan,
        between: arguments.between,
        output: arguments.output.clone(),
        storage: arguments.storage_path.clone(),
        clock: process::now,
    };
    let trust = Trust::of_this_machine()?;
    // A target that fails does not stop the others.
    let mut failed = BTreeSet::new();
    for days in [Days::Old, Days::All] {
        for target in &targets {
            if failed.contains(&target.name) {
                continue;
            }
            let client = client(target, arguments.max_requests_per_second, &trust)?;
            if let Err(Fatal(line)) = one(&job, target, client, days).await {
                let _ = writeln!(io::stderr(), "{line}");
                failed.insert(&target.name);
            }
        }
    }
    if !failed.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    writeln!(
        io::stdout(),
        "history: {}; import each file with promtool tsdb create-blocks-from openmetrics, then \
         start the exporter with --storage.path={}",
        job.output.display(),
        job.storage.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Backfills one target, and shows the progress: a bar on a terminal, log lines elsewhere.
pub(super) async fn one(
    job: &Job,
    target: &Target,
    client: HttpClient,
    days: Days,
) -> Result<(), Fatal> {
    let name = &target.name;
    let count = job.plan.days(None, (job.clock)()).count() as u64;
    let bar = ProgressBar::new(count).with_prefix(name.clone());
    let style = "{prefix} [{bar:40}] {pos}/{len} days, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    let report = |day: Day| {
        // Days may have been read before, by a backfill that this one resumes.
        let left = job.plan.days(Some(day.window.to), (job.clock)()).count() as u64;
        bar.set_position(count.saturating_sub(left));
        // The bar appears on terminals only.
        if bar.is_hidden() {
            info!(target = %name, to = %utc(day.window.to), calls = day.calls,
                skipped_windows = day.skipped, days = count, "day finished");
        }
    };
    backfill::run(job, target, Arc::new(client), days, report).await?;
    if days == Days::All {
        bar.finish();
    }
    Ok(())
}

fn chosen<'a>(targets: &'a [Target], names: &[String]) -> Result<Vec<&'a Target>, Fatal> {
    let is_known = |name: &String| targets.iter().any(|target| target.name == *name);
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let error = UnknownTarget {
            name: unknown.clone(),
            known: targets.iter().map(|target| target.name.clone()).collect(),
        };
        return Err(Fatal::from(format!("--target: {error}")));
    }
    let is_chosen = |target: &&Target| names.is_empty() || names.contains(&target.name);
    Ok(targets.iter().filter(is_chosen).collect())
}

/// The plan of a backfill that was begun, and the times as they were given: those before now have
/// moved when it is resumed.
#[derive(PartialEq, Serialize, Deserialize)]
struct StoredPlan {
    from: Time,
    to: Option<Time>,
    plan: Plan,
}

/// The plan of these flags; a resumed backfill must have the flags that it began with.
fn plan(arguments: &BackfillArgs, targets: &[&Target]) -> Result<Plan, Fatal> {
    let path = arguments.output.join(PLAN);
    let failed = |error: io::Error| Fatal::from(format!("{}: {error}", path.display()));
    let asked = |from, to| StoredPlan {
        from: arguments.from,
        to: arguments.to,
        plan: Plan {
            from,
            to,
            step: arguments.step,
            labels: arguments.labels.clone(),
        },
    };
    match fs::read(&path) {
        Ok(text) => {
            let stored: StoredPlan = serde_json::from_slice(&text).map_err(|_| {
                let path = path.display();
                Fatal::from(format!("{path} is damaged: give another --output"))
            })?;
            if asked(stored.plan.from, stored.plan.to) != stored {
                return Err(Fatal::from(format!(
                    "{}: a backfill with other flags was begun there: give the same flags to resume \
                     it, or another --output",
                    path.display()
                )));
            }
            let plan = stored.plan;
            info!(plan = %path.display(), from = %utc(plan.from), "resuming");
            Ok(plan)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let now = process::now();
            let to = arguments.to.map(|to| to.resolve(now).min(now));
            let stored = asked(arguments.from.resolve(now), to);
            if stored.plan.from >= stored.plan.to.unwrap_or(now) {
                return Err(Fatal::from("--from must be before --to and before now"));
            }
            is_long_enough(&stored.plan, targets, now)?;
            fs::create_dir_all(&arguments.output).map_err(failed)?;
            let text = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
            backfill::write(&path, |out| out.write_all(&text)).map_err(failed)?;
            Ok(stored.plan)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The exporter takes the calls of the history for all calls of the lookback.
fn is_long_enough(plan: &Plan, targets: &[&Target], now: UnixSeconds) -> Result<(), Fatal> {
    let length = u64::from(plan.to.unwrap_or(now) - plan.from);
    let mut targets = targets.iter();
    match targets.find(|target| target.lookback.as_secs() > length) {
        None => Ok(()),
        Some(Target { name, lookback, .. }) => Err(Fatal::from(format!(
            "--from: expected a history at least as long as the lookback of target {name:?}, which is {} s",
            lookback.as_secs()
        ))),
    }
}

pub(super) fn client(
    target: &Target,
    max_requests_per_second: Option<f64>,
    trust: &Trust,
) -> Result<HttpClient, Fatal> {
    let mut target = target.clone();
    if let Some(rate) = max_requests_per_second {
        target.max_requests_per_second = target.max_requests_per_second.min(rate);
    }
    let name = target.name.clone();
    HttpClient::new(target, trust, Arc::new(|_| {}))
        .map_err(|error| Fatal(format!("target {name:?}: {error}")))
}
