//! Commits before publishing, so that a crash never takes back a published value.

use std::sync::Arc;

use super::state::Published;
use super::{Failure, Inner};
use crate::metrics::catalog;
use crate::store::{Store, StoreError};
use crate::upstream::Upstream;

impl<U: Upstream, S: Store> Inner<U, S> {
    /// Commits what was read, then publishes it.
    ///
    /// A commit that has begun completes even if the pull is aborted, so that the state never
    /// disagrees with the disk about what is committed.
    pub(super) async fn commit(self: &Arc<Self>) -> Result<(), Failure> {
        let turn = Arc::clone(&self.committing).lock_owned().await;
        let inner = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inner.commit_now()
        });
        written
            .await
            .unwrap_or_else(|error| Err(Failure::Storage(StoreError::new(error.to_string()))))
    }

    fn commit_now(&self) -> Result<(), Failure> {
        let (changes, published) = {
            let mut state = self.state.lock();
            let now = (self.clock)();
            let changes = match state.is_commit_due(now) {
                true => Some(state.take_changes(now).map_err(Failure::Storage)?),
                false => None,
            };
            (changes, state.published())
        };
        let Some(changes) = changes else {
            self.show(published);
            return Ok(());
        };
        match self.store.commit(&changes) {
            Ok(()) => {
                self.state.lock().mark_committed(&changes);
                self.show(published);
                Ok(())
            }
            Err(error) => {
                self.state.lock().requeue(&changes);
                Err(Failure::Storage(error))
            }
        }
    }

    /// Compacts the ledger's file if due. No scrape waits: a pull that starts meanwhile reads its
    /// pages, and only its commit waits.
    pub(super) fn compact(self: &Arc<Self>) {
        let Ok(turn) = Arc::clone(&self.committing).try_lock_owned() else {
            return;
        };
        let inner = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inner.store.compact();
        });
    }

    /// Publishes what is on disk. After a restart, `looked_at` stands in for the last success.
    pub(super) fn show(&self, published: Published) {
        let Published {
            calls,
            looked_at,
            progress,
            remembered,
            skipped,
            folded,
            results,
        } = published;
        if let Some(frontier) = progress.frontier() {
            self.metrics.set(catalog::FRONTIER, frontier.into());
        }
        if let Some(at) = progress.reconciled {
            self.metrics.set(catalog::RECONCILED, at.into());
        }
        (self.metrics).set(catalog::LEDGER_CALLS, remembered as f64);
        self.metrics.set_folded(folded);
        let pending = results.map(|results| results.calls as f64);
        self.metrics.set_optional(catalog::RESULTS_PENDING, pending);
        let oldest = results.and_then(|results| results.oldest).map(f64::from);
        self.metrics.set_optional(catalog::OLDEST_RESULT, oldest);
        let mut view = self.view.lock();
        if let (None, Some(at)) = (view.last_success, looked_at) {
            view.last_success = looked_at;
            self.metrics.set(catalog::LAST_SUCCESS, at.into());
        }
        view.calls = calls;
        view.progress = progress;
        view.remembered = remembered;
        view.skipped = skipped;
    }
}

#[cfg(test)]
mod tests;
