//! `check`: does the configuration work, and if not, why.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::fleet::client_settings;
use super::{Stop, load, wall_clock};
use crate::cli::CheckArgs;
use crate::config::Target;
use crate::model::Window;
use crate::upstream::http::HttpClient;
use crate::upstream::paging::{PageSize, first_page};
use crate::upstream::{Api, Error, Filter, Report};

/// How much of the list to look at; the newest hour is enough to see that it answers.
const LOOK: u32 = 3600;

/// Loads the configuration, then asks each target for a token and one page.
pub(super) async fn run(arguments: &CheckArgs) -> Result<(), Stop> {
    let config =
        load(arguments.config_file.as_deref()).map_err(|error| Stop::Because(error.to_string()))?;
    println!("configuration: ok, {} target(s)", config.targets.len());
    let mut well = true;
    for target in &config.targets {
        well &= try_target(target).await;
    }
    if well { Ok(()) } else { Err(Stop::Told) }
}

async fn try_target(target: &Target) -> bool {
    let name = &target.name;
    let requests: Arc<Mutex<Vec<(Api, String, Duration)>>> = Arc::default();
    let seen = Arc::clone(&requests);
    let report = Arc::new(move |report| {
        if let Report::Request { api, code, took } = report {
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((api, code, took));
        }
    });
    let client = match HttpClient::new(client_settings(target), report) {
        Ok(client) => client,
        Err(error) => {
            println!("{name}: cannot be used: {error}");
            return false;
        }
    };
    let now = wall_clock()();
    let window = Window {
        from: now.saturating_sub(LOOK),
        to: now,
    };
    let size = PageSize::new(target.page_size);
    let page = first_page(&client, window, Filter::All, &size).await;
    for (api, code, took) in requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        // What is not an HTTP status says what went wrong in its place.
        let how = match code.parse::<u16>() {
            Ok(status) => format!("answered {status}"),
            Err(_) => format!("failed ({code})"),
        };
        println!("{name}: {api} request {how} after {} ms", took.as_millis());
    }
    match page {
        Ok((page, limit)) => {
            if limit < target.page_size {
                println!(
                    "{name}: note: page_size {} is refused, {limit} works",
                    target.page_size
                );
            }
            let rows = page.records.len();
            let total = page
                .total
                .map_or("an unknown number of".to_owned(), |t| t.to_string());
            println!(
                "{name}: ok, {total} call(s) uploaded in the last hour, {rows} on the first page"
            );
            if page.rejected.iter().any(|count| *count > 0) {
                println!(
                    "{name}: note: {} record(s) or values cannot be used",
                    page.rejected.iter().sum::<u64>()
                );
            }
            true
        }
        Err(Error { message, .. }) => {
            println!("{name}: failed: {message}");
            false
        }
    }
}
