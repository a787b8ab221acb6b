//! The page for people: how each target is, at a glance.
//!
//! No script and nothing from elsewhere, so that it works from a phone in a bad network and
//! behind any proxy; its links are relative for the same reason. All text on it is untrusted:
//! errors quote what the vendor sent.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};

use url::form_urlencoded::byte_serialize;

use super::site::{CallCount, LastError, StatusView, TargetState, TargetView};
use crate::model::UnixSeconds;

/// The page's style sheet, apart from it so that the policy needs no exception for inline ones.
pub(super) const STYLE: &str = include_str!("status.css");
/// Where the style sheet is served.
pub(super) const STYLE_PATH: &str = "/-/style.css";
/// What a browser may load for the page.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The whole page, as seen at `now`.
pub(super) fn render(view: &StatusView, telemetry_path: &str, now: UnixSeconds) -> String {
    let mut page = String::with_capacity(4096 + 4096 * view.targets.len());
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, view, telemetry_path, now);
    page
}

fn write_page(
    page: &mut String,
    view: &StatusView,
    telemetry_path: &str,
    now: UnixSeconds,
) -> fmt::Result {
    let up = count(view, TargetState::Up);
    let all = view.targets.len();
    write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"refresh\" content=\"15\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{up}/{all} up - cec_exporter</title>\n\
         <link rel=\"stylesheet\" href=\".{STYLE_PATH}\">\n</head>\n<body>\n\
         <h1>cec_exporter <small>{version}</small></h1>\n\
         <p class=\"summary\">{summary}</p>\n\
         <nav><a href=\".{metrics}\">metrics</a> <a href=\"./-/healthy\">healthy</a> \
         <a href=\"./-/ready\">ready</a> <span class=\"soft\">as of {now}</span></nav>\n<main>\n",
        version = Escaped(&view.version),
        summary = summary(view),
        metrics = Escaped(telemetry_path),
        now = Utc(now),
    )?;
    for target in &view.targets {
        write_target(page, target, now)?;
    }
    page.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

fn count(view: &StatusView, state: TargetState) -> usize {
    let states = view.targets.iter().map(|target| target.state);
    states.filter(|found| *found == state).count()
}

/// The one sentence that a reader in a hurry needs; escaped.
fn summary(view: &StatusView) -> String {
    let down = names(view, TargetState::Down);
    let loading = names(view, TargetState::Loading);
    if view.targets.is_empty() {
        return "No targets.".to_owned();
    }
    if down.is_empty() && loading.is_empty() {
        return "All targets are up.".to_owned();
    }
    let mut parts = Vec::new();
    if !down.is_empty() {
        parts.push(format!("Down: {}.", Escaped(&down.join(", "))));
    }
    if !loading.is_empty() {
        parts.push(format!("Loading: {}.", Escaped(&loading.join(", "))));
    }
    match count(view, TargetState::Up) {
        0 => {}
        up => parts.push(format!("Up: {up} of {}.", view.targets.len())),
    }
    parts.join(" ")
}

fn names(view: &StatusView, state: TargetState) -> Vec<&str> {
    let of_state = view.targets.iter().filter(|target| target.state == state);
    of_state.map(|target| target.name.as_str()).collect()
}

fn write_target(page: &mut String, target: &TargetView, now: UnixSeconds) -> fmt::Result {
    let (class, word) = match target.state {
        TargetState::Up => ("up", "UP"),
        TargetState::Down => ("down", "DOWN"),
        TargetState::Loading => ("loading", "LOADING"),
    };
    write!(
        page,
        "<section class=\"{class}\">\n<header><h2>{name}</h2> \
         <span class=\"state\">{word}</span></header>\n<dl>\n",
        name = Escaped(&target.name),
    )?;
    if let Some(progress) = &target.progress {
        writeln!(page, "<dt>Loading</dt><dd>{}</dd>", Escaped(progress))?;
    }
    let complete = Moment(target.frontier, now);
    writeln!(page, "<dt>Complete up to</dt><dd>{complete}</dd>")?;
    let success = Moment(target.last_success, now);
    writeln!(page, "<dt>Last success</dt><dd>{success}</dd>")?;
    match &target.last_error {
        Some(error) => write_error(page, error, now)?,
        None => page.push_str("<dt>Last error</dt><dd>none</dd>\n"),
    }
    page.push_str("</dl>\n");
    write_calls(page, target)?;
    let query: String = byte_serialize(target.name.as_bytes()).collect();
    writeln!(
        page,
        "<p><a href=\"./probe?target={}\">this target's metrics</a></p>\n</section>",
        Escaped(&query)
    )
}

