//! The status page: the state of each target at a glance.
//!
//! It has no script and loads nothing from elsewhere, so that it works on a phone in a bad network;
//! its links are relative, so that it works behind any proxy. All text on it is untrusted, as
//! errors quote the vendor: the templates escape it.

mod card;
mod display;

use askama::Template;
use indicatif::HumanCount;

use crate::model::UnixSeconds;
use crate::targets::{Health, Status, TargetStatus, listed};
use card::Card;
use display::{Utc, clean};

/// The style sheet, in a file of its own so that the policy can forbid inline styles.
pub(super) const STYLE: &str = include_str!("status.css");
/// Where the style sheet is served.
pub(super) const STYLE_PATH: &str = "/-/style.css";
/// The Content-Security-Policy. The only image is the empty icon in the head, without which
/// browsers request one.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Seconds after which the page reloads.
const REFRESH: u32 = 15;
/// Up to this number, all targets get a card. With more, only those that are not up do, and the
/// others get a row: what is wrong must be visible without scrolling.
const MAX_CARDS: usize = 24;
/// Rows, so that a phone can show the page.
const MAX_ROWS: usize = 1000;
/// Names in the summary.
const MAX_NAMES: usize = 10;

/// What is wrong comes first. Targets of the same health are in the order of the configuration.
const ORDER: [Health; 3] = [Health::Down, Health::Loading, Health::Up];

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    version: &'a str,
    telemetry_path: &'a str,
    summary: String,
    up: usize,
    all: usize,
    reload_error: Option<&'a (UnixSeconds, String)>,
    is_part: bool,
    cards: Vec<Card<'a>>,
    rows: Vec<Card<'a>>,
    now: UnixSeconds,
}

impl Page<'_> {
    fn more_rows(&self) -> HumanCount {
        HumanCount((self.rows.len() - MAX_ROWS) as u64)
    }
}

/// The whole page. `is_part` says that the request named some of the targets.
pub(super) fn render(status: &Status, telemetry_path: &str, is_part: bool) -> String {
    let now = status.now;
    let targets: Vec<&TargetStatus> = (ORDER.iter())
        .flat_map(|health| with_health(status, *health))
        .collect();
    let up = with_health(status, Health::Up).count();
    let all = targets.len();
    let cards = match all {
        0..=MAX_CARDS => all,
        _ => (all - up).min(MAX_CARDS),
    };
    let mut cards_and_rows = targets.into_iter().map(|target| Card {
        target,
        telemetry_path,
        now,
    });
    let page = Page {
        version: &status.version,
        telemetry_path,
        summary: summary(status, up, is_part),
        up,
        all,
        reload_error: status.reload_error.as_ref(),
        is_part,
        cards: cards_and_rows.by_ref().take(cards).collect(),
        rows: cards_and_rows.collect(),
        now,
    };
    // Writing to a string does not fail.
    clean(&page.render().unwrap_or_default())
}

fn with_health(status: &Status, health: Health) -> impl Iterator<Item = &TargetStatus> {
    let targets = status.targets.iter();
    targets.filter(move |target| target.health == health)
}

/// The one sentence for a reader in a hurry. `up` is the number of targets that are up.
fn summary(status: &Status, up: usize, is_part: bool) -> String {
    let all = status.targets.len();
    if !status.is_ready {
        return "Loading configuration and storage.".to_owned();
    }
    if all == 0 {
        return "No targets.".to_owned();
    }
    if up == all {
        let shown = if is_part { " shown" } else { "" };
        return format!("All targets{shown} are up.");
    }
    let mut parts = Vec::new();
    for (health, word) in [(Health::Down, "Down"), (Health::Loading, "Loading")] {
        let names: Vec<&str> = with_health(status, health)
            .map(|t| t.name.as_str())
            .collect();
        if !names.is_empty() {
            parts.push(format!("{word}: {}.", listed(&names, MAX_NAMES)));
        }
    }
    if up > 0 {
        parts.push(format!("Up: {up} of {all}."));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests;
