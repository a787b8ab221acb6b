//! The state of one target: ledger, tallies and progress.

mod published;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Ledger, Observed};
use crate::metrics::histogram::ExemplarSource;
use crate::metrics::tallies::Tallies;
use crate::model::{
    CallId, CallSet, CallType, Event, Inspection, Rejection, Status, Teams, UnixSeconds, Window,
};
use crate::puller::plan::Progress;
use crate::puller::recent_set::RecentSet;
use crate::puller::result_queue::{QueuedCall, ResultQueue};
use crate::puller::skipped::{Skipped, SkippedWindows};
use crate::upstream::{Page, Rejected};
pub(super) use published::Published;

/// Longest break between pulls, in seconds, after which processing times and listing delays are
/// still observed: they are measured by looking, so a longer break would be part of them. It is
/// Prometheus' staleness interval.
const MAX_UNWATCHED: UnixSeconds = 300;
/// The same in pull intervals, where those are long.
const MAX_UNWATCHED_INTERVALS: u32 = 3;
/// Ledger, tallies and progress, which change together and are committed together.
pub struct TargetState {
    pub(super) ledger: Ledger,
    tallies: Tallies,
    pub(super) progress: Progress,
    /// Calls uploaded before were never counted: the time at which all counters were 0.
    pub(super) counted_from: Option<UnixSeconds>,
    /// Windows that could not be read.
    pub(super) skipped: SkippedWindows,
    /// Fingerprints of rejected rows, so that each counts once.
    rejects: RecentSet,
    /// Something changed that must be committed before it is published.
    changed: bool,
    /// The progress on disk and when it was written.
    written: Option<(Progress, UnixSeconds)>,
    results: ResultQueue,
    /// Calls that left the lookback before their result was counted.
    expired_results: usize,
    /// Calls refused because of `max_calls`.
    pub(super) refused: u64,
    /// Start of the last pull that left no gap: it saw every pending call, and every call listed by
    /// then.
    pub(super) looked_at: Option<UnixSeconds>,
    max_unwatched: UnixSeconds,
}

impl Default for TargetState {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            tallies: Tallies::default(),
            progress: Progress::default(),
            counted_from: None,
            skipped: SkippedWindows::default(),
            rejects: RecentSet::default(),
            changed: false,
            written: None,
            results: ResultQueue::default(),
            expired_results: 0,
            refused: 0,
            looked_at: None,
            max_unwatched: MAX_UNWATCHED,
        }
    }
}

impl TargetState {
    /// Creates the series of these types and statuses.
    pub fn create_series(&mut self, call_types: &[CallType], statuses: &[Status]) {
        self.tallies.create_series(call_types, statuses);
    }

    /// Counts by team, up to so many teams; `None` for not at all.
    pub fn count_by_team(&mut self, max_teams: Option<usize>) {
        self.tallies.count_by_team(max_teams);
    }

    /// Counts by agent, up to so many; `None` for not at all.
    pub fn count_by_agent(&mut self, max_agents: Option<usize>) {
        self.tallies.count_by_agent(max_agents);
    }

    /// Requests the results of this share of the calls from now on, and counts up to so many rules;
    /// `None` for not at all.
    pub fn count_results(&mut self, results: Option<(f64, usize)>) {
        self.results.sample(results.map(|(share, _)| share));
        self.tallies
            .count_inspections(results.map(|(_, max_rules)| max_rules));
        self.changed = true;
    }

    /// The next call whose result is due, and its identity as the vendor writes it.
    pub(super) fn next_result(&self, now: UnixSeconds) -> Option<(QueuedCall, String)> {
        self.results.next(now)
    }

    /// Counts the result of a call, once.
    pub(super) fn count_result(&mut self, call: QueuedCall, inspection: &Inspection) {
        if self.results.remove(call) {
            self.tallies.count_inspection(inspection, call.0);
            self.changed = true;
        }
    }

    /// Requests a result again later, but not before `at_least` has passed.
    pub(super) fn postpone_result(
        &mut self,
        call: QueuedCall,
        now: UnixSeconds,
        at_least: Duration,
    ) {
        self.results.postpone(call, now, at_least);
    }

    /// Takes the number of calls that left the lookback before their result was counted.
    pub(super) fn take_expired_results(&mut self) -> usize {
        std::mem::take(&mut self.expired_results)
    }

    /// Changes who is in which team. Counted calls stay where they are.
    pub fn set_teams(&mut self, teams: Arc<Teams>) {
        self.tallies.set_teams(teams);
        self.changed = true;
    }

    /// Keeps an exemplar per bucket from now on.
    pub fn enable_exemplars(&mut self) {
        self.tallies.enable_exemplars();
    }

