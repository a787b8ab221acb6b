//! The page for people: how each target is, at a glance.
//!
//! No script and nothing from elsewhere, so that it works from a phone in a bad network and
//! behind any proxy; its links are relative for the same reason. All text on it is untrusted:
//! errors quote what the vendor sent.

mod card;
mod words;

use std::fmt::{self, Write};

use url::form_urlencoded::byte_serialize;

use super::site::{StatusView, TargetState, TargetView};
use crate::model::UnixSeconds;
use words::{Ago, Count, Escaped, Utc};

/// The page's style sheet, apart from it so that the policy needs no exception for inline ones.
pub(super) const STYLE: &str = include_str!("status.css");
/// Where the style sheet is served.
pub(super) const STYLE_PATH: &str = "/-/style.css";
/// What a browser may load for the page. The one image is the empty icon in its head, without
/// which browsers ask for one.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How often the page loads again, seconds.
const REFRESH: u32 = 15;
/// So many targets have all there is on the page. With more, only those that are not up do, and
/// the others a line each: what is wrong must be seen without scrolling past what is not.
const MOST_CARDS: usize = 24;
/// The page stays one that a phone can show, whatever is configured.
const MOST_LINES: usize = 1000;
/// Names in the summary.
const MOST_NAMES: usize = 10;

/// The whole page, as seen at `now`. `is_part` is whether other targets were left out on request.
pub(super) fn render(
    view: &StatusView,
    telemetry_path: &str,
    is_part: bool,
    now: UnixSeconds,
) -> String {
    let mut page = String::with_capacity(8192 + 4096 * view.targets.len().min(MOST_CARDS));
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, view, telemetry_path, is_part, now);
    page
}

fn write_page(
    page: &mut String,
    view: &StatusView,
    telemetry_path: &str,
    is_part: bool,
    now: UnixSeconds,
) -> fmt::Result {
    let up = of_state(view, TargetState::Up).count();
    let all = view.targets.len();
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"refresh\" content=\"{REFRESH}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{up}/{all} up - cec_exporter</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <link rel=\"stylesheet\" href=\".{STYLE_PATH}\">\n</head>\n<body>\n\
         <header><h1>cec_exporter</h1> <small>{version}</small>\n\
         <nav><a href=\".{metrics}\">metrics</a> <a href=\"./-/healthy\">healthy</a> \
         <a href=\"./-/ready\">ready</a></nav></header>\n\
         <p class=\"summary\">{summary}</p>\n",
        version = Escaped(&view.version),
        metrics = Escaped(telemetry_path),
        summary = summary(view, is_part),
    )?;
    if let Some(error) = &view.reload_error {
        card::write_banner(page, error, now)?;
    }
    if is_part {
        page.push_str("<p><a href=\"./\">all targets</a></p>\n");
    }
    let (cards, lines) = divided(view);
    page.push_str("<main>\n");
    for target in cards {
        card::write(page, target, telemetry_path, now)?;
    }
    page.push_str("</main>\n");
    write_lines(page, &lines, now)?;
    let now = Utc(now);
    writeln!(
        page,
        "<footer>As of {now}. This page loads again every {REFRESH} s.</footer>\n</body>\n</html>"
    )
}

/// What is wrong comes first; among the targets of one state the order is the configuration's.
const ORDER: [TargetState; 3] = [TargetState::Down, TargetState::Loading, TargetState::Up];

fn of_state(view: &StatusView, state: TargetState) -> impl Iterator<Item = &TargetView> {
    let targets = view.targets.iter();
    targets.filter(move |target| target.state == state)
}

/// The targets to show in full, and those of which there is a line each.
fn divided(view: &StatusView) -> (Vec<&TargetView>, Vec<&TargetView>) {
    let mut ordered = ORDER.iter().flat_map(|state| of_state(view, *state));
    if view.targets.len() <= MOST_CARDS {
        return (ordered.collect(), Vec::new());
    }
    let not_up = view.targets.len() - of_state(view, TargetState::Up).count();
    let cards = ordered.by_ref().take(not_up.min(MOST_CARDS)).collect();
    (cards, ordered.collect())
}

/// The one sentence that a reader in a hurry needs; escaped.
fn summary(view: &StatusView, is_part: bool) -> String {
    let (up, all) = (of_state(view, TargetState::Up).count(), view.targets.len());
    if all == 0 {
        return "No targets.".to_owned();
    }
    if up == all {
        let shown = if is_part { " shown" } else { "" };
        return format!("All targets{shown} are up.");
    }
    let mut parts = Vec::new();
    for (state, word) in [
        (TargetState::Down, "Down"),
        (TargetState::Loading, "Loading"),
    ] {
        let names: Vec<&str> = of_state(view, state).map(|t| t.name.as_str()).collect();
        if !names.is_empty() {
            let shown = names[..names.len().min(MOST_NAMES)].join(", ");
            let more = match names.len().saturating_sub(MOST_NAMES) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            parts.push(format!("{word}: {}{more}.", Escaped(&shown)));
        }
    }
    if up > 0 {
        parts.push(format!("Up: {up} of {all}."));
    }
    parts.join(" ")
}

fn write_lines(page: &mut String, targets: &[&TargetView], now: UnixSeconds) -> fmt::Result {
    if targets.is_empty() {
        return Ok(());
    }
    page.push_str(
        "<table class=\"lines\">\n<thead><tr><th>target</th><th>state</th>\
         <th>complete up to</th><th>calls</th></tr></thead>\n<tbody>\n",
    );
    for target in targets.iter().take(MOST_LINES) {
        let (class, word) = card::state(target.state);
        let calls = target.calls.iter().map(|call| call.calls).sum();
        writeln!(
            page,
            "<tr class=\"{class}\"><th><a href=\"./?target={query}\">{name}</a></th>\
             <td><span class=\"state\">{word}</span></td><td>{lag}</td><td>{calls}</td></tr>",
            query = query(target),
            name = Escaped(&target.name),
            lag = Ago(target.frontier, now),
            calls = Count(calls),
        )?;
    }
    page.push_str("</tbody>\n</table>\n");
    match targets.len().saturating_sub(MOST_LINES) {
        0 => Ok(()),
        more => writeln!(
            page,
            "<p>And {} more; <code>./?target=NAME</code> shows one.</p>",
            Count(more as u64)
        ),
    }
}

/// A target's name as the value of a query, safe in an attribute.
fn query(target: &TargetView) -> String {
    let query: String = byte_serialize(target.name.as_bytes()).collect();
    Escaped(&query).to_string()
}

#[cfg(test)]
mod tests;
