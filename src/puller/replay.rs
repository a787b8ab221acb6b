//! Replays calls in the order of their upload, as if each had been read at that moment with the
//! status that it has now. So history has the counters that pulls would have made of it.

use super::plan::Progress;
use super::state::TargetState;
use crate::metrics::exposition::CallMetrics;
use crate::model::{Record, UnixSeconds, Window};
use crate::store::{Store, StoreError};
use crate::upstream::Page;

/// A replay of one target. It continues where the state ends.
pub struct Replay {
    state: TargetState,
    lookback: UnixSeconds,
}

impl Replay {
    /// Continues a state; calls uploaded before `from` never count.
    pub fn new(mut state: TargetState, from: UnixSeconds, lookback: UnixSeconds) -> Self {
        if state.counted_from.is_none() {
            state.ledger.close_before(from);
            state.counted_from = Some(from);
        }
        Self { state, lookback }
    }

    /// The upload time from which calls count.
    pub fn counts_from(&self) -> Option<UnixSeconds> {
        self.state.counted_from
    }

    /// The upload time up to which calls were replayed.
    pub fn position(&self) -> Option<UnixSeconds> {
        self.state.progress.known.map(|known| known.to)
    }

    /// Replays calls uploaded up to `to`, inclusive, which are all that are new by then.
    pub fn advance(&mut self, records: &[Record], to: UnixSeconds) {
        let lookback = Window::new(to.saturating_sub(self.lookback), to);
        let page = Page {
            records: records.to_vec(),
            ..Page::default()
        };
        self.state.apply(&page, to, lookback);
        self.state.expire(lookback.from);
        self.state.progress = Progress {
            known: Some(lookback),
            gap: None,
            complete: true,
            swept: Some(to),
            reconciled: Some(to),
        };
    }

    /// Passes the metrics at the current position to `look`, unless nothing was replayed yet.
    pub fn with_metrics(&mut self, look: impl FnOnce(&CallMetrics)) {
        if self.position().is_some() {
            self.state.with_metrics(look);
        }
    }

    /// Makes the replay durable. Blocks.
    ///
    /// # Errors
    ///
    /// Those of the store. The changes are lost to this replay then.
    pub fn commit(&mut self, store: &impl Store) -> Result<(), StoreError> {
        let now = self.position().unwrap_or_default();
        let changes = self.state.take_changes(now)?;
        store.commit(&changes)?;
        self.state.mark_committed(&changes);
        Ok(())
    }
}
