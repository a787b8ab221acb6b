//! Bounds the number of open connections. When all slots are taken, the connection that has waited
//! longest for its client is closed: a client that opens connections and sends nothing must not
//! lock others out. Prometheus, if its idle connection is closed, opens another.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// Connections that stay even if the system has no more file descriptors: enough for
/// Prometheus beside some that send nothing.
const MIN_SLOTS: usize = 16;

/// How long a new connection waits for a slot while all others are being answered, and a response for
/// memory. Most responses take a moment, and those that wait for pulls are too few to take all slots.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Time between two notifications while a permit is waited for.
const ASK_AGAIN: Duration = Duration::from_millis(5);

pub(super) struct Slots {
    permits: Arc<Semaphore>,
    pub(super) limit: usize,
    /// Notifies connections that wait for their client, the one that has waited longest first, that
    /// their slots are needed.
    pub(super) needed: Arc<Notify>,
}

impl Slots {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limit)),
            limit,
            needed: Arc::default(),
        }
    }

    /// A slot, for as long as the permit lives; `None` if every connection is being answered.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(slot) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(slot);
        }
        acquire(&self.permits, 1, &self.needed).await
    }

    /// Reduces the limit, because the process has run out of file descriptors, which the storage and
    /// the requests to the vendor need too. It stays reduced: that of the process does not change until
    /// a restart.
    pub(super) fn shrink(&mut self) {
        let open = self.limit.saturating_sub(self.permits.available_permits());
        let limit = self.limit.min((open / 4 * 3).max(MIN_SLOTS));
        let surplus = self.limit - limit;
        self.limit = limit;
        let taken = surplus - self.permits.forget_permits(surplus);
        for _ in 0..taken {
            self.needed.notify_one();
        }
        let permits = Arc::clone(&self.permits);
        tokio::spawn(async move {
            // In front of new connections, as the semaphore is fair.
            let taken = u32::try_from(taken).unwrap_or(u32::MAX);
            if let Ok(surplus) = permits.acquire_many_owned(taken).await {
                surplus.forget();
            }
        });
    }
}

/// Waits for `count` permits, and notifies one holder after the other until there are enough. `None`
/// if there are not in time.
pub(super) async fn acquire(
    permits: &Arc<Semaphore>,
    count: u32,
    needed: &Notify,
) -> Option<OwnedSemaphorePermit> {
    let _asking = Asking(needed);
    let ask = async {
        loop {
            needed.notify_one();
            sleep(ASK_AGAIN).await;
        }
    };
    let permits = Arc::clone(permits).acquire_many_owned(count);
    tokio::select! {
        acquired = timeout(TIMEOUT, permits) => acquired.ok()?.ok(),
        () = ask => None,
    }
}

/// Asks holders to make room, until it is dropped.
struct Asking<'a>(&'a Notify);

impl Drop for Asking<'_> {
    /// If no holder listened, the last notification is stored. It would close the next one that
    /// listens, when nobody needs its room any more.
    fn drop(&mut self) {
        self.0.notified().now_or_never();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Opens a connection that waits for its client until its slot is needed.
    async fn open(slots: &Slots, count: &Arc<AtomicUsize>) {
        let slot = slots.acquire().await.unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        let (needed, count) = (Arc::clone(&slots.needed), Arc::clone(count));
        tokio::spawn(async move {
            needed.notified().await;
            count.fetch_sub(1, Ordering::SeqCst);
            drop(slot);
        });
        settle().await;
    }

    async fn settle() {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_refusal_leaves_fewer_connections_but_never_none() {
        let mut slots = Slots::new(512);
        let open_count = Arc::<AtomicUsize>::default();
        let count = || open_count.load(Ordering::SeqCst);
        for _ in 0..40 {
            open(&slots, &open_count).await;
        }
        slots.shrink();
        settle().await;
        assert_eq!((slots.limit, count()), (30, 30));
        open(&slots, &open_count).await;
        assert_eq!(count(), 30);
        for _ in 0..10 {
            slots.shrink();
            settle().await;
        }
        assert_eq!((slots.limit, count()), (MIN_SLOTS, MIN_SLOTS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_being_answered_keeps_its_slot() {
        let slots = Slots::new(1);
        let busy = slots.acquire().await.unwrap();
        assert!(slots.acquire().await.is_none());
        // Nor is it closed later, when it waits for its client and nobody needs its slot.
        assert!(slots.needed.notified().now_or_never().is_none());
        drop(busy);
        assert!(slots.acquire().await.is_some());
    }
}
