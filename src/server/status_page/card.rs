//! All there is to show of one target.

use std::fmt::{self, Write};

use super::words::{Coarse, Count, Escaped, Moment, Took, Utc};
use crate::model::UnixSeconds;
use crate::server::site::{CallCount, LastError, Outcome, SkippedWindow, TargetState, TargetView};

/// Errors are cut where they are made; this holds for whatever makes them.
const LONGEST_ERROR: usize = 2000;
/// Skipped windows that are shown.
const MOST_SKIPPED: usize = 5;

/// The class and the word of a state.
pub(super) fn state(state: TargetState) -> (&'static str, &'static str) {
    match state {
        TargetState::Up => ("up", "UP"),
        TargetState::Down => ("down", "DOWN"),
        TargetState::Loading => ("loading", "LOADING"),
    }
}

pub(super) fn write(
    page: &mut String,
    target: &TargetView,
    telemetry_path: &str,
    now: UnixSeconds,
) -> fmt::Result {
    let (class, word) = state(target.state);
    write!(
        page,
        "<section class=\"{class}\">\n<header><h2>{name}</h2> \
         <span class=\"state\">{word}</span></header>\n<dl>\n",
        name = Escaped(&target.name),
    )?;
    if let Some(progress) = &target.progress {
        write_fact(page, "Loading", &Escaped(progress))?;
    }
    let complete = Moment(target.frontier, now);
    let complete = format_args!("<b>{complete}</b>");
    write_fact(page, "Complete up to", &complete)?;
    if let Some(began) = target.counted_from {
        write_fact(page, "Counters since", &Moment(Some(began), now))?;
    }
    write_last_pull(page, target, now)?;
    write_renewal(page, target.token_renewal, now)?;
    if let Some(skew) = target.clock_skew {
        write_clock_skew(page, skew)?;
    }
    if let Some(proxy) = &target.proxy {
        write_fact(page, "Proxy", &Escaped(proxy))?;
    }
    write_skipped(page, &target.skipped, now)?;
    match &target.last_error {
        Some(error) => write_error(page, error, now)?,
        None => write_fact(page, "Last error", &"none")?,
    }
    page.push_str("</dl>\n");
    write_calls(page, target)?;
    let query = super::query(target);
    let path = Escaped(telemetry_path);
    writeln!(
        page,
        "<p class=\"links\"><a href=\".{path}?target={query}\">metrics</a> \
         <a href=\"./probe?target={query}\">probe</a> \
         <a href=\"./?target={query}\">this target alone</a></p>\n</section>",
    )
}

/// What nobody must overlook who takes the page for what the configuration says.
pub(super) fn write_banner(page: &mut String, error: &LastError, now: UnixSeconds) -> fmt::Result {
    let cut: String = error.message.chars().take(LONGEST_ERROR).collect();
    writeln!(
        page,
        "<p class=\"banner\" role=\"alert\"><b>The configuration was not reloaded</b> {moment}: \
         <code>{message}</code>. The old one stays in force.</p>",
        moment = Moment(Some(error.at), now),
        message = Escaped(&cut),
    )
}

/// One thing to know; `value` is HTML.
fn write_fact(page: &mut String, name: &str, value: &dyn fmt::Display) -> fmt::Result {
    writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>")
}

fn write_last_pull(page: &mut String, target: &TargetView, now: UnixSeconds) -> fmt::Result {
    let Some(pull) = target.last_pull else {
        return write_fact(page, "Last pull", &"none has ended yet; scrapes start them");
    };
    let how = if pull.succeeded {
        "succeeded"
    } else {
        "failed"
    };
    let (took, ended) = (Took(pull.took), Moment(Some(pull.ended), now));
    let told = format_args!("{how} after {took}, {ended}");
    write_fact(page, "Last pull", &told)?;
    if !pull.succeeded {
        let success = Moment(target.last_success, now);
        write_fact(page, "Last success", &success)?;
    }
    Ok(())
}

fn write_error(page: &mut String, error: &LastError, now: UnixSeconds) -> fmt::Result {
    let at = Moment(Some(error.at), now);
    let cut = error.message.char_indices().nth(LONGEST_ERROR);
    let (message, more) = match cut {
        Some((end, _)) => (&error.message[..end], "…"),
        None => (error.message.as_str(), ""),
    };
    let message = Escaped(message);
    write!(
        page,
        "<div class=\"wide\"><dt>Last error</dt>\
         <dd>{at}<p class=\"error\">{message}{more}</p></dd>"
    )?;
    if let Some(cause) = &error.likely_cause {
        write!(page, "<dt>Likely cause</dt><dd>{}</dd>", Escaped(cause))?;
    }
    page.push_str("</div>\n");
    Ok(())
}

