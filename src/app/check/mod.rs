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
use crate::model::Window;
use crate::upstream::http::{BuildError, HttpClient};
use crate::upstream::paging::{PageSize, first_page};
use crate::upstream::trust::Trust;
use crate::upstream::way::Ways;
use crate::upstream::{Api, Error, Filter, Page, Report as Notice};
use report::{Report, Step, TargetReport, counted};
use steps::{NOT_TRIED, Steps};

/// How much of the list to look at; the newest hour is enough to see that it answers.
const LOOK: u32 = 3600;
/// Targets that are tried at a time: with many that hang, one after the other would take long.
const AT_ONCE: usize = 8;
/// Requests a second that are allowed, whatever the configuration says.
const SLOWEST: f64 = 1.0;

/// Loads the configuration, then goes the way to each target.
pub(super) async fn run(arguments: &CheckArgs) -> Result<(), Stop> {
    let format = arguments.format;
    let config = match load(arguments.config_file.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            let report = Report {
                ok: false,
                error: Some(error.to_string()),
                targets: Vec::new(),
            };
            if format == CheckFormat::Json {
                say(&report.render(format))?;
            }
            return Err(Stop::Because(error.to_string()));
        }
    };
    if format == CheckFormat::Text {
        say(&report::heading(config.targets.len()))?;
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
    let report = Report::of(targets);
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
    parts: Result<(Ways, HttpClient), Step>,
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
        let parts = Ways::new(&settings, trust)
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
        let page = async {
            let page = self.page(client).await;
            self.requests(page)
        };
        let ready = reached && token.is_some();
        steps.attempt("page", "endpoint", ready, page).await;
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

    async fn page(&self, client: &HttpClient) -> Result<String, Error> {
        let now = wall_clock()();
        let window = Window {
            from: now.saturating_sub(LOOK),
            to: now,
        };
        let size = PageSize::new(self.page_size);
        let (page, limit) = first_page(client, window, Filter::All, &size).await?;
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
    let unusable = page.rejected.len();
    let mut told = format!("{total} uploaded in the last hour, {rows} on the first page");
    if unusable > 0 {
        told += &format!("; {unusable} records or values cannot be used");
    }
    told
}
