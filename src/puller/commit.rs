//! Commits before publishing, so that a crash never takes back a published value.

use std::sync::Arc;

use super::Inner;
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
        let (changes, snapshot) = {
            let mut state = self.state.lock();
            let now = (self.clock)();
            let is_due = state.is_commit_due(now);
            let changes = is_due.then(|| state.take_changes(now)).transpose()?;
            (changes, state.snapshot())
        };
        if let Some(changes) = changes {
            if let Err(error) = self.store.commit(&changes) {
                self.state.lock().requeue(&changes);
                return Err(error.into());
            }
            self.state.lock().mark_committed(&changes);
        }
        snapshot.set_metrics(&self.metrics);
        self.view.lock().snapshot = snapshot;
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
}

#[cfg(test)]
mod tests;
