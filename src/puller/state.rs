//! The state of one target: ledger, tallies and progress.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::{Checkpoint, Ledger, Observed};
use crate::metrics::exposition::CallMetrics;
use crate::metrics::histogram::ExemplarSource;
use crate::metrics::tallies::{FoldedCounts, StoredTallies, Tallies};
use crate::model::{
    CallId, CallType, Event, Inspection, Rejection, Status, Teams, UnixSeconds, Window,
};
use crate::puller::plan::Progress;
use crate::puller::recent_set::RecentSet;
use crate::puller::result_queue::{QueuedCall, ResultQueue};
use crate::puller::skipped::{Skipped, SkippedWindows};
use crate::store::{Backend, Changes, FileStore, Key, StoreError};
use crate::upstream::{Page, Rejected};

/// Seconds between commits that write nothing but a newer frontier.
const FRONTIER_INTERVAL: UnixSeconds = 60;

/// What is stored beside the rows of the calls. Field names are the format on disk.
#[derive(Serialize, Deserialize)]
struct StoredState<T> {
    marks: Checkpoint,
    progress: Progress,
    tallies: T,
    /// Missing in files of builds before 0.1.0; see [`TargetState::open`].
    #[serde(default)]
    looked_at: Option<UnixSeconds>,
    /// Missing in older files, and unknown then.
    #[serde(default)]
    counted_from: Option<UnixSeconds>,
    #[serde(default)]
    skipped: SkippedWindows,
}

/// Longest break between pulls, in seconds, after which processing times and listing delays are
/// still observed: they are measured by looking, so a longer break would be part of them. It is
/// Prometheus' staleness interval.
const MAX_UNWATCHED: UnixSeconds = 300;
/// The same in pull intervals, where those are long.
const MAX_UNWATCHED_INTERVALS: u32 = 3;
/// Seconds before the frontier that `cec_recent_calls` covers.
const RECENT: UnixSeconds = 3600;

