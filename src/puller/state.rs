//! What is known of one target: its ledger, the tallies made of it, and how far the list is read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::{Checkpoint, Ledger, Observed};
use crate::metrics::exposition::CallMetrics;
use crate::metrics::histogram::Source;
use crate::metrics::tallies::{Stored, Tallies};
use crate::model::{CallId, CallType, Event, Rejection, Status, UnixSeconds, Window};
use crate::puller::plan::Progress;
use crate::puller::recent_set::RecentSet;
use crate::puller::skipped::{Skipped, SkippedWindows};
use crate::store::{Backend, Changes, FileStore, Key, StoreError};
use crate::upstream::{Page, Rejected};

/// Seconds after which a frontier is written that moved alone.
const FRONTIER_INTERVAL: UnixSeconds = 60;

/// What is kept beside the rows of the calls.
#[derive(Serialize, Deserialize)]
struct StoredState<T> {
    marks: Checkpoint,
    progress: Progress,
    tallies: T,
    /// Not in files of builds before 0.1.0, which [`TargetState::open`] allows for.
    #[serde(default)]
    looked_at: Option<UnixSeconds>,
    /// Not in files that were written before it was kept; nobody can tell it any more.
    #[serde(default)]
    counted_from: Option<UnixSeconds>,
    #[serde(default)]
    skipped: SkippedWindows,
}

/// The least time for which nobody may have looked at the list before a time that is measured by
/// looking at it, such as a call's processing time, is no longer observed. Prometheus gives up a
/// series that has not been scraped for as long.
const MAX_UNWATCHED: UnixSeconds = 300;
/// The same in pull intervals, where those are long.
const UNWATCHED_INTERVALS: u32 = 3;
/// The seconds before the frontier whose calls are recent.
const RECENT: UnixSeconds = 3600;

fn damaged(name: &str) -> StoreError {
    StoreError::damaged(name, "its calls and its counters do not belong together")
}

/// Ledger, tallies and progress, which are only ever changed together.
pub struct TargetState {
    pub(super) ledger: Ledger,
    tallies: Tallies,
    pub(super) progress: Progress,
    /// Calls uploaded before were never counted: at this time, all counters were 0.
    pub(super) counted_from: Option<UnixSeconds>,
    /// Parts of the list that could not be read.
    pub(super) skipped: SkippedWindows,
    rejects: RecentSet,
    /// Something has changed that must be on disk before it is published.
    changed: bool,
    /// The progress on disk, and the clock when it was written.
    written: Option<(Progress, UnixSeconds)>,
    /// Calls that found no room.
    pub(super) refused: u64,
    /// When the pull began that last read everything, without a gap: each pending call was looked
    /// at since then, and each call that was listed by then is known.
    pub(super) looked_at: Option<UnixSeconds>,
    longest_unwatched: UnixSeconds,
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
            refused: 0,
            looked_at: None,
            longest_unwatched: MAX_UNWATCHED,
        }
    }
}

impl TargetState {
    /// Makes the series of these types and statuses be there from the start.
    pub fn expect(&mut self, call_types: &[CallType], statuses: &[Status]) {
        self.tallies.expect(call_types, statuses);
    }

    /// Makes the histograms name a call for each bucket, of those counted from now on.
    pub fn keep_exemplars(&mut self) {
        self.tallies.keep_exemplars();
    }

    /// Takes up how often pulls are to be expected.
    pub(super) fn expect_pulls_every(&mut self, interval: Duration) {
        let some = interval.saturating_mul(UNWATCHED_INTERVALS).as_secs();
        let some = UnixSeconds::try_from(some).unwrap_or(UnixSeconds::MAX);
        self.longest_unwatched = some.max(MAX_UNWATCHED);
    }

    /// Whether the list was last read so recently that what is seen at `now` has just happened.
    fn is_watched(&self, now: UnixSeconds) -> bool {
        let recently = |at| now.saturating_sub(at) <= self.longest_unwatched;
        self.progress.gap.is_none() && self.looked_at.is_some_and(recently)
    }

    /// How many calls are remembered.
    pub fn len(&self) -> usize {
        self.ledger.len()
    }

    /// Whether no call is remembered.
    pub fn is_empty(&self) -> bool {
        self.ledger.is_empty()
    }

