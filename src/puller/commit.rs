//! Commits before publishing, so that a crash never takes back a published value.

use std::sync::Arc;

use super::{Inner, View};
use crate::metrics::catalog;
use crate::store::StoreError;
use crate::upstream::{Error, Upstream};

impl<U: Upstream> Inner<U> {
    /// Commits what was read, then publishes it.
    ///
    /// A commit that has begun completes even if the pull is aborted, so that the state never
    /// disagrees with the disk about what is committed.
    pub(super) async fn commit(self: &Arc<Self>) -> Result<(), Error> {
        let turn = Arc::clone(&self.committing).lock_owned().await;
        let inner = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inner.commit_now()
        });
        written
            .await
            .unwrap_or_else(|error| Err(StoreError::new(error.to_string()).into()))
    }

    fn commit_now(&self) -> Result<(), Error> {
        let (changes, published) = {
            let mut state = self.state.lock();
            let now = (self.clock)();
            let is_due = state.is_commit_due(now);
            let changes = is_due.then(|| state.take_changes(now)).transpose()?;
            (changes, state.published())
        };
        if let Some(changes) = changes {
            if let Err(error) = self.store.commit(&changes) {
                self.state.lock().requeue(&changes);
                return Err(error.into());
            }
            self.state.lock().mark_committed(&changes);
        }
        self.show(published);
        Ok(())
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

    /// Publishes what is on disk. How the last pull went stays as it is.
    pub(super) fn show(&self, published: View) {
        if let Some(frontier) = published.progress.frontier() {
            self.metrics.set(catalog::FRONTIER, frontier.into());
        }
        if let Some(at) = published.progress.reconciled {
            self.metrics.set(catalog::RECONCILED, at.into());
        }
        (self.metrics).set(catalog::LEDGER_CALLS, published.remembered as f64);
        self.metrics.set_folded(published.folded);
        let results = published.results;
        let pending = results.map(|results| results.calls as f64);
        self.metrics.set_optional(catalog::RESULTS_PENDING, pending);
        let oldest = results.and_then(|results| results.oldest).map(f64::from);
        self.metrics.set_optional(catalog::OLDEST_RESULT, oldest);
        let mut view = self.view.lock();
        let before = std::mem::take(&mut *view);
        if let (None, Some(at)) = (before.last_success, published.last_success) {
            self.metrics.set(catalog::LAST_SUCCESS, at.into());
        }
        *view = View {
            up: before.up,
            last_pull: before.last_pull,
            last_success: before.last_success.or(published.last_success),
            last_error: before.last_error,
            results_error: before.results_error,
            teams_error: before.teams_error,
            ..published
        };
    }
}

#[cfg(test)]
mod tests;
