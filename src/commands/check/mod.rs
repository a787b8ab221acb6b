//! `check`: whether each target of the configuration works, and if not, which step fails and why.

mod report;
mod results;
mod steps;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use parking_lot::Mutex;

use crate::cli::{CheckArgs, CheckFormat, ConfigArgs};
use crate::client::probe::Endpoints;
use crate::client::tls::Trust;
use crate::client::{Api, BuildError, HttpClient, Report as Notice};
use crate::config::{Config, Target};
use crate::model::{Record, Rejection, Window, utc};
use crate::process::{self, Fatal};
use crate::targets::puller_settings;
use crate::upstream::pages::{ListHints, Pages};
use crate::upstream::{Error, Filter, Page, Upstream};
use report::{Report, Step, TargetReport, counted};
use steps::{NOT_TRIED, Steps};

/// Seconds of the list to read: the newest hour is enough to see that it answers.
const LOOKBACK: u32 = 3600;
/// Targets at a time. One after the other would take long if many hang.
const AT_ONCE: usize = 8;
/// Requests a second that are allowed at least, whatever the configuration says.
const MIN_RATE: f64 = 1.0;

/// Loads the configuration, then checks each target.
pub async fn run(arguments: &CheckArgs) -> Result<ExitCode, Fatal> {
    let format = arguments.format;
    let (config, trust) = match setup(&arguments.config) {
        Ok(setup) => setup,
        Err(error) => {
            // Scripts expect an object in any case.
            if format == CheckFormat::Json {
                let report = Report {
                    error: Some(error.0.clone()),
                    ..Report::default()
                };
                print(&report.render(format)?)?;
            }
            return Err(error);
        }
    };
    if format == CheckFormat::Text {
        print(&report::heading(&config))?;
    }
    // Created one by one beforehand, as reading certificates blocks.
    let targets = config.targets.iter();
    let checks: Vec<TargetCheck> = targets
        .map(|target| TargetCheck::new(target, &trust))
        .collect();
    let mut reports = stream::iter(checks).map(TargetCheck::run).buffered(AT_ONCE);
    let mut targets = Vec::new();
    while let Some(target) = reports.next().await {
        if format == CheckFormat::Text {
            print(&target.text())?;
        }
        targets.push(target);
    }
    let report = Report {
        configuration: Some(config.origin),
        warnings: config.warnings,
        ..Report::of(targets)
    };
    print(&report.render(format)?)?;
    Ok(match report.ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// What all targets need. The trust anchors are read once, beforehand: that blocks, and would count
/// as time of a step.
fn setup(arguments: &ConfigArgs) -> Result<(Config, Trust), Fatal> {
    let config = arguments.load().map_err(Fatal::configuration)?;
    Ok((config, Trust::of_this_machine()?))
}

/// A report that cannot be written must not count as success.
fn print(text: &str) -> Result<(), Fatal> {
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
}

/// One target, ready to be checked.
struct TargetCheck<'a> {
    target: &'a Target,
    /// Or the step that a mistake in the settings makes.
    parts: Result<(Endpoints, HttpClient), Step>,
    steps: Steps,
    /// Seconds by which the local clock is ahead of the last answer.
    clock_skew: Arc<Mutex<Option<f64>>>,
}

/// What a page contains.
struct Found {
    /// Rows or values that cannot be used.
    warning: Option<String>,
    /// The first call that has an inspection result.
    call: Option<String>,
}

impl<'a> TargetCheck<'a> {
    fn new(target: &'a Target, trust: &Trust) -> Self {
        let mut checked = target.clone();
        // A handful of requests does no harm, and the second must not wait for minutes.
        checked.max_requests_per_second = checked.max_requests_per_second.max(MIN_RATE);
        if let Some(results) = &mut checked.results {
            results.max_requests_per_second = results.max_requests_per_second.max(MIN_RATE);
        }
        let steps = Steps::default();
        let noted = Arc::clone(&steps.codes);
        let clock_skew: Arc<Mutex<Option<f64>>> = Arc::default();
        let skew_noted = Arc::clone(&clock_skew);
        let report = Arc::new(move |report| match report {
            Notice::Request { api, code, .. } => {
                let step = match api {
                    Api::Token => "token",
                    Api::Details => "page",
                    Api::Credit => "results",
                };
                noted.lock().push(format!("{step} {code}"));
            }
            Notice::ClockSkew(seconds) => *skew_noted.lock() = Some(seconds),
            Notice::Token { .. } | Notice::Retry(_) => {}
        });
        let parts = Endpoints::new(target, trust)
            .and_then(|endpoints| Ok((endpoints, HttpClient::new(checked, trust, report)?)))
            .map_err(|error| {
                let key = match &error {
                    BuildError::Setting { key, .. } => key,
                    BuildError::Client(_) => "target",
                };
                Step {
                    ok: Some(false),
                    ..Step::skipped("settings", key, error.to_string())
                }
            });
        Self {
            target,
            parts,
            steps,
            clock_skew,
        }
    }

    async fn run(self) -> TargetReport {
        let Self {
            target, mut steps, ..
        } = self;
        match self.parts {
            Ok((endpoints, client)) => check(target, &endpoints, &client, &mut steps).await,
            // Such as an unreadable `ca_file`.
            Err(mistake) => {
                steps.all.push(mistake);
                for (step, key) in [
                    ("dns", "endpoint"),
                    ("connect", "endpoint"),
                    ("tls", "endpoint"),
                    ("token", "token_endpoint"),
                    ("page", "endpoint"),
                ] {
                    steps.skip(step, key, NOT_TRIED);
                }
                if target.results.is_some() {
                    steps.skip("results", "results", NOT_TRIED);
                }
            }
        }
        let skew = *self.clock_skew.lock();
        TargetReport::new(&target.name, steps.all, skew)
    }
}

async fn check(target: &Target, endpoints: &Endpoints, client: &HttpClient, steps: &mut Steps) {
    let mut reached = steps.reach(&endpoints.token).await;
    let token = async { Ok((client.take_token().await?, "taken".to_owned())) };
    let token = steps
        .attempt("token", "token_endpoint", reached, token)
        .await;
    if let Some(endpoint) = &endpoints.details {
        // This needs no token, and shows whether one host or the network fails.
        reached = steps.reach(endpoint).await;
    }
    let ready = reached && token.is_some();
    let page = page(client, target);
    let found = steps.attempt("page", "endpoint", ready, page).await;
    if let (Some(step), Some(found)) = (steps.all.last_mut(), &found) {
        step.warning.clone_from(&found.warning);
    }
    if target.results.is_none() {
        return;
    }
    match found.map(|found| found.call) {
        None => steps.skip("results", "results", NOT_TRIED),
        Some(None) => steps.skip("results", "results", results::NO_CALL),
        Some(Some(call)) => {
            let result = async { Ok(((), results::describe(&client.inspection(&call).await?))) };
            steps.attempt("results", "results", true, result).await;
        }
    }
}

/// Reads a page.
async fn page(client: &HttpClient, target: &Target) -> Result<(Found, String), Error> {
    let (now, page_size) = (process::now(), target.page_size);
    let window = Window::new(now.saturating_sub(LOOKBACK), now);
    let mut hints = ListHints::new(page_size);
    let mut pages = Pages::new(client, window, Filter::All, 1, &mut hints);
    let page = pages.next().await?;
    let page = page.unwrap_or_else(|| Page {
        total: pages.pass().total,
        ..Page::default()
    });
    let limit = pages.limit();
    if let (true, Some(total @ 1..)) = (page.is_empty(), page.total) {
        return Err(Error::empty_list(total));
    }
    let mut warning = None;
    if let Some(unusable) = unusable(&page) {
        let example = page.example.clone();
        if page.records.is_empty() {
            return Err(Error::unusable(unusable, example));
        }
        let example = example.map(|example| format!("; for example, {example}"));
        warning = Some(unusable + &example.unwrap_or_default());
    }
    let intervals = puller_settings(target).intervals;
    let lookback = Window::new(
        now.saturating_sub(intervals.lookback),
        now.saturating_add(intervals.overlap),
    );
    warning = warning.or_else(|| outside(&page, lookback));
    let mut detail = describe(&page);
    if limit < page_size {
        detail += &format!("; page_size {page_size} is refused, {limit} works");
    }
    let call = results::candidate(&page);
    Ok((Found { warning, call }, detail))
}

fn describe(page: &Page) -> String {
    let total = page.total.map_or_else(
        || "an unknown number of calls".to_owned(),
        |total| counted(total, "call"),
    );
    let rows = page.records.len();
    format!("{total} uploaded in the last hour, {rows} on the first page")
}

/// Warns of calls that the exporter would not take because of their upload time.
fn outside(page: &Page, lookback: Window) -> Option<String> {
    let is_outside = |record: &&Record| !lookback.contains(record.uploaded);
    let outside: Vec<_> = page.records.iter().filter(is_outside).collect();
    let example = utc(outside.first()?.uploaded);
    let (all, outside) = (page.records.len(), outside.len());
    let which = match outside == all {
        true => "no call on the first page was".to_owned(),
        false => format!("{outside} of {all} calls on the first page were not"),
    };
    Some(format!(
        "{which} uploaded in the lookback; for example, one at {example}"
    ))
}

/// How many rows and values of a page cannot be used, and why; `None` if all can.
fn unusable(page: &Page) -> Option<String> {
    if page.rejected.is_empty() {
        return None;
    }
    let reasons: Vec<String> = Rejection::ALL
        .iter()
        .filter_map(|reason| {
            let rejected = page.rejected.iter();
            let number = rejected.filter(|row| row.reason == *reason).count();
            (number > 0).then(|| format!("{} {number}", reason.label()))
        })
        .collect();
    let rows = page.rows();
    let of_rows = match page.unusable() {
        0 => "some values".to_owned(),
        all if all == rows => format!("not one of {}", counted(rows, "call")),
        some => format!("{some} of {}", counted(rows, "call")),
    };
    let verb = if page.records.is_empty() {
        "can"
    } else {
        "cannot"
    };
    Some(format!(
        "{of_rows} on the first page {verb} be used ({})",
        reasons.join(", ")
    ))
}
