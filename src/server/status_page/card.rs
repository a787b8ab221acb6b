//! Everything about one target, as text for the template.

use askama::Template;
use askama::filters::HtmlSafe;
use url::form_urlencoded::byte_serialize;

use super::display::{AgeAndTime, Grouped, RoughDuration, ShortDuration, Utc, clean};
use crate::model::UnixSeconds;
use crate::targets::{CallCount, CallOutcome, LastError, SkippedWindow, TargetState, TargetStatus};

/// Errors are cut where they are made. This is the last line of defence.
const MAX_ERROR_CHARS: usize = 2000;
/// Skipped windows on a card.
const MAX_SKIPPED: usize = 5;
/// Bars are 1,000 wide. The shortest is still visible.
const MIN_BAR: u128 = 5;

#[derive(Template)]
#[template(path = "card.html")]
pub(super) struct Card {
    state: StateLabel,
    name: String,
    query: String,
    telemetry_path: String,
    progress: Option<(Grouped, u64)>,
    complete: AgeAndTime,
    counted_from: Option<AgeAndTime>,
    last_pull: Option<Pull>,
    renewal: AgeAndTime,
    clock_skew: Option<(RoughDuration, &'static str)>,
    proxy: Option<String>,
    skipped: Vec<Skipped>,
    more_skipped: Option<usize>,
    last_error: Option<ErrorText>,
    stale_since: Option<AgeAndTime>,
    lookback: RoughDuration,
    tables: Vec<Table>,
}

/// It escapes its own parts.
impl HtmlSafe for Card {}

/// A state as a CSS class and as a word.
pub(super) struct StateLabel {
    pub(super) class: &'static str,
    pub(super) word: &'static str,
}

struct Pull {
    how: &'static str,
    took: ShortDuration,
    ended: AgeAndTime,
    /// Only after a failure.
    last_success: Option<AgeAndTime>,
}

struct Skipped {
    from: Utc,
    to: Utc,
    retry: RoughDuration,
    reason: String,
}

/// An error and its time.
pub(super) struct ErrorText {
    pub(super) at: AgeAndTime,
    pub(super) message: String,
    likely_cause: Option<String>,
}

/// The calls of one type.
struct Table {
    call_type: String,
    sum: Grouped,
    bars: Vec<Bar>,
}

/// The calls in one status. The bar is drawn as SVG, because the policy forbids style attributes.
struct Bar {
    status: String,
    calls: Grouped,
    class: &'static str,
    width: u128,
}

impl From<TargetState> for StateLabel {
    fn from(state: TargetState) -> Self {
        let (class, word) = match state {
            TargetState::Up => ("up", "UP"),
            TargetState::Down => ("down", "DOWN"),
            TargetState::Loading => ("loading", "LOADING"),
        };
        Self { class, word }
    }
}

impl ErrorText {
    pub(super) fn new(error: &LastError, now: UnixSeconds) -> Self {
        let end = error.message.char_indices().nth(MAX_ERROR_CHARS);
        let message = match end {
            Some((end, _)) => clean(&error.message[..end]) + "…",
            None => clean(&error.message),
        };
        Self {
            at: AgeAndTime::ago(Some(error.at), now),
            message,
            likely_cause: error.likely_cause.as_deref().map(clean),
        }
    }
}

/// A target's name as the value of a query.
pub(super) fn query(target: &TargetStatus) -> String {
    byte_serialize(target.name.as_bytes()).collect()
}

impl Card {
    pub(super) fn new(target: &TargetStatus, telemetry_path: &str, now: UnixSeconds) -> Self {
        let ago = |time| AgeAndTime::ago(time, now);
        let last_pull = target.last_pull.map(|pull| Pull {
            how: if pull.succeeded {
                "succeeded"
            } else {
                "failed"
            },
            took: ShortDuration(pull.took),
            ended: ago(Some(pull.ended)),
            last_success: (!pull.succeeded).then(|| ago(target.last_success)),
        });
        let skew = |skew: f64| {
            let side = if skew > 0.0 { "ahead of" } else { "behind" };
            (RoughDuration(skew.abs() as u64), side)
        };
        let tables = tables(&target.calls);
        let skipped = target.skipped.iter().take(MAX_SKIPPED);
        Self {
            state: target.state.into(),
            name: clean(&target.name),
            query: query(target),
            telemetry_path: clean(telemetry_path),
            progress: (target.progress)
                .map(|progress| (Grouped(progress.calls as u64), progress.percent)),
            complete: ago(target.frontier),
            counted_from: target.counted_from.map(|time| ago(Some(time))),
            last_pull,
            renewal: AgeAndTime::renewal(target.token_renewal, now),
            clock_skew: target.clock_skew.map(skew),
            proxy: target.proxy.as_deref().map(clean),
            skipped: skipped.map(|window| Skipped::new(window, now)).collect(),
            more_skipped: (target.skipped.len().checked_sub(MAX_SKIPPED)).filter(|more| *more > 0),
            last_error: (target.last_error.as_ref()).map(|error| ErrorText::new(error, now)),
            stale_since: (target.is_stale && !tables.is_empty()).then(|| ago(target.last_success)),
            lookback: RoughDuration(target.lookback.as_secs()),
            tables,
        }
    }
}

impl Skipped {
    fn new(window: &SkippedWindow, now: UnixSeconds) -> Self {
        Self {
            from: Utc(window.from),
            to: Utc(window.to),
            retry: RoughDuration(window.retry_at.saturating_sub(now).into()),
            reason: clean(&window.reason),
        }
    }
}

/// A table for each type of call. Statuses without calls are left out: there are many.
fn tables(calls: &[CallCount]) -> Vec<Table> {
    let present: Vec<&CallCount> = calls.iter().filter(|call| call.calls > 0).collect();
    let most = present.iter().map(|call| call.calls).max().unwrap_or(1);
    let of_one_type = |a: &&CallCount, b: &&CallCount| a.call_type == b.call_type;
    present
        .chunk_by(of_one_type)
        .map(|calls| Table {
            call_type: clean(&calls[0].call_type),
            sum: Grouped(calls.iter().map(|call| call.calls).sum()),
            bars: calls.iter().map(|call| Bar::new(call, most)).collect(),
        })
        .collect()
}

impl Bar {
    fn new(call: &CallCount, most: u64) -> Self {
        Self {
            status: clean(&call.status),
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
