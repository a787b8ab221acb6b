//! What is known of one target: its ledger, the tallies made of it, and how far the list is read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, Marks, Observed};
use crate::metrics::exposition::CallMetrics;
use crate::metrics::histogram::Source;
use crate::metrics::tallies::{Stored, Tallies};
use crate::model::{CallSet, CallType, Event, Rejection, Status, UnixSeconds, Window};
use crate::puller::plan::Progress;
use crate::puller::recent_set::RecentSet;
use crate::store::{Changes, FileStore, Key, Medium, StoreError};
use crate::upstream::{Page, Rejected};

/// What is kept beside the rows of the calls.
#[derive(Serialize, Deserialize)]
struct State<T> {
    marks: Marks,
    progress: Progress,
    tallies: T,
    /// Not in files of builds before 0.1.0, which [`Book::open`] allows for.
    #[serde(default)]
    looked_at: Option<UnixSeconds>,
    /// Not in files that were written before it was kept; nobody can tell it any more.
    #[serde(default)]
    counted_from: Option<UnixSeconds>,
}

/// The least time for which nobody may have looked at the list before a time that is measured by
/// looking at it, such as a call's processing time, is no longer observed. Prometheus gives up a
/// series that has not been scraped for as long.
const LONGEST_UNWATCHED: UnixSeconds = 300;
/// The same in pull intervals, where those are long.
const UNWATCHED_INTERVALS: u32 = 3;
/// The seconds before the frontier whose calls are recent.
const RECENT: UnixSeconds = 3600;

fn damaged(name: &str) -> StoreError {
    StoreError::damaged(name, "its calls and its counters do not belong together")
}

/// Ledger, tallies and progress, which are only ever changed together.
pub struct Book {
    pub(super) ledger: Ledger,
    tallies: Tallies,
    pub(super) progress: Progress,
    /// Calls uploaded before were never counted: at this time, all counters were 0.
    pub(super) counted_from: Option<UnixSeconds>,
    rejects: RecentSet,
    /// When the pull began that last read everything, without a gap: each pending call was looked
    /// at since then, and each call that was listed by then is known.
    pub(super) looked_at: Option<UnixSeconds>,
    longest_unwatched: UnixSeconds,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            tallies: Tallies::default(),
            progress: Progress::default(),
            counted_from: None,
            rejects: RecentSet::default(),
            looked_at: None,
            longest_unwatched: LONGEST_UNWATCHED,
        }
    }
}

impl Book {
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
        self.longest_unwatched = some.max(LONGEST_UNWATCHED);
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
            ..
        } = self;
        let mut rejected = [0; Rejection::ALL.len()];
        let mut reject = |row: Rejected| {
            if rejects.insert(row.fingerprint) {
                rejected[row.reason as usize] += 1;
            }
        };
        page.rejected.iter().copied().for_each(&mut reject);
        for record in &page.records {
            let source = Some(Source {
                call: record.id,
                at: now,
            });
            let observed = ledger.observe(record, now, lookback, &mut |mut event| {
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
            if matches!(observed, Observed::Future | Observed::Full) {
                tracing::debug!(call = ?record.id, uploaded = record.uploaded, ?observed, "record rejected");
                reject(Rejected::new(Rejection::UploadTime, record.id));
            }
        }
        rejected
    }

    /// Marks what a whole reading of a window did not show.
    pub(super) fn mark_missing(&mut self, window: Window, seen: &CallSet) {
        let Self {
            ledger, tallies, ..
        } = self;
        ledger.mark_missing(window, seen, &mut |event| tallies.apply(&event, None));
    }

    /// Forgets what is older than the lookback.
    pub(super) fn expire(&mut self, cutoff: UnixSeconds) {
        let Self {
            ledger, tallies, ..
        } = self;
        ledger.expire(cutoff, &mut |event| tallies.apply(&event, None));
    }

    /// What has changed since the last commit, with the state that belongs to it.
    pub(super) fn take_changes(&mut self) -> Changes {
        let rows = self.ledger.take_changes();
        let drop_below = self.ledger.drop_below();
        let state = State {
            marks: self.ledger.marks(),
            progress: self.progress,
            tallies: &self.tallies,
            looked_at: self.looked_at,
            counted_from: self.counted_from,
        };
        let mut key = Key::default();
        key[..4].copy_from_slice(&drop_below.to_be_bytes());
        Changes {
            rows,
            drop_below: key,
            // Numbers and lists of numbers: nothing in it can fail to be written.
            state: serde_json::to_vec(&state).unwrap_or_default(),
        }
    }

    /// The changes that were taken are kept.
    pub(super) fn kept(&mut self) {
        self.ledger.kept();
    }

    /// Changes that could not be kept: they come again with the next ones.
    pub(super) fn put_back(&mut self, changes: &Changes) {
        self.ledger.put_back(&changes.rows);
    }

    /// Reads what was kept of a target. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store; and for a file whose calls and counters do not belong together.
    pub fn open(medium: Medium) -> Result<(Self, FileStore), StoreError> {
        let name = medium.name();
        let mut book = Self::default();
        let mut sound = true;
        let (store, state) = FileStore::open(medium, |key, value| {
            sound &= book.ledger.restore((key, value))
        })?;
        let Some(state) = state else {
            return if book.is_empty() {
                Ok((book, store))
            } else {
                Err(damaged(&name))
            };
        };
        let state: State<Stored> = serde_json::from_slice(&state).map_err(|_| damaged(&name))?;
        book.progress = state.progress;
        book.counted_from = state.counted_from;
        // An older build did not keep it, but had read the tail by then.
        let read = state
            .progress
            .known
            .filter(|_| state.progress.gap.is_none());
        book.looked_at = state.looked_at.or(read.map(|known| known.to));
        let is_whole = sound && book.ledger.go_on(&state.marks);
        match state.tallies.open(book.ledger.standing()) {
            Some(tallies) if is_whole => book.tallies = tallies,
            _ => return Err(damaged(&name)),
        }
        Ok((book, store))
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
        }
    }
}

/// What the world may see of a book.
pub(super) struct Published {
    /// Once the first whole lookback is in.
    pub(super) calls: Option<CallMetrics>,
    pub(super) looked_at: Option<UnixSeconds>,
    pub(super) progress: Progress,
    pub(super) remembered: usize,
}

#[cfg(test)]
mod tests;
