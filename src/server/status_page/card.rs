//! One target: a card, or a row of the table.

use askama::Template;
use askama::filters::{HtmlSafe, Safe};
use indicatif::HumanCount;
use url::form_urlencoded::byte_serialize;

use super::display::{self, RoughDuration, ShortDuration, Utc, ago, ago_at};
use crate::model::{CallType, Position, Status, UnixSeconds};
use crate::targets::{CallCount, Health, TargetStatus};

/// Skipped windows on a card.
const MAX_SKIPPED: usize = 5;
/// Bars are 1,000 wide. The shortest is still visible.
const MIN_BAR: u128 = 5;

#[derive(Template)]
#[template(path = "card.html")]
pub(super) struct Card<'a> {
    pub(super) target: &'a TargetStatus,
    pub(super) telemetry_path: &'a str,
    pub(super) now: UnixSeconds,
}

/// It escapes its own parts.
impl HtmlSafe for Card<'_> {}

/// The calls of one type.
struct Table {
    call_type: CallType,
    sum: HumanCount,
    bars: Vec<Bar>,
}

/// The calls in one position. The bar is drawn as SVG, because the policy forbids style attributes.
struct Bar {
    position: Position,
    calls: HumanCount,
    class: &'static str,
    width: u128,
}

impl Card<'_> {
    /// The health as a CSS class; in capitals, it is the word on the page.
    pub(super) fn state(&self) -> &'static str {
        match self.target.health {
            Health::Up => "up",
            Health::Down => "down",
            Health::Loading => "loading",
        }
    }

    /// The name as the value of a query.
    pub(super) fn query(&self) -> String {
        byte_serialize(self.target.name.as_bytes()).collect()
    }

    /// Up to when the list is complete, without the time itself.
    pub(super) fn age(&self) -> String {
        ago(self.target.view.snapshot.progress.frontier(), self.now)
    }

    pub(super) fn calls(&self) -> HumanCount {
        HumanCount(self.target.calls.iter().map(|call| call.calls).sum())
    }

    /// A table for each type of call. Statuses without calls are left out: there are many.
    fn tables(&self) -> Vec<Table> {
        let calls = self.target.calls.iter();
        let present: Vec<&CallCount> = calls.filter(|call| call.calls > 0).collect();
        let most = present.iter().map(|call| call.calls).max().unwrap_or(1);
        let tables = present.chunk_by(|a, b| a.call_type == b.call_type);
        tables
            .map(|calls| Table {
                call_type: calls[0].call_type,
                sum: HumanCount(calls.iter().map(|call| call.calls).sum()),
                bars: calls.iter().map(|call| Bar::new(call, most)).collect(),
            })
            .collect()
    }

    fn ago(&self, time: Option<UnixSeconds>) -> Safe<String> {
        ago_at(time, self.now)
    }

    fn size(&self, skew: &f64) -> RoughDuration {
        RoughDuration(skew.abs() as u64)
    }

    fn until(&self, time: UnixSeconds) -> RoughDuration {
        RoughDuration(time.saturating_sub(self.now).into())
    }
}

impl Bar {
    fn new(call: &CallCount, most: u64) -> Self {
        Self {
            position: call.position,
            calls: HumanCount(call.calls),
            class: match call.position {
                Position::In(Status::SUCCEEDED) => "succeeded",
                Position::In(status) if status.is_final() => "failed",
                Position::In(_) => "pending",
                Position::Missing => "missing",
            },
            width: (u128::from(call.calls) * 1000 / u128::from(most)).max(MIN_BAR),
        }
    }
}
