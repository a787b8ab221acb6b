//! What the status page shows of a target.

use std::collections::BTreeMap;

use super::NOTABLE_CLOCK_SKEW;
use super::member::ClientFacts;
use crate::config::Target;
use crate::model::{Position, Status};
use crate::puller::View;
use crate::puller::skipped::Skipped;
use crate::server::{
    CallCount, LastError, LastPull, Outcome, SkippedWindow, TargetState, TargetView,
};

/// What the status page shows of a target.
pub(super) fn target_view(config: &Target, view: &View, client: ClientFacts) -> TargetView {
    TargetView {
        name: config.name.clone(),
        state: match view.up {
            Some(false) => TargetState::Down,
            Some(true) if view.progress.complete => TargetState::Up,
            _ => TargetState::Loading,
        },
        progress: (!view.progress.complete).then(|| loading(view)),
        lookback: config.lookback,
        frontier: view.progress.frontier(),
        counted_from: view.calls.as_ref().and_then(|calls| calls.counted_from),
        last_pull: view.last_pull.map(|(ended, took)| LastPull {
            ended,
            took,
            succeeded: view.up == Some(true),
        }),
        last_success: view.last_success,
        last_error: view.last_error.as_ref().map(|(at, failure)| LastError {
            at: *at,
            message: failure.message().into_owned(),
            likely_cause: failure.likely_cause().map(str::to_owned),
        }),
        token_renewal: client.token_renewal,
        clock_skew: client
            .clock_skew
            .filter(|skew| skew.abs() >= NOTABLE_CLOCK_SKEW),
        proxy: proxy(config),
        skipped: view.skipped.iter().map(skipped).collect(),
        calls: calls(view),
    }
}

fn proxy(config: &Target) -> Option<String> {
    let shown = [&config.proxy, &config.token_proxy].map(|proxy| {
        let proxy = proxy.as_ref();
        proxy.map_or_else(|| "none".to_owned(), ToString::to_string)
    });
    match shown {
        [calls, token] if calls == token => config.proxy.as_ref().map(|_| calls),
        [calls, token] => Some(format!("{calls}; for tokens: {token}")),
    }
}

fn skipped(skipped: &Skipped) -> SkippedWindow {
    SkippedWindow {
        from: skipped.window.from,
        to: skipped.window.to,
        retry_at: skipped.retry_at,
        reason: skipped.reason.clone(),
    }
}

fn loading(view: &View) -> String {
    let known = view.progress.known.map_or(0, |known| known.to - known.from);
    let left = view.progress.gap.map_or(0, |gap| gap.to - gap.from);
    let share = match known {
        0 => 0,
        _ => 100 * u64::from(known.saturating_sub(left)) / u64::from(known),
    };
    format!("{} calls read, {share} % of the lookback", view.remembered)
}

/// Calls by type, in the order in which a call goes through the statuses.
fn calls(view: &View) -> Vec<CallCount> {
    let Some(calls) = &view.calls else {
        return Vec::new();
    };
    let order: BTreeMap<Position, usize> = Status::documented()
        .enumerate()
        .map(|(index, status)| (Position::In(status), index))
        .collect();
    let mut counts: Vec<_> = calls.tallies.window().collect();
    counts.sort_by_key(|(call_type, position, _)| {
        (
            *call_type,
            order.get(position).copied().unwrap_or(usize::MAX),
            *position,
        )
    });
    counts
        .into_iter()
        .map(|(call_type, position, calls)| CallCount {
            call_type: call_type.to_string(),
            status: position.to_string(),
            outcome: outcome(position),
            calls,
        })
        .collect()
}

fn outcome(position: Position) -> Outcome {
    match position {
        Position::In(Status::SUCCEEDED) => Outcome::Succeeded,
        Position::In(status) if status.is_final() => Outcome::Failed,
        Position::In(_) => Outcome::Pending,
        Position::Missing => Outcome::Missing,
    }
}
