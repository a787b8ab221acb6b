//! Work that runs once for everyone who asks for it while it is pending.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

/// Runs one piece of work at a time. A caller gets the result of a run that began after it asked;
/// callers that wait behind a run therefore share the next one.
pub struct Coalesce<T> {
    begun: AtomicU64,
    /// The last run: its number and its result.
    last: Mutex<Option<(u64, T)>>,
}

impl<T> Default for Coalesce<T> {
    fn default() -> Self {
        Self {
            begun: AtomicU64::new(0),
            last: Mutex::new(None),
        }
    }
}

impl<T: Clone> Coalesce<T> {
    /// Runs `work`, or returns the result of a run that another caller began after this call.
    pub async fn run<F>(&self, work: impl FnOnce() -> F) -> T
    where
        F: Future<Output = T>,
    {
        let before = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if let Some((number, result)) = &*last
            && *number > before
        {
            return result.clone();
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let result = work().await;
        *last = Some((number, result.clone()));
        result
    }

    /// Waits until nothing runs, and lets nothing start while the guard is alive.
    pub async fn pause(&self) -> MutexGuard<'_, Option<(u64, T)>> {
        self.last.lock().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn callers_that_wait_share_one_run() {
        let (coalesce, runs) = (Coalesce::default(), AtomicU64::new(0));
        let work = || async {
            tokio::task::yield_now().await;
            runs.fetch_add(1, Ordering::SeqCst)
        };
        let results = join_all((0..500).map(|_| coalesce.run(work))).await;
        // Those that came during the first run do not take its result: it may have missed what
        // made them ask.
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        assert_eq!(results.iter().filter(|run| **run == 0).count(), 1);
        assert_eq!(coalesce.run(work).await, 2, "one at a time shares nothing");
    }
}