fn write_error(page: &mut String, error: &LastError, now: UnixSeconds) -> fmt::Result {
    let at = Moment(Some(error.at), now);
    let message = Escaped(&error.message);
    writeln!(page, "<dt>Last error</dt><dd>{at}<br>{message}</dd>")?;
    if let Some(cause) = &error.likely_cause {
        writeln!(page, "<dt>Likely cause</dt><dd>{}</dd>", Escaped(cause))?;
    }
    Ok(())
}

/// A table for each type of call. Statuses without calls are left out: most are failures, and
/// what is there must stand out.
fn write_calls(page: &mut String, target: &TargetView) -> fmt::Result {
    let window = Coarse(target.lookback.as_secs());
    let present: Vec<_> = target.calls.iter().filter(|call| call.calls > 0).collect();
    let Some(most) = present.iter().map(|call| call.calls).max() else {
        return writeln!(page, "<p class=\"soft\">No calls in the last {window}.</p>");
    };
    let mut types: Vec<&str> = Vec::new();
    for call in &present {
        if !types.contains(&call.call_type.as_str()) {
            types.push(&call.call_type);
        }
    }
    for call_type in types {
        let of_type = present.iter().filter(|call| call.call_type == call_type);
        let sum: u64 = of_type.clone().map(|call| call.calls).sum();
        let name = Escaped(call_type);
        writeln!(page, "<h3>{name}: {sum} in the last {window}</h3>\n<table>")?;
        for call in of_type {
            write_bar(page, call, most)?;
        }
        page.push_str("</table>\n");
    }
    Ok(())
}

/// The bar is drawn, as a width in a style attribute is what the policy forbids.
fn write_bar(page: &mut String, call: &CallCount, most: u64) -> fmt::Result {
    // A width for the eye: the digits beside it are exact. Never so small as not to be seen.
    let width = (u128::from(call.calls) * 200 / u128::from(most.max(1))).max(1);
    writeln!(
        page,
        "<tr><th>{status}</th><td>{calls}</td><td><svg viewBox=\"0 0 200 1\" \
         preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"{width}\" height=\"1\"/>\
         </svg></td></tr>",
        status = Escaped(&call.status),
        calls = call.calls,
    )
}

/// Text that is safe between tags and in quoted attributes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Not allowed in HTML, and marks that reorder text could make an error read as
                // something else.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}')?,
                '\n' | '\t' => f.write_char(' ')?,
                other if other.is_control() => f.write_char('\u{fffd}')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A time as people of every zone read it: `2026-03-01T02:03:04Z`.
struct Utc(UnixSeconds);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(self.0));
        write!(f, "{}", humantime::format_rfc3339_seconds(time))
    }
}

/// A time and how long ago it was, seen at the second time.
struct Moment(Option<UnixSeconds>, UnixSeconds);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Some(then), now) = *self else {
            return f.write_str("never");
        };
        write!(f, "{} <span class=\"soft\">(", Utc(then))?;
        match now.checked_sub(then) {
            Some(age) => write!(f, "{} ago", Coarse(u64::from(age)))?,
            None => write!(f, "{} ahead of this clock", Coarse(u64::from(then - now)))?,
        }
        f.write_str(")</span>")
    }
}

/// A length of time in the one unit that suits it, rounded down.
struct Coarse(u64);

impl fmt::Display for Coarse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        match self.0 {
            // Two of a unit before it is used, so that 119 minutes are not told as "1 h".
            seconds if seconds < 2 * MINUTE => write!(f, "{seconds} s"),
            seconds if seconds < 2 * HOUR => write!(f, "{} min", seconds / MINUTE),
            seconds if seconds < 2 * DAY => write!(f, "{} h", seconds / HOUR),
            seconds => write!(f, "{} days", seconds / DAY),
        }
    }
}

#[cfg(test)]
#[path = "status_page_tests.rs"]
mod tests;
