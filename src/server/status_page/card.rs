//! The card of one target, as text for the template.

use askama::Template;
use askama::filters::HtmlSafe;
use url::form_urlencoded::byte_serialize;

use super::display::{AgeAndTime, Grouped, RoughDuration, ShortDuration, Utc};
use crate::model::UnixSeconds;
use crate::targets::{
    CallCount, CallOutcome, LastError, LastPull, SkippedWindow, TargetState, TargetStatus,
};

/// Errors are cut where they are made. This is the last line of defence.
const MAX_ERROR_CHARS: usize = 2000;
/// Skipped windows on a card.
const MAX_SKIPPED: usize = 5;
/// Bars are 1,000 wide. The shortest is still visible.
const MIN_BAR: u128 = 5;

#[derive(Template)]
#[template(path = "card.html")]
pub(super) struct Card<'a> {
    target: &'a TargetStatus,
    telemetry_path: &'a str,
    state: &'static str,
    query: String,
    progress: Option<(Grouped, u64)>,
    complete: AgeAndTime,
    counted_from: Option<AgeAndTime>,
    last_pull: Option<Pull>,
    last_success: AgeAndTime,
    renewal: AgeAndTime,
    clock_skew: Option<(RoughDuration, &'static str)>,
    skipped: Vec<Skipped<'a>>,
    more_skipped: usize,
    last_error: Option<ErrorText<'a>>,
    lookback: RoughDuration,
    tables: Vec<Table<'a>>,
}

/// It escapes its own parts.
impl HtmlSafe for Card<'_> {}

struct Pull {
    succeeded: bool,
    took: ShortDuration,
    ended: AgeAndTime,
}

struct Skipped<'a> {
    from: Utc,
    to: Utc,
    retry: RoughDuration,
    reason: &'a str,
}

/// An error and its time.
pub(super) struct ErrorText<'a> {
    pub(super) at: AgeAndTime,
    pub(super) message: String,
    likely_cause: Option<&'a str>,
}

/// The calls of one type.
struct Table<'a> {
    call_type: &'a str,
    sum: Grouped,
    bars: Vec<Bar<'a>>,
}

/// The calls in one status. The bar is drawn as SVG, because the policy forbids style attributes.
struct Bar<'a> {
    status: &'a str,
    calls: Grouped,
    class: &'static str,
    width: u128,
}

impl<'a> ErrorText<'a> {
    pub(super) fn new(error: &'a LastError, now: UnixSeconds) -> Self {
        let end = error.message.char_indices().nth(MAX_ERROR_CHARS);
        let message = match end {
            Some((end, _)) => format!("{}…", &error.message[..end]),
            None => error.message.clone(),
        };
        Self {
            at: AgeAndTime::ago(Some(error.at), now),
            message,
            likely_cause: error.likely_cause.as_deref(),
        }
    }
}

/// A target's state as a CSS class; in capitals, it is the word on the page.
pub(super) fn state(target: &TargetStatus) -> &'static str {
    match target.state {
        TargetState::Up => "up",
        TargetState::Down => "down",
        TargetState::Loading => "loading",
    }
}

/// A target's name as the value of a query.
pub(super) fn query(target: &TargetStatus) -> String {
    byte_serialize(target.name.as_bytes()).collect()
}

impl<'a> Card<'a> {
    pub(super) fn new(target: &'a TargetStatus, telemetry_path: &'a str, now: UnixSeconds) -> Self {
        let ago = |time| AgeAndTime::ago(time, now);
        let pull = |pull: LastPull| Pull {
            succeeded: pull.succeeded,
            took: ShortDuration(pull.took),
            ended: ago(Some(pull.ended)),
        };
        let skew = |skew: f64| {
            let side = if skew > 0.0 { "ahead of" } else { "behind" };
            (RoughDuration(skew.abs() as u64), side)
        };
        let skipped = target.skipped.iter().take(MAX_SKIPPED);
        Self {
            target,
            telemetry_path,
            state: state(target),
            query: query(target),
            progress: (target.progress)
                .map(|progress| (Grouped(progress.calls as u64), progress.percent)),
            complete: ago(target.frontier),
            counted_from: target.counted_from.map(|time| ago(Some(time))),
            last_pull: target.last_pull.map(pull),
            last_success: ago(target.last_success),
            renewal: AgeAndTime::renewal(target.token_renewal, now),
            clock_skew: target.clock_skew.map(skew),
            skipped: skipped.map(|window| Skipped::new(window, now)).collect(),
            more_skipped: target.skipped.len().saturating_sub(MAX_SKIPPED),
            last_error: (target.last_error.as_ref()).map(|error| ErrorText::new(error, now)),
            lookback: RoughDuration(target.lookback.as_secs()),
            tables: tables(&target.calls),
        }
    }
}

impl<'a> Skipped<'a> {
    fn new(window: &'a SkippedWindow, now: UnixSeconds) -> Self {
        Self {
            from: Utc(window.from),
            to: Utc(window.to),
            retry: RoughDuration(window.retry_at.saturating_sub(now).into()),
            reason: &window.reason,
        }
    }
}

/// A table for each type of call. Statuses without calls are left out: there are many.
fn tables(calls: &[CallCount]) -> Vec<Table<'_>> {
    let present: Vec<&CallCount> = calls.iter().filter(|call| call.calls > 0).collect();
    let most = present.iter().map(|call| call.calls).max().unwrap_or(1);
    let tables = present.chunk_by(|a, b| a.call_type == b.call_type);
    tables
        .map(|calls| Table {
            call_type: &calls[0].call_type,
            sum: Grouped(calls.iter().map(|call| call.calls).sum()),
            bars: calls.iter().map(|call| Bar::new(call, most)).collect(),
        })
        .collect()
}

impl<'a> Bar<'a> {
    fn new(call: &'a CallCount, most: u64) -> Self {
        Self {
            status: &call.status,
            calls: Grouped(call.calls),
            class: match call.outcome {
                CallOutcome::Pending => "pending",
                CallOutcome::Succeeded => "succeeded",
                CallOutcome::Failed => "failed",
                CallOutcome::Missing => "missing",
            },
            width: (u128::from(call.calls) * 1000 / u128::from(most)).max(MIN_BAR),
        }
    }
}