    /// Sets the expected interval between pulls.
    pub(super) fn expect_pulls_every(&mut self, interval: Duration) {
        let seconds = interval.saturating_mul(MAX_UNWATCHED_INTERVALS).as_secs();
        let seconds = UnixSeconds::try_from(seconds).unwrap_or(UnixSeconds::MAX);
        self.max_unwatched = seconds.max(MAX_UNWATCHED);
    }

    /// Whether the last pull is so recent that what is seen at `now` has just happened.
    fn is_watched(&self, now: UnixSeconds) -> bool {
        let recently = |at| now.saturating_sub(at) <= self.max_unwatched;
        self.progress.gap.is_none() && self.looked_at.is_some_and(recently)
    }

    /// Number of calls in the ledger.
    pub fn len(&self) -> usize {
        self.ledger.len()
    }

    /// Whether the ledger is empty.
    pub fn is_empty(&self) -> bool {
        self.ledger.is_empty()
    }

    /// Applies a page received at `now`. Returns the number of rejected rows by reason; a row counts
    /// once, however often it is read.
    pub fn apply(
        &mut self,
        page: &Page,
        now: UnixSeconds,
        lookback: Window,
    ) -> [u64; Rejection::ALL.len()] {
        let is_watched = self.is_watched(now);
        let Self {
            ledger,
            tallies,
            rejects,
            changed,
            refused,
            results,
            ..
        } = self;
        let mut rejected = [0; Rejection::ALL.len()];
        let mut reject = |row: Rejected| {
            if rejects.insert(row.fingerprint) {
                rejected[row.reason as usize] += 1;
            }
        };
        page.rejected.iter().copied().for_each(&mut reject);
        // Calls whose result is to be requested under their new identity.
        let mut renamed = CallSet::default();
        for (uuid, call_id) in &page.renamed {
            if let Some(uploaded) = ledger.rename(*call_id, *uuid)
                && results.remove((uploaded, *call_id))
            {
                renamed.insert(*uuid);
            }
        }
        for record in &page.records {
            if renamed.contains(&record.id) {
                results.push(record);
            }
            let source = Some(ExemplarSource {
                call: record.id,
                at: now,
            });
            let observed = ledger.observe(record, now, lookback, &mut |mut event| {
                *changed = true;
                match &mut event {
                    Event::Appeared { .. } if is_watched => {
                        let after = now.saturating_sub(record.uploaded);
                        tallies.observe_listing_delay(after, source);
                    }
                    Event::Processed {
                        processing_time, ..
                    } if !is_watched => {
                        processing_time.discard();
                    }
                    Event::Succeeded { .. } => results.push(record),
                    _ => {}
                }
                tallies.apply(&event, source, record.staff_id.as_deref());
            });
            *refused += u64::from(observed == Observed::Full);
            if observed == Observed::Future {
                tracing::debug!(call = ?record.id, uploaded = record.uploaded, ?observed, "record rejected");
                reject(Rejected::new(Rejection::UploadTime, record.id));
            }
        }
        rejected
    }

    /// Marks the calls of a window that two complete readings in agreement did not list.
    pub(super) fn mark_missing(&mut self, window: Window, is_listed: impl Fn(CallId) -> bool) {
        let Self {
            ledger,
            tallies,
            changed,
            ..
        } = self;
        ledger.mark_missing(window, is_listed, &mut |event| {
            *changed = true;
            tallies.apply(&event, None, None);
        });
    }

    /// Forgets calls uploaded before `cutoff`.
    pub(super) fn expire(&mut self, cutoff: UnixSeconds) {
        let Self {
            ledger,
            tallies,
            changed,
            ..
        } = self;
        ledger.expire(cutoff, &mut |event| {
            *changed = true;
            tallies.apply(&event, None, None);
        });
        self.expired_results += self.results.expire(cutoff);
    }

    /// Number of calls ever counted. While it is 0, marks may move back.
    pub(super) fn counted(&self) -> u64 {
        self.tallies.total_calls()
    }

    /// Discards progress made under a clock that was ahead: calls uploaded from `from` on count.
    pub(super) fn restart_from(&mut self, from: UnixSeconds) {
        self.progress = Progress::default();
        self.skipped = SkippedWindows::default();
        self.ledger.reopen(from);
        self.counted_from = Some(from);
    }

    /// Removes a skipped window, to retry it.
    pub(super) fn take_skipped(&mut self, window: Window) -> Option<Skipped> {
        let skipped = self.skipped.remove(window);
        self.changed |= skipped.is_some();
        skipped
    }

    /// Changes the skipped windows.
    pub(super) fn change_skipped(&mut self, change: impl FnOnce(&mut SkippedWindows)) {
        change(&mut self.skipped);
        self.changed = true;
    }
}

#[cfg(test)]
mod tests;
