//! Bounds the memory of responses that wait for their clients: a client that requests and does not
//! read, a hundred times over each of its HTTP/2 connections, must not take all memory.

use std::sync::Arc;

use hyper::Response;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::respond::{Body, guarded, retry_later};
use super::slots;

/// KiB for all clients together. A response that is larger, as those of a thousand targets are without
/// compression, takes all of it.
const LIMIT: usize = 32 << 10;
/// Responses that wait until there is memory for them.
const MAX_WAITING: usize = 4;

pub(super) struct ResponseMemory {
    kib: Arc<Semaphore>,
    waiting: Semaphore,
    /// Notifies connections with responses that wait for their clients, the first one first, that
    /// their memory is needed.
    pub(super) needed: Notify,
}

impl Default for ResponseMemory {
    fn default() -> Self {
        Self {
            kib: Arc::new(Semaphore::new(LIMIT)),
            waiting: Semaphore::new(MAX_WAITING),
            needed: Notify::new(),
        }
    }
}

impl ResponseMemory {
    /// The response, once there is memory for it, or a refusal. It holds the memory until its last
    /// byte is written.
    pub(super) async fn hold(&self, response: Response<Body>) -> Response<Body> {
        let Some(memory) = self.acquire(response.body().len() >> 10).await else {
            return retry_later("Too many answers wait for their clients.");
        };
        response.map(|body| guarded(body, memory))
    }

    async fn acquire(&self, kib: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(kib.min(LIMIT)).ok()?;
        if let Ok(memory) = Arc::clone(&self.kib).try_acquire_many_owned(kib) {
            return Some(memory);
        }
        let _waiting = self.waiting.try_acquire().ok()?;
        slots::acquire(&self.kib, kib, &self.needed).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use hyper::StatusCode;

    use super::*;
    use crate::server::respond::response;

    fn of_size(kib: usize) -> Response<Body> {
        response(StatusCode::OK, "text/plain", vec![b'x'; kib << 10])
    }

    #[tokio::test(start_paused = true)]
    async fn responses_take_memory_until_they_are_written() {
        let memory = ResponseMemory::default();
        let half = memory.hold(of_size(LIMIT / 2)).await;
        let other = memory.hold(of_size(LIMIT / 2)).await;
        assert_eq!(half.status(), StatusCode::OK);
        assert_eq!(other.status(), StatusCode::OK);
        let refused = memory.hold(of_size(1)).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        // What is smaller than a KiB takes none.
        assert_eq!(memory.hold(of_size(0)).await.status(), StatusCode::OK);
        drop(half);
        assert_eq!(memory.hold(of_size(1)).await.status(), StatusCode::OK);
        drop(other);
        // Larger than all of it.
        let large = memory.hold(of_size(2 * LIMIT)).await;
        assert_eq!(large.status(), StatusCode::OK);
        assert_eq!(memory.kib.available_permits(), 0);
        drop(large);
        assert_eq!(memory.kib.available_permits(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_memory_is_needed_makes_way() {
        let memory = ResponseMemory::default();
        let slow = memory.hold(of_size(LIMIT)).await;
        let closed = async {
            memory.needed.notified().await;
            drop(slow);
        };
        let (other, ()) = tokio::join!(memory.hold(of_size(LIMIT)), closed);
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_that_is_no_longer_needed_closes_no_connection() {
        let memory = ResponseMemory::default();
        let _all = memory.hold(of_size(LIMIT)).await;
        let refused = memory.hold(of_size(1)).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(memory.needed.notified().now_or_never().is_none());
        let cancelled = tokio::time::timeout(Duration::from_millis(1), memory.hold(of_size(1)));
        assert!(cancelled.await.is_err());
        assert!(memory.needed.notified().now_or_never().is_none());
    }
}
