//! `check`: does the configuration work, and if not, at which step does it break off, and why.

mod report;
mod steps;

use std::io::Write;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream;

use super::member::client_settings;
use super::{Stop, load, lock, wall_clock};
use crate::cli::{CheckArgs, CheckFormat};
use crate::config::Target;
use crate::model::{Rejection, Window};
use crate::upstream::http::{BuildError, HttpClient};
use crate::upstream::pages::{ListHints, Pages};
use crate::upstream::probe::Endpoints;
use crate::upstream::tls::Trust;
use crate::upstream::{Api, Error, ErrorKind, Filter, Page, Report as Notice};
use report::{Report, Step, TargetReport, counted};
use steps::{NOT_TRIED, Steps};

/// How much of the list to look at; the newest hour is enough to see that it answers.
const LOOK: u32 = 3600;
/// Targets that are tried at a time: with many that hang, one after the other would take long.
const AT_ONCE: usize = 8;
/// Requests a second that are allowed, whatever the configuration says.
const SLOWEST: f64 = 1.0;

/// Loads the configuration, then checks each target.
pub(super) async fn run(arguments: &CheckArgs) -> Result<(), Stop> {
    let format = arguments.format;
    let config = match load(arguments.config_file.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            let report = Report {
                ok: false,
                error: Some(error.to_string()),
                configuration: None,
                warnings: Vec::new(),
                targets: Vec::new(),
            };
            if format == CheckFormat::Json {
                say(&report.render(format))?;
            }
            return Err(Stop::Because(error.to_string()));
        }
    };
    if format == CheckFormat::Text {
        say(&report::heading(&config))?;
    }
    // Made one by one beforehand: reading certificates blocks, and would be counted as time that
    // others' steps took.
    let trust = Trust::of_this_machine()?;
    let targets = config.targets.iter();
    let trials: Vec<Trial> = targets.map(|target| Trial::new(target, &trust)).collect();
    let mut reports = stream::iter(trials).map(Trial::run).buffered(AT_ONCE);
    let mut targets = Vec::new();
    while let Some(target) = reports.next().await {
        say(&report::progress(&target, format))?;
        targets.push(target);
    }
    let report = Report {
        configuration: Some(config.origin.to_string()),
        warnings: config.warnings,
        ..Report::of(targets)
    };
    say(&report.render(format))?;
    if report.ok { Ok(()) } else { Err(Stop::Told) }
}

/// What is not written must not pass for well.
fn say(text: &str) -> Result<(), Stop> {
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
}

/// One target, ready to be tried.
struct Trial {
    name: String,
    page_size: u32,
    parts: Result<(Endpoints, HttpClient), Step>,
    /// How each request ended, until somebody takes note.
    codes: Arc<Mutex<Vec<String>>>,
    /// Seconds by which the local clock is ahead, as the last answer had it.
    clock_skew: Arc<Mutex<Option<f64>>>,
}

impl Trial {
    fn new(target: &Target, trust: &Trust) -> Self {
        let mut settings = client_settings(target);
        // A handful of requests: the second need not wait minutes for its turn.
        settings.max_requests_per_second = settings.max_requests_per_second.max(SLOWEST);
        let codes: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&codes);
        let clock_skew: Arc<Mutex<Option<f64>>> = Arc::default();
        let skew_noted = Arc::clone(&clock_skew);
        let report = Arc::new(move |report| match report {
            Notice::Request { api, code, .. } => {
                let step = match api {
                    Api::Token => "token",
                    Api::Details => "page",
                };
                lock(&noted).push(format!("{step} {code}"));
            }
            Notice::ClockSkew(seconds) => *lock(&skew_noted) = Some(seconds),
            Notice::Token { .. } | Notice::Retry(_) => {}
        });
        let parts = Endpoints::new(&settings, trust)
            .and_then(|ways| Ok((ways, HttpClient::new(settings, trust, report)?)))
            .map_err(|error| {
                let key = match &error {
                    BuildError::Setting { key, .. } => key,
                    BuildError::Client(_) => "target",
                };
                Step::unusable("settings", key, error.to_string())
            });
        Self {
            name: target.name.clone(),
            page_size: target.page_size,
            parts,
            codes,
            clock_skew,
        }
    }

    async fn run(self) -> TargetReport {
        let (ways, client) = match &self.parts {
            Ok(parts) => parts,
            Err(_) => return self.unusable(),
        };
        let mut steps = Steps::default();
        let mut reached = steps.go(&ways.token).await;
        let token = async {
            let token = client.take_token().await;
            self.requests(token.map(|()| "taken".to_owned()))
        };
        let token = steps
            .attempt("token", "token_endpoint", reached, token)
            .await;
        if let Some(way) = &ways.details {
            // It does not need the token, and tells whether it is the one host or the network.
            reached = steps.go(way).await;
        }
        let mut warning = None;
        let page = async {
            let page = self.page(client, &mut warning).await;
            self.requests(page)
        };
        let ready = reached && token.is_some();
        steps.attempt("page", "endpoint", ready, page).await;
        if let Some(step) = steps.0.last_mut() {
            step.warning = warning;
        }
        let skew = *lock(&self.clock_skew);
        TargetReport::new(&self.name, steps.0).with_clock_skew(skew)
    }

    /// For a setting that cannot be used, of which the configuration alone cannot know.
    fn unusable(self) -> TargetReport {
        let mut steps = Vec::from_iter(self.parts.err());
        for (step, key) in [
            ("dns", "endpoint"),
            ("connect", "endpoint"),
            ("tls", "endpoint"),
            ("token", "token_endpoint"),
            ("page", "endpoint"),
        ] {
            steps.push(Step::skipped(step, key, NOT_TRIED));
        }
        TargetReport::new(&self.name, steps)
    }

    /// Reads a page; `warning` says what of it cannot be used.
    async fn page(
        &self,
        client: &HttpClient,
        warning: &mut Option<String>,
    ) -> Result<String, Error> {
        let now = wall_clock()();
        let window = Window {
            from: now.saturating_sub(LOOK),
            to: now,
        };
        let mut hints = ListHints::new(self.page_size);
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
        if let Some(unusable) = unusable(&page) {
            let example = client.unusable_example();
            if page.records.is_empty() {
                return Err(Error {
                    kind: ErrorKind::Body,
                    message: unusable,
                    likely_cause: example.or_else(|| Some("the vendor changed its form".into())),
                    retry_after: None,
                });
            }
            let example = example.map(|example| format!("; for example, {example}"));
            *warning = Some(unusable + &example.unwrap_or_default());
        }
        let mut told = describe(&page);
        if limit < self.page_size {
            told += &format!("; page_size {} is refused, {limit} works", self.page_size);
        }
        Ok(told)
    }

    /// Adds how many requests it took, if it was not one: serving would take as many.
    fn requests(&self, result: Result<String, Error>) -> Result<String, Error> {
        let codes = std::mem::take(&mut *lock(&self.codes));
        let more = match codes.len() {
            0 | 1 => String::new(),
            number => format!(" ({number} requests: {})", codes.join(", ")),
        };
        match result {
            Ok(told) => Ok(told + &more),
            Err(error) => Err(Error {
                message: error.message + &more,
                ..error
            }),
        }
    }
}

fn describe(page: &Page) -> String {
    let total = page.total.map_or_else(
        || "an unknown number of calls".to_owned(),
        |total| counted(total, "call"),
    );
    let rows = page.records.len();
    format!("{total} uploaded in the last hour, {rows} on the first page")
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
            (number > 0).then(|| format!("{reason} {number}"))
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
