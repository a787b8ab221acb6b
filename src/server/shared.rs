//! Answers that several scrapes share. One that must not wait for pulls is answered with what is
//! complete; when hundreds ask at once, writing that once is as good as writing it for each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::routes::Metrics;
use super::site::UnknownTarget;

/// Different answers that are being made at a time. Each takes the processor for a while, and other
/// clients must not wait long for that.
const AT_ONCE: usize = 16;

type Answer = Result<Metrics, UnknownTarget>;

#[derive(Default)]
pub(super) struct Shared(Mutex<HashMap<String, Arc<Slot>>>);

/// One of the answers, and those who wait for it.
#[derive(Default)]
struct Slot {
    /// How often it has been begun.
    begun: AtomicU64,
    /// The last one, and which it was.
    last: tokio::sync::Mutex<Option<(u64, Answer)>>,
}

impl Shared {
    /// What `make` gives, or what it gave to another with the same `key` who began after this was
    /// asked for. `None` if too many different answers are being made.
    pub(super) async fn answer<A>(&self, key: String, make: impl FnOnce() -> A) -> Option<Answer>
    where
        A: Future<Output = Answer>,
    {
        let place = self.enter(key)?;
        let before = place.slot.begun.load(Ordering::SeqCst);
        let mut last = place.slot.last.lock().await;
        if let Some((number, answer)) = &*last
            && *number > before
        {
            return Some(answer.clone());
        }
        let number = place.slot.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = make().await;
        *last = Some((number, answer.clone()));
        Some(answer)
    }

    fn enter(&self, key: String) -> Option<Place<'_>> {
        let mut slots = self.slots();
        if !slots.contains_key(&key) && slots.len() >= AT_ONCE {
            return None;
        }
        let slot = Arc::clone(slots.entry(key.clone()).or_default());
        Some(Place {
            shared: self,
            key,
            slot,
        })
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for an answer. The last to go, however that comes, takes the slot away.
struct Place<'a> {
    shared: &'a Shared,
    key: String,
    slot: Arc<Slot>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut slots = self.shared.slots();
        // This one and that of the map.
        if Arc::strong_count(&self.slot) == 2 {
            slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Asks many times at once; gives how often it was made, and what each got.
    async fn ask(shared: &Shared, keys: &[String]) -> (u64, Vec<Option<Answer>>) {
        let (made, gate) = (AtomicU64::new(0), Semaphore::new(0));
        let asked = keys.iter().map(|key| {
            let (made, gate) = (&made, &gate);
            shared.answer(key.clone(), move || async move {
                let number = made.fetch_add(1, Ordering::SeqCst);
                let _held = gate.acquire().await;
                Ok(Metrics {
                    body: Bytes::from(number.to_string()),
                    is_compressed: false,
                })
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
    async fn hundreds_share_two_answers() {
        let shared = Shared::default();
        let (made, answers) = ask(&shared, &vec!["a".to_owned(); 500]).await;
        // Those who came while the first was being made do not take what may be older than they.
        assert_eq!(made, 2);
        assert!(answers.iter().all(|answer| matches!(answer, Some(Ok(_)))));
        assert!(shared.slots().is_empty());
    }

    #[tokio::test]
    async fn different_answers_are_bounded_and_their_places_given_back() {
        let shared = Shared::default();
        let keys: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let (made, answers) = ask(&shared, &keys).await;
        assert_eq!(made, AT_ONCE as u64);
        assert_eq!(answers.iter().flatten().count(), AT_ONCE);
        assert!(shared.slots().is_empty());
        // A client that leaves takes its place with it.
        let leaving = shared.answer("a".to_owned(), std::future::pending::<Answer>);
        let left = tokio::time::timeout(std::time::Duration::from_millis(1), leaving).await;
        assert!(left.is_err() && shared.slots().is_empty());
    }
}
