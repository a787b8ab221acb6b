//! What is known of one target: its ledger, the tallies made of it, and how far the list is read.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, Marks, Observed};
use crate::metrics::exposition::CallMetrics;
use crate::metrics::histogram::Source;
use crate::metrics::tallies::Tallies;
use crate::model::{CallSet, CallType, Rejection, Status, UnixSeconds, Window};
use crate::puller::plan::Progress;
use crate::puller::recent_set::RecentSet;
use crate::store::{Changes, FileStore, Key, Medium, StoreError};
use crate::upstream::{Page, Rejected};

/// What is kept beside the rows of the calls.
#[derive(Serialize, Deserialize)]
struct State<'a> {
    marks: Marks,
    progress: Progress,
    tallies: Cow<'a, Tallies>,
    /// Not in files that were written before it was kept; nobody can tell it any more.
    #[serde(default)]
    counted_from: Option<UnixSeconds>,
}

fn damaged(name: &str) -> StoreError {
    StoreError::damaged(name, "its calls and its counters do not belong together")
}

/// Ledger, tallies and progress, which are only ever changed together.
#[derive(Default)]
pub struct Book {
    pub(super) ledger: Ledger,
    tallies: Tallies,
    pub(super) progress: Progress,
    /// Calls uploaded before were never counted: at this time, all counters were 0.
    pub(super) counted_from: Option<UnixSeconds>,
    rejects: RecentSet,
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
            let observed = ledger.observe(record, now, lookback, &mut |event| {
                tallies.apply(&event, source)
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
    ///
    /// # Errors
    ///
    /// If the state cannot be written down. Nothing has been taken then.
    pub(super) fn take_changes(&mut self) -> Result<Changes, StoreError> {
        let drop_below = self.ledger.drop_below();
        let state = State {
            marks: self.ledger.marks(),
            progress: self.progress,
            tallies: Cow::Borrowed(&self.tallies),
            counted_from: self.counted_from,
        };
        // An empty state in its place would be committed, and would lose all counters.
        let state = serde_json::to_vec(&state)
            .map_err(|error| StoreError::new(format!("cannot write down the counters: {error}")))?;
        let mut key = Key::default();
        key[..4].copy_from_slice(&drop_below.to_be_bytes());
        Ok(Changes {
            rows: self.ledger.take_changes(),
            drop_below: key,
            state,
        })
    }

    /// The changes that were taken are kept.
    pub(super) fn kept(&mut self, changes: &Changes) {
        let [a, b, c, d, ..] = changes.drop_below;
        self.ledger.kept(UnixSeconds::from_be_bytes([a, b, c, d]));
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
        let state: State<'_> = serde_json::from_slice(&state).map_err(|_| damaged(&name))?;
        book.tallies = state.tallies.into_owned();
        book.progress = state.progress;
        book.counted_from = state.counted_from;
        if sound && book.ledger.go_on(&state.marks) && book.tallies.fits(book.ledger.standing()) {
            Ok((book, store))
        } else {
            Err(damaged(&name))
        }
    }

    /// What the world may see once it is kept.
    pub(super) fn published(&self) -> Published {
        let calls = self.progress.complete.then(|| CallMetrics {
            tallies: self.tallies.clone(),
            oldest_pending: self.ledger.oldest_pending().collect(),
            counted_from: self.counted_from,
        });
        Published {
            calls,
            progress: self.progress,
            remembered: self.ledger.len(),
        }
    }
}

/// What the world may see of a book.
pub(super) struct Published {
    /// Once the first whole lookback is in.
    pub(super) calls: Option<CallMetrics>,
    pub(super) progress: Progress,
    pub(super) remembered: usize,
}

#[cfg(test)]
mod tests;