fn damaged(name: &str) -> StoreError {
    StoreError::damaged(name, "its calls and its counters do not match")
}

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

    /// Requests a result again later, but not within `at_least` seconds.
    pub(super) fn postpone_result(
        &mut self,
        call: QueuedCall,
        now: UnixSeconds,
        at_least: UnixSeconds,
    ) {
        self.results.postpone(call, now, at_least);
    }

    /// Takes the number of calls that left the lookback before their result was counted.
    pub(super) fn take_expired_results(&mut self) -> usize {
        std::mem::take(&mut self.expired_results)
    }

    /// What is still to be requested; `None` if results are not requested.
    pub(super) fn pending_results(&self) -> Option<PendingResults> {
        self.results.is_enabled().then(|| PendingResults {
            calls: self.results.len(),
            oldest: self.results.oldest(),
        })
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
        for (id, before) in &page.renamed {
            ledger.rename(*before, *id);
        }
        for record in &page.records {
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

    /// Whether there is anything to commit at `now`. A frontier that moved alone is written only now
    /// and then; a restart then reads a little more.
    pub(super) fn is_commit_due(&self, now: UnixSeconds) -> bool {
        let Some((written, at)) = self.written else {
            return true;
        };
        let elapsed = now.abs_diff(at);
        self.changed
            || self.ledger.has_changes()
            || self.results.has_changes()
            || (written.gap, written.complete) != (self.progress.gap, self.progress.complete)
            || elapsed >= FRONTIER_INTERVAL
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

    /// Takes the changes since the last commit, with the state that belongs to them.
    ///
    /// # Errors
    ///
    /// If the state cannot be serialised. Nothing is taken then.
    pub(super) fn take_changes(&mut self, now: UnixSeconds) -> Result<Changes, StoreError> {
        let drop_below = self.ledger.drop_below();
        let stored = StoredState {
            marks: self.ledger.checkpoint(),
            progress: self.progress,
            tallies: &self.tallies,
            looked_at: self.looked_at,
            counted_from: self.counted_from,
            skipped: self.skipped.clone(),
        };
        // Committing an empty state in its place would lose all counters.
        let state = serde_json::to_vec(&stored)
            .map_err(|error| StoreError::new(format!("cannot serialise the counters: {error}")))?;
        let mut key = Key::default();
        key[..4].copy_from_slice(&drop_below.to_be_bytes());
        self.changed = false;
        self.written = Some((self.progress, now));
        Ok(Changes {
            rows: self.ledger.take_changes(),
            removed: self.ledger.take_removed(),
            drop_below: key,
            queue: self.results.take_changes(),
            state,
        })
    }

    /// Records that the changes are on disk.
    pub(super) fn mark_committed(&mut self, changes: &Changes) {
        let [a, b, c, d, ..] = changes.drop_below;
        self.ledger
            .mark_committed(UnixSeconds::from_be_bytes([a, b, c, d]));
    }

    /// Returns changes whose commit failed to the next one.
    pub(super) fn requeue(&mut self, changes: &Changes) {
        self.changed = true;
        self.ledger.requeue(&changes.rows, &changes.removed);
        self.results.requeue(&changes.queue);
    }

    /// Opens the stored state of a target. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store, and a file whose calls and counters do not match.
    pub fn open(backend: Backend) -> Result<(Self, FileStore), StoreError> {
        let name = backend.name();
        let mut state = Self::default();
        let mut sound = true;
        let (store, stored) = FileStore::open(backend, |key, value| {
            sound &= state.ledger.restore((key, value))
        })?;
        for (key, written) in store.queue()? {
            sound &= state.results.restore(key, &written);
        }
        let Some(stored) = stored else {
            return if state.is_empty() {
                Ok((state, store))
            } else {
                Err(damaged(&name))
            };
        };
        let stored: StoredState<StoredTallies> =
            serde_json::from_slice(&stored).map_err(|_| damaged(&name))?;
        state.progress = stored.progress;
        state.counted_from = stored.counted_from;
        state.skipped = stored.skipped;
        state.looked_at = match stored.tallies.is_legacy() {
            false => stored.looked_at,
            // Older builds did not store it, but had read up to here.
            true => (stored.progress.known)
                .filter(|_| stored.progress.gap.is_none())
                .map(|known| known.to),
        };
        let is_whole = sound && state.ledger.resume(&stored.marks);
        match stored.tallies.restore(state.ledger.positions()) {
            Some(tallies) if is_whole => state.tallies = tallies,
            _ => return Err(damaged(&name)),
        }
        Ok((state, store))
    }

    /// How many are counted under `other`.
    pub(super) fn folded(&self) -> FoldedCounts {
        self.tallies.folded()
    }

    /// Calls uploaded in the hour before the frontier, by type.
    fn recent(&self) -> BTreeMap<CallType, u64> {
        let mut calls: BTreeMap<_, _> = self.tallies.call_types().map(|of| (of, 0)).collect();
        if let Some(to) = self.progress.frontier() {
            let from = to.saturating_sub(RECENT - 1);
            calls.extend(self.ledger.uploaded_in(Window { from, to }));
        }
        calls
    }

    /// What may be published once it is committed.
    pub(super) fn published(&self) -> Published {
        let calls = self.progress.complete.then(|| {
            Arc::new(CallMetrics {
                tallies: self.tallies.clone(),
                oldest_pending: self.ledger.oldest_pending().collect(),
                recent: self.recent(),
                counted_from: self.counted_from,
            })
        });
        Published {
            calls,
            looked_at: self.looked_at,
            progress: self.progress,
            remembered: self.ledger.len(),
            skipped: self.skipped.iter().cloned().collect(),
            folded: self.folded(),
            results: self.pending_results(),
        }
    }
}

/// The part of a state that is published.
pub(super) struct Published {
    /// `None` until the first lookback is complete.
    pub(super) calls: Option<Arc<CallMetrics>>,
    pub(super) looked_at: Option<UnixSeconds>,
    pub(super) progress: Progress,
    pub(super) remembered: usize,
    pub(super) skipped: Vec<Skipped>,
    pub(super) folded: FoldedCounts,
    /// `None` if results are not requested.
    pub(super) results: Option<PendingResults>,
}

/// Calls whose inspection result is still to be requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PendingResults {
    pub(super) calls: usize,
    /// Upload time of the oldest one.
    pub(super) oldest: Option<UnixSeconds>,
}

#[cfg(test)]
mod tests;
