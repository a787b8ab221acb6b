//! Reads the teams before a pull, which does not wait for a file system that hangs.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::{TeamChange, TeamSource};
use crate::model::UnixSeconds;

/// How long a pull waits for the file, which is read in milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct TeamReader {
    source: Option<Arc<Mutex<TeamSource>>>,
    /// No second reading starts beside one that hangs, which holds a thread.
    reading: Option<JoinHandle<TeamChange>>,
    /// What was shown before a reading took too long.
    before_slow: Option<Shown>,
}

/// What users see of the file: whether it is good, and since when and why it is not.
pub(super) type Shown = (bool, Option<(UnixSeconds, String)>);

impl TeamReader {
    pub(super) fn new(source: Option<TeamSource>) -> Self {
        Self {
            source: source.map(|source| Arc::new(Mutex::new(source))),
            reading: None,
            before_slow: None,
        }
    }

    /// To be called before an error is shown. If a reading that takes too long is the reason, what was
    /// shown before comes back when that ends.
    pub(super) fn keep_shown(&mut self, shown: Shown) {
        if self.reading.is_some() {
            self.before_slow = Some(shown);
        }
    }

    /// What was shown before a reading took too long, once that has ended.
    pub(super) fn take_shown(&mut self) -> Option<Shown> {
        self.before_slow.take_if(|_| self.reading.is_none())
    }

    pub(super) fn is_reading(&self) -> bool {
        (self.reading.as_ref()).is_some_and(|reading| !reading.is_finished())
    }

    /// The teams, if they have changed, or why they cannot be read.
    pub(super) async fn changed(&mut self) -> TeamChange {
        let source = self.source.as_ref()?;
        if self.is_reading() {
            return None;
        }
        let source = Arc::clone(source);
        let reading = self
            .reading
            .get_or_insert_with(|| spawn_blocking(move || (source.lock())()));
        match timeout(PATIENCE, reading).await {
            Ok(read) => {
                self.reading = None;
                // After a panic, which has been logged, the teams stay as they are.
                read.ok().flatten()
            }
            Err(_) => Some(Err(format!(
                "the file is still being read after {} s: is a file system down?",
                PATIENCE.as_secs()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_hangs_is_not_waited_for_again_and_not_lost() {
        let (release, released) = mpsc::channel::<()>();
        let mut readings = 0;
        let mut reader = TeamReader::new(Some(Box::new(move || {
            readings += 1;
            released.recv().ok()?;
            assert_eq!(readings, 1, "only one was started");
            Some(Ok(Arc::default()))
        })));
        let (slow, ()) = tokio::join!(reader.changed(), advance(PATIENCE));
        assert!(slow.unwrap().unwrap_err().contains("still being read"));
        assert!(reader.changed().await.is_none(), "said once");
        release.send(()).unwrap();
        while reader.is_reading() {
            tokio::task::yield_now().await;
        }
        assert!(reader.changed().await.unwrap().is_ok());
        drop(release);
        assert!(reader.changed().await.is_none());
    }
}