    /// Takes up a page that was received at `now`; answers with what was rejected, by reason.
    ///
    /// A row is rejected once, however often it is read.
    pub fn take(
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
            let source = Some(Source {
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
                    Event::Processed { processing, .. } if !is_watched => {
                        processing.forget();
                    }
                    _ => {}
                }
                tallies.apply(&event, source);
            });
            *refused += u64::from(observed == Observed::Full);
            if observed == Observed::Future {
                tracing::debug!(call = ?record.id, uploaded = record.uploaded, ?observed, "record rejected");
                reject(Rejected::new(Rejection::UploadTime, record.id));
            }
        }
        rejected
    }

    /// Checkpoint the calls of a window that two complete readings in agreement did not list.
    pub(super) fn mark_missing(&mut self, window: Window, is_listed: impl Fn(CallId) -> bool) {
        let Self {
            ledger,
            tallies,
            changed,
            ..
        } = self;
        ledger.mark_missing(window, is_listed, &mut |event| {
            *changed = true;
            tallies.apply(&event, None);
        });
    }

    /// Forgets what is older than the lookback.
    pub(super) fn expire(&mut self, cutoff: UnixSeconds) {
        let Self {
            ledger,
            tallies,
            changed,
            ..
        } = self;
        ledger.expire(cutoff, &mut |event| {
            *changed = true;
            tallies.apply(&event, None);
        });
    }

    /// Calls that were ever counted. While there are none, the marks may still move either way.
    pub(super) fn counted(&self) -> u64 {
        self.tallies.counted()
    }

    /// Forgets how far the list was read, under a clock that was wrong: calls uploaded from
    /// `from` on are counted.
    pub(super) fn begin_anew(&mut self, from: UnixSeconds) {
        self.progress = Progress::default();
        self.skipped = SkippedWindows::default();
        self.ledger.reopen(from);
        self.counted_from = Some(from);
    }

    /// Whether a commit has anything to write at `now`. That the frontier moved alone is written
    /// now and then: a restart reads a little more.
    pub(super) fn is_commit_due(&self, now: UnixSeconds) -> bool {
        let Some((written, at)) = self.written else {
            return true;
        };
        let elapsed = now.abs_diff(at);
        self.changed
            || self.ledger.has_changes()
            || (written.gap, written.complete) != (self.progress.gap, self.progress.complete)
            || elapsed >= FRONTIER_INTERVAL
    }

    /// Takes out a skipped window that is tried again.
    pub(super) fn take_skipped(&mut self, window: Window) -> Option<Skipped> {
        let skipped = self.skipped.remove(window);
        self.changed |= skipped.is_some();
        skipped
    }

    /// Notes a change of the skipped windows.
    pub(super) fn change_skipped(&mut self, change: impl FnOnce(&mut SkippedWindows)) {
        change(&mut self.skipped);
        self.changed = true;
    }

    /// What has changed since the last commit, with the state that belongs to it.
    ///
    /// # Errors
    ///
    /// If the state cannot be written down. Nothing has been taken then.
    pub(super) fn take_changes(&mut self, now: UnixSeconds) -> Result<Changes, StoreError> {
        let drop_below = self.ledger.drop_below();
        let stored = StoredState {
            marks: self.ledger.marks(),
            progress: self.progress,
            tallies: &self.tallies,
            looked_at: self.looked_at,
            counted_from: self.counted_from,
            skipped: self.skipped.clone(),
        };
        // An empty state in its place would be committed, and would lose all counters.
        let state = serde_json::to_vec(&stored)
            .map_err(|error| StoreError::new(format!("cannot write down the counters: {error}")))?;
        let mut key = Key::default();
        key[..4].copy_from_slice(&drop_below.to_be_bytes());
        self.changed = false;
        self.written = Some((self.progress, now));
        Ok(Changes {
            rows: self.ledger.take_changes(),
            removed: self.ledger.take_removed(),
            drop_below: key,
            state,
        })
    }

    /// The changes that were taken are kept.
    pub(super) fn mark_committed(&mut self, changes: &Changes) {
        let [a, b, c, d, ..] = changes.drop_below;
        self.ledger
            .mark_committed(UnixSeconds::from_be_bytes([a, b, c, d]));
    }

    /// Changes that could not be kept: they come again with the next ones.
    pub(super) fn requeue(&mut self, changes: &Changes) {
        self.changed = true;
        self.ledger.requeue(&changes.rows, &changes.removed);
    }

    /// Reads what was kept of a target. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store; and for a file whose calls and counters do not belong together.
    pub fn open(backend: Backend) -> Result<(Self, FileStore), StoreError> {
        let name = backend.name();
        let mut state = Self::default();
        let mut sound = true;
        let (store, stored) = FileStore::open(backend, |key, value| {
            sound &= state.ledger.restore((key, value))
        })?;
        let Some(stored) = stored else {
            return if state.is_empty() {
                Ok((state, store))
            } else {
                Err(damaged(&name))
            };
        };
        let stored: StoredState<Stored> =
            serde_json::from_slice(&stored).map_err(|_| damaged(&name))?;
        state.progress = stored.progress;
        state.counted_from = stored.counted_from;
        state.skipped = stored.skipped;
        state.looked_at = match stored.tallies.is_older() {
            false => stored.looked_at,
            // Such a build did not keep it, but had read the tail by then.
            true => (stored.progress.known)
                .filter(|_| stored.progress.gap.is_none())
                .map(|known| known.to),
        };
        let is_whole = sound && state.ledger.resume(&stored.marks);
        match stored.tallies.open(state.ledger.positions()) {
            Some(tallies) if is_whole => state.tallies = tallies,
            _ => return Err(damaged(&name)),
        }
        Ok((state, store))
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

    /// What the world may see once it is kept.
    pub(super) fn published(&self) -> Published {
        let calls = self.progress.complete.then(|| CallMetrics {
            tallies: self.tallies.clone(),
            oldest_pending: self.ledger.oldest_pending().collect(),
            recent: self.recent(),
            counted_from: self.counted_from,
        });
        Published {
            calls,
            looked_at: self.looked_at,
            progress: self.progress,
            remembered: self.ledger.len(),
            skipped: self.skipped.iter().cloned().collect(),
        }
    }
}

/// What the world may see of a state.
pub(super) struct Published {
    /// Once the first whole lookback is in.
    pub(super) calls: Option<CallMetrics>,
    pub(super) looked_at: Option<UnixSeconds>,
    pub(super) progress: Progress,
    pub(super) remembered: usize,
    pub(super) skipped: Vec<Skipped>,
}

#[cfg(test)]
mod tests;
