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

use crate::cli::{CheckArgs, CheckFormat};
use crate::client::probe::Endpoints;
use crate::client::tls::Trust;
use crate::client::{Api, BuildError, HttpClient, Report as Notice};
use crate::config::Target;
use crate::model::{Rejection, Window};
use crate::process::{self, Fatal};
use crate::upstream::pages::{ListHints, Pages};
use crate::upstream::{Error, ErrorKind, Filter, Page};
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
    let config = match arguments.config.load() {
        Ok(config) => config,
        Err(error) => {
            let report = Report {
                error: Some(error.to_string()),
                ..Report::default()
            };
            if format == CheckFormat::Json {
                print(&report.render(format)?)?;
            }
            return Err(Fatal::configuration(error));
        }
    };
    if format == CheckFormat::Text {
        print(&report::heading(&config))?;
    }
    // Created one by one beforehand: reading certificates blocks, and would count as time of the
    // steps of others.
    let trust = Trust::of_this_machine()?;
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
        configuration: Some(config.origin.to_string()),
        warnings: config.warnings,
        ..Report::of(targets)
    };
    print(&report.render(format)?)?;
    Ok(match report.ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// A report that cannot be written must not count as success.
fn print(text: &str) -> Result<(), Fatal> {
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush())?)
}

/// One target, ready to be checked.
struct TargetCheck {
    name: String,
    page_size: u32,
    /// Whether to try the inspection result of a call.
    with_results: bool,
    parts: Result<(Endpoints, HttpClient), Step>,
    /// How each request ended, since the last step.
    codes: Arc<Mutex<Vec<String>>>,
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

impl TargetCheck {
    fn new(target: &Target, trust: &Trust) -> Self {
        let mut checked = target.clone();
        // A handful of requests does no harm, and the second must not wait for minutes.
        checked.max_requests_per_second = checked.max_requests_per_second.max(MIN_RATE);
        if let Some(results) = &mut checked.results {
            results.max_requests_per_second = results.max_requests_per_second.max(MIN_RATE);
        }
        let codes: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&codes);
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
                Step::unusable("settings", key, error.to_string())
            });
        Self {
            name: target.name.clone(),
            page_size: target.page_size,
            with_results: target.results.is_some(),
            parts,
            codes,
            clock_skew,
        }
    }

    async fn run(self) -> TargetReport {
        let (endpoints, client) = match &self.parts {
            Ok(parts) => parts,
            Err(_) => return self.unusable(),
        };
        let mut steps = Steps::default();
        let mut reached = steps.reach(&endpoints.token).await;
        let token = async {
            let token = client.take_token().await;
            self.requests(token.map(|()| ((), "taken".to_owned())))
        };
        let token = steps
            .attempt("token", "token_endpoint", reached, token)
            .await;
        if let Some(endpoint) = &endpoints.details {
            // This needs no token, and shows whether one host or the network fails.
            reached = steps.reach(endpoint).await;
        }
        let page = async { self.requests(self.page(client).await) };
        let ready = reached && token.is_some();
        let found = steps.attempt("page", "endpoint", ready, page).await;
        if let (Some(step), Some(found)) = (steps.0.last_mut(), &found) {
            step.warning.clone_from(&found.warning);
        }
        if self.with_results {
            match found.map(|found| found.call) {
                None => steps.skip("results", "results", NOT_TRIED),
                Some(None) => steps.skip("results", "results", results::NO_CALL),
                Some(Some(call)) => {
                    let result = results::read(client, &call);
                    let result = async { self.requests(result.await.map(|text| ((), text))) };
                    steps.attempt("results", "results", true, result).await;
                }
            }
        }
        let skew = *self.clock_skew.lock();
        TargetReport::new(&self.name, steps.0).with_clock_skew(skew)
    }

    /// The report if a setting cannot be used, such as an unreadable `ca_file`.
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
        if self.with_results {
            steps.push(Step::skipped("results", "results", NOT_TRIED));
        }
        TargetReport::new(&self.name, steps)
    }

    /// Reads a page.
    async fn page(&self, client: &HttpClient) -> Result<(Found, String), Error> {
        let now = process::now();
        let window = Window {
            from: now.saturating_sub(LOOKBACK),
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
        let mut warning = None;
        if let Some(unusable) = unusable(&page) {
            let example = client.unusable_example();
            if page.records.is_empty() {
                return Err(Error {
                    kind: ErrorKind::Body,
                    message: unusable,
                    likely_cause: example
                        .or_else(|| Some("the vendor has changed its format".into())),
                    retry_after: None,
                });
            }
            let example = example.map(|example| format!("; for example, {example}"));
            warning = Some(unusable + &example.unwrap_or_default());
        }
        let mut detail = describe(&page);
        if limit < self.page_size {
            detail += &format!("; page_size {} is refused, {limit} works", self.page_size);
        }
        let call = results::candidate(&page);
        Ok((Found { warning, call }, detail))
    }

    /// Adds the number of requests if it was more than one, as serving would need them too.
    fn requests<T>(&self, result: Result<(T, String), Error>) -> Result<(T, String), Error> {
        let codes = std::mem::take(&mut *self.codes.lock());
        let more = match codes.len() {
            0 | 1 => String::new(),
            number => format!(" ({number} requests: {})", codes.join(", ")),
        };
        match result {
            Ok((found, detail)) => Ok((found, detail + &more)),
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
