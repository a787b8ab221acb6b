//! Answers that several scrapes share. A scrape that must not wait for pulls is answered with what
//! is complete. If hundreds ask at once, rendering that for each would take the memory of hundreds
//! of answers.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::targets::{Coalesce, ScrapeError};

/// Different answers rendered at a time. Each takes a processor for a while, which delays other clients.
const AT_ONCE: usize = 16;
/// Different answers that are rendered or wait for their turn: one for each target, if a client probes
/// hundreds of targets at once.
const MAX_DIFFERENT: usize = 1024;

type Answer = Result<Bytes, ScrapeError>;

/// The answers that clients wait for.
pub(super) struct Shared {
    /// By what was asked.
    answers: Mutex<HashMap<String, Arc<Coalesce<Answer>>>>,
    turns: Semaphore,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            answers: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
        }
    }
}

impl Shared {
    /// The result of `render`, or of another call with the same `key` that began after this one.
    /// `None` if too many different answers wait for their turn.
    pub(super) async fn answer<F>(&self, key: String, render: impl FnOnce() -> F) -> Option<Answer>
    where
        F: Future<Output = Answer>,
    {
        let waiter = self.join(key)?;
        let render = || async {
            // The semaphore is never closed.
            let _turn = self.turns.acquire().await;
            render().await
        };
        Some(waiter.answer.run(render).await)
    }

    fn join(&self, key: String) -> Option<Waiter<'_>> {
        let mut answers = self.answers.lock();
        if !answers.contains_key(&key) && answers.len() >= MAX_DIFFERENT {
            return None;
        }
        let answer = Arc::clone(answers.entry(key.clone()).or_default());
        Some(Waiter {
            shared: self,
            key,
            answer,
        })
    }
}

/// A client that waits. The last one removes the answer, even if it leaves early.
struct Waiter<'a> {
    shared: &'a Shared,
    key: String,
    answer: Arc<Coalesce<Answer>>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut answers = self.shared.answers.lock();
        // This reference and that of the map.
        if Arc::strong_count(&self.answer) == 2 {
            answers.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::future::join_all;

    use super::*;

    /// Asks many times at once; gives how often it was made, and what each got.
    async fn ask(shared: &Shared, keys: &[String]) -> (u64, Vec<Option<Answer>>) {
        let (made, gate) = (AtomicU64::new(0), Semaphore::new(0));
        let asked = keys.iter().map(|key| {
            let (made, gate) = (&made, &gate);
            shared.answer(key.clone(), move || async move {
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
    async fn hundreds_share_two_answers() {
        let shared = Shared::default();
        let (made, answers) = ask(&shared, &vec!["a".to_owned(); 500]).await;
        // Those who came while the first was being made do not take what may be older than they.
        assert_eq!(made, 2);
        assert!(answers.iter().all(|answer| matches!(answer, Some(Ok(_)))));
        assert!(shared.answers.lock().is_empty());
    }

    #[tokio::test]
    async fn different_answers_are_bounded_and_their_places_given_back() {
        let shared = Shared::default();
        // They take turns.
        let keys: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        let (made, answers) = ask(&shared, &keys).await;
        assert_eq!((made, answers.iter().flatten().count()), (40, 40));
        let keys: Vec<String> = (0..MAX_DIFFERENT + 5).map(|n| n.to_string()).collect();
        let (made, answers) = ask(&shared, &keys).await;
        assert_eq!(made, MAX_DIFFERENT as u64);
        assert_eq!(answers.iter().flatten().count(), MAX_DIFFERENT);
        assert!(shared.answers.lock().is_empty());
        // A client that leaves takes its place with it.
        let leaving = shared.answer("a".to_owned(), std::future::pending::<Answer>);
        let left = tokio::time::timeout(std::time::Duration::from_millis(1), leaving).await;
        assert!(left.is_err() && shared.answers.lock().is_empty());
    }
}
