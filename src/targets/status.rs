//! The data of the status page.

use std::time::Duration;

use super::target::Target;
use crate::config;
use crate::model::{CallType, Position, Status as CallStatus, UnixSeconds};
use crate::puller::{Snapshot, View};

/// A clock difference in seconds that is worth a warning: less than the shortest useful `overlap`,
/// more than a slow answer takes.
pub const NOTABLE_CLOCK_SKEW: f64 = 30.0;

#[derive(Clone, Default, Debug)]
pub struct Status {
    pub now: UnixSeconds,
    /// The exporter's version, for people.
    pub version: String,
    pub is_ready: bool,
    /// The targets in the order of the configuration.
    pub targets: Vec<TargetStatus>,
    /// When and why the last reload failed; `None` once a reload succeeds. One line without secrets.
    pub reload_error: Option<(UnixSeconds, String)>,
}

#[derive(Clone, Debug)]
pub struct TargetStatus {
    pub name: String,
    pub health: Health,
    /// What its puller has published.
    pub view: View,
    /// Of the first read of the lookback; `None` once that is complete.
    pub progress: Option<LoadProgress>,
    /// The window that `calls` counts.
    pub lookback: Duration,
    /// The counters contain calls uploaded from this time on, if that is known.
    pub counted_from: Option<UnixSeconds>,
    /// From this time on a request renews the token; `None` before the first token.
    pub token_renewal: Option<UnixSeconds>,
    /// Seconds by which the local clock is ahead of the vendor's, if notable.
    pub clock_skew: Option<f64>,
    /// The proxies that its requests use, without credentials; `None` if they connect directly.
    pub proxy: Option<String>,
    /// Calls in the window by type and status, in display order.
    pub calls: Vec<CallCount>,
    /// The last success is more than `stale_after` ago, so that `/metrics` no longer has the
    /// gauges that correspond to `calls`.
    pub is_stale: bool,
}

/// How far the first read of the lookback is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadProgress {
    pub calls: u64,
    /// Share of the lookback that is read.
    pub percent: u64,
}

/// As of the last pull.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Health {
    /// The last pull succeeded.
    Up,
    /// The last pull failed.
    Down,
    /// No pull has failed, but the first read of the lookback is not complete.
    Loading,
}

/// Calls of one type in one position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallCount {
    pub call_type: CallType,
    pub position: Position,
    pub calls: u64,
}

impl TargetStatus {
    pub(super) fn new(target: &Target, now: UnixSeconds) -> Self {
        let (config, view, reported) = (&target.config, target.puller.view(), target.reported());
        let (snapshot, skew) = (&view.snapshot, reported.clock_skew);
        Self {
            name: config.name.clone(),
            health: match view.up {
                Some(false) => Health::Down,
                Some(true) if snapshot.progress.complete => Health::Up,
                _ => Health::Loading,
            },
            progress: (!snapshot.progress.complete).then(|| progress(snapshot)),
            lookback: config.lookback,
            counted_from: snapshot.calls.as_ref().and_then(|calls| calls.counted_from),
            token_renewal: reported.token_renewal,
            clock_skew: skew.filter(|skew| skew.abs() >= NOTABLE_CLOCK_SKEW),
            proxy: proxy(config),
            calls: call_counts(snapshot),
            is_stale: view.is_stale(now, config.gauges_stay()),
            view,
        }
    }
}

fn progress(snapshot: &Snapshot) -> LoadProgress {
    let known = snapshot
        .progress
        .known
        .map_or(0, |known| known.to - known.from);
    let left = snapshot.progress.gap.map_or(0, |gap| gap.to - gap.from);
    LoadProgress {
        calls: snapshot.remembered as u64,
        percent: match known {
            0 => 0,
            _ => 100 * u64::from(known.saturating_sub(left)) / u64::from(known),
        },
    }
}

fn proxy(config: &config::Target) -> Option<String> {
    let shown = [&config.proxy, &config.token_proxy].map(|proxy| {
        let proxy = proxy.as_ref();
        proxy.map_or_else(|| "none".to_owned(), ToString::to_string)
    });
    match shown {
        [calls, token] if calls == token => config.proxy.as_ref().map(|_| calls),
        [calls, token] => Some(format!("{calls}; for tokens: {token}")),
    }
}

/// By type, then in the order in which a call passes through the statuses.
fn call_counts(snapshot: &Snapshot) -> Vec<CallCount> {
    let Some(calls) = &snapshot.calls else {
        return Vec::new();
    };
    let documented: Vec<Position> = CallStatus::documented().map(Position::In).collect();
    let mut counts: Vec<CallCount> = (calls.tallies.window())
        .map(|(call_type, position, calls)| CallCount {
            call_type,
            position,
            calls,
        })
        .collect();
    counts.sort_by_key(|count| {
        let index = documented.iter().position(|known| *known == count.position);
        (count.call_type, index.unwrap_or(usize::MAX), count.position)
    });
    counts
}