/// Calls uploaded at these times may be uncounted.
fn write_skipped(page: &mut String, skipped: &[SkippedWindow], now: UnixSeconds) -> fmt::Result {
    if skipped.is_empty() {
        return Ok(());
    }
    write!(page, "<div class=\"wide\"><dt>Not readable</dt><dd>")?;
    for window in skipped.iter().take(MOST_SKIPPED) {
        let (from, to) = (Utc(window.from), Utc(window.to));
        let retry = Coarse(window.retry_at.saturating_sub(now).into());
        let reason = Escaped(&window.reason);
        write!(
            page,
            "<p>calls uploaded from <time>{from}</time> to <time>{to}</time>; next try in {retry}\
             </p><p class=\"error\">{reason}</p>"
        )?;
    }
    if let Some(more @ 1..) = skipped.len().checked_sub(MOST_SKIPPED) {
        write!(page, "<p>and {more} more</p>")?;
    }
    page.push_str("</dd></div>\n");
    Ok(())
}

fn write_renewal(page: &mut String, renewal: Option<UnixSeconds>, now: UnixSeconds) -> fmt::Result {
    let name = "Token renewal";
    match renewal {
        None => write_fact(page, name, &"no token yet"),
        Some(then) if then <= now => write_fact(page, name, &"with the next request"),
        Some(then) => {
            let left = Coarse(u64::from(then - now));
            let when = Utc(then);
            let told = format_args!("in {left} <time>{when}</time>");
            write_fact(page, name, &told)
        }
    }
}

fn write_clock_skew(page: &mut String, skew: f64) -> fmt::Result {
    let side = if skew > 0.0 { "ahead of" } else { "behind" };
    let by = Coarse(skew.abs() as u64);
    writeln!(
        page,
        "<div class=\"wide\"><dt>Clock</dt><dd><p class=\"error\">This machine's clock is {by} \
         {side} the vendor's: set it right, or new calls are counted late or not at all.</p></dd></div>"
    )
}

/// A table for each type of call. Statuses without calls are left out: most are failures, and
/// what is there must stand out.
fn write_calls(page: &mut String, target: &TargetView) -> fmt::Result {
    let window = Coarse(target.lookback.as_secs());
    let present: Vec<_> = target.calls.iter().filter(|call| call.calls > 0).collect();
    let Some(most) = present.iter().map(|call| call.calls).max() else {
        return match target.progress {
            // There may be some; none is shown before all are known.
            Some(_) => Ok(()),
            None => writeln!(page, "<p class=\"soft\">No calls in the last {window}.</p>"),
        };
    };
    let mut types: Vec<&str> = Vec::new();
    for call in &present {
        if !types.contains(&call.call_type.as_str()) {
            types.push(&call.call_type);
        }
    }
    page.push_str("<div class=\"types\">\n");
    for call_type in types {
        let of_type = present.iter().filter(|call| call.call_type == call_type);
        let sum = Count(of_type.clone().map(|call| call.calls).sum());
        let name = Escaped(call_type);
        writeln!(
            page,
            "<table>\n<caption>{name} <span class=\"soft\">{sum} in the last {window}</span></caption>"
        )?;
        for call in of_type {
            write_bar(page, call, most)?;
        }
        page.push_str("</table>\n");
    }
    page.push_str("</div>\n");
    Ok(())
}

/// The bar is drawn, as a width in a style attribute is what the policy forbids.
fn write_bar(page: &mut String, call: &CallCount, most: u64) -> fmt::Result {
    // A width for the eye: the digits beside it are exact. Never so small as not to be seen.
    let width = (u128::from(call.calls) * 1000 / u128::from(most.max(1))).max(5);
    let class = match call.outcome {
        Outcome::Pending => "pending",
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Missing => "missing",
    };
    writeln!(
        page,
        "<tr><th>{status}</th><td>{calls}</td><td><svg viewBox=\"0 0 1000 1\" \
         preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"{class}\" \
         width=\"{width}\" height=\"1\"/></svg></td></tr>",
        status = Escaped(&call.status),
        calls = Count(call.calls),
    )
}
