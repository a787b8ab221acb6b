//! How many bytes of answers may wait for their clients. When there is no more room, the connection
//! whose client has kept answers waiting for longest is closed: a client that requests and does not
//! read, a hundred times over each of its HTTP/2 connections, must not take all memory.

use std::sync::Arc;

use hyper::Response;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::respond::{Body, guarded, retry_later};
use super::slots;

/// KiB for all clients together. An answer that is larger, as those of a thousand targets are without
/// compression, takes all of it.
const ROOM: usize = 32 << 10;
/// Answers that wait until there is room for them.
const WAITING: usize = 4;

pub(super) struct Room {
    kib: Arc<Semaphore>,
    waiting: Semaphore,
    /// Notifies connections with answers that wait for their clients, the first one first, that their
    /// room is needed.
    pub(super) needed: Notify,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            kib: Arc::new(Semaphore::new(ROOM)),
            waiting: Semaphore::new(WAITING),
            needed: Notify::new(),
        }
    }
}

impl Room {
    /// The answer, once there is room for it, or a refusal. It takes the room until its last byte is
    /// written.
    pub(super) async fn hold(&self, response: Response<Body>) -> Response<Body> {
        let Some(room) = self.acquire(response.body().len() >> 10).await else {
            return retry_later("Too many answers wait for their clients.");
        };
        response.map(|body| guarded(body, room))
    }

    async fn acquire(&self, kib: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(kib.min(ROOM)).ok()?;
        if let Ok(room) = Arc::clone(&self.kib).try_acquire_many_owned(kib) {
            return Some(room);
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

    fn answer(kib: usize) -> Response<Body> {
        response(StatusCode::OK, "text/plain", vec![b'x'; kib << 10])
    }

    #[tokio::test(start_paused = true)]
    async fn answers_take_room_until_they_are_written() {
        let room = Room::default();
        let half = room.hold(answer(ROOM / 2)).await;
        let other = room.hold(answer(ROOM / 2)).await;
        assert_eq!(half.status(), StatusCode::OK);
        assert_eq!(other.status(), StatusCode::OK);
        let refused = room.hold(answer(1)).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        // What is smaller than a KiB takes none.
        assert_eq!(room.hold(answer(0)).await.status(), StatusCode::OK);
        drop(half);
        assert_eq!(room.hold(answer(1)).await.status(), StatusCode::OK);
        drop(other);
        // Larger than all of it.
        let large = room.hold(answer(2 * ROOM)).await;
        assert_eq!(large.status(), StatusCode::OK);
        assert_eq!(room.kib.available_permits(), 0);
        drop(large);
        assert_eq!(room.kib.available_permits(), ROOM);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_room_is_needed_makes_way() {
        let room = Room::default();
        let slow = room.hold(answer(ROOM)).await;
        let closed = async {
            room.needed.notified().await;
            drop(slow);
        };
        let (other, ()) = tokio::join!(room.hold(answer(ROOM)), closed);
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn room_that_is_no_longer_needed_closes_no_connection() {
        let room = Room::default();
        let _all = room.hold(answer(ROOM)).await;
        let refused = room.hold(answer(1)).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(room.needed.notified().now_or_never().is_none());
        let cancelled = tokio::time::timeout(Duration::from_millis(1), room.hold(answer(1)));
        assert!(cancelled.await.is_err());
        assert!(room.needed.notified().now_or_never().is_none());
    }
}
