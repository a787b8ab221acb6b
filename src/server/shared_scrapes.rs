//! Renders once for all scrapes that ask for the same. A scrape that must not wait for pulls is
//! answered with what is complete. If hundreds ask at once, rendering that for each would take the
//! memory of hundreds of responses.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::targets::{Coalesce, ScrapeError};

/// Different requests rendered at a time. Each takes a processor for a while, which delays other clients.
const AT_ONCE: usize = 16;
/// Different requests that are rendered or wait for their turn: one for each target, if a client probes
/// hundreds of targets at once.
const MAX_DIFFERENT: usize = 1024;

type Rendered = Result<Bytes, ScrapeError>;

/// What clients wait for. `K` is what they ask for.
pub(super) struct SharedScrapes<K: Eq + Hash> {
    pending: Mutex<HashMap<K, Arc<Coalesce<Rendered>>>>,
    turns: Semaphore,
}

impl<K: Eq + Hash> Default for SharedScrapes<K> {
    fn default() -> Self {
        Self {
            pending: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl<K: Eq + Hash + Clone> SharedScrapes<K> {
    /// The result of `render`, or of another call with the same `key` that began after this one.
    /// `None` if too many different requests wait for their turn.
    pub(super) async fn share<F>(&self, key: &K, render: impl FnOnce() -> F) -> Option<Rendered>
    where
        F: Future<Output = Rendered>,
    {
        let waiter = self.join(key)?;
        let render = || async {
            // The semaphore is never closed.
            let _turn = self.turns.acquire().await;
            render().await
        };
        Some(waiter.rendering.run(render).await)
    }

    fn join<'a>(&'a self, key: &'a K) -> Option<Waiter<'a, K>> {
        let mut pending = self.pending.lock();
        if !pending.contains_key(key) && pending.len() >= MAX_DIFFERENT {
            return None;
        }
        let rendering = Arc::clone(pending.entry(key.clone()).or_default());
        Some(Waiter {
            shared: self,
            key,
            rendering,
        })
    }
}

/// A client that waits. The last one removes what is rendered, even if it leaves early.
struct Waiter<'a, K: Eq + Hash> {
    shared: &'a SharedScrapes<K>,
    key: &'a K,
    rendering: Arc<Coalesce<Rendered>>,
}

impl<K: Eq + Hash> Drop for Waiter<'_, K> {
    fn drop(&mut self) {
        let mut pending = self.shared.pending.lock();
        // This reference and that of the map.
        if Arc::strong_count(&self.rendering) == 2 {
            pending.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::future::join_all;

    use super::*;

    /// Asks many times at once; gives how often it was made, and what each got.
    async fn ask(shared: &SharedScrapes<String>, keys: &[String]) -> (u64, Vec<Option<Rendered>>) {
        let (made, gate) = (AtomicU64::new(0), Semaphore::new(0));
        let asked = keys.iter().map(|key| {
            let (made, gate) = (&made, &gate);
            shared.share(key, move || async move {
                let number = made.fetch_add(1, Ordering::SeqCst);
                let _held = gate.acquire().await;
                Ok(Bytes::from(number.to_string()))
            })
        });
        let opened = async {
            tokio::task::yield_now().await;
            gate.add_permits(1);
        };
        let (answers, ()) = tokio::join!(join_all(asked), opened);
        (made.load(Ordering::SeqCst), answers)
    }

    #[tokio::test]
    async fn hundreds_share_two_renderings() {
        let shared = SharedScrapes::default();
        let (made, answers) = ask(&shared, &vec!["a".to_owned(); 500]).await;
        // Those who came while the first was being made do not take what may be older than they.
        assert_eq!(made, 2);
        assert!(answers.iter().all(|answer| matches!(answer, Some(Ok(_)))));
        assert!(shared.pending.lock().is_empty());
    }

    #[tokio::test]
    async fn different_requests_are_bounded_and_their_places_given_back() {
        let shared = SharedScrapes::default();
        // They take turns.
        let keys: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let (made, answers) = ask(&shared, &keys).await;
        assert_eq!((made, answers.iter().flatten().count()), (40, 40));
        let keys: Vec<String> = (0..MAX_DIFFERENT + 5).map(|n| n.to_string()).collect();
        let (made, answers) = ask(&shared, &keys).await;
        assert_eq!(made, MAX_DIFFERENT as u64);
        assert_eq!(answers.iter().flatten().count(), MAX_DIFFERENT);
        assert!(shared.pending.lock().is_empty());
        // A client that leaves takes its place with it.
        let leaving = shared.share(&keys[0], std::future::pending::<Rendered>);
        let left = tokio::time::timeout(std::time::Duration::from_millis(1), leaving).await;
        assert!(left.is_err() && shared.pending.lock().is_empty());
    }
}
