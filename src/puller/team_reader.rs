//! Reads the teams before a pull, which does not wait for a file system that hangs.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::TeamSource;
use crate::model::Teams;

/// How long a pull waits for the file, which is read in milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// The file has not been read in time. It is tried no second time until then: each reading that hangs
/// holds a thread.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Slow {
    /// Since now.
    Now,
    /// Since an earlier pull.
    Still,
}

pub(super) struct TeamReader {
    source: Option<Arc<Mutex<TeamSource>>>,
    reading: Option<JoinHandle<Option<Arc<Teams>>>>,
}

impl TeamReader {
    pub(super) fn new(source: Option<TeamSource>) -> Self {
        Self {
            source: source.map(|source| Arc::new(Mutex::new(source))),
            reading: None,
        }
    }

    /// The teams, if they have changed.
    pub(super) async fn changed(&mut self) -> Result<Option<Arc<Teams>>, Slow> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        let mut readings = self.reading.iter();
        if readings.any(|reading| !reading.is_finished()) {
            return Err(Slow::Still);
        }
        let source = Arc::clone(source);
        let reading = self
            .reading
            .get_or_insert_with(|| spawn_blocking(move || (source.lock())()));
        let read = timeout(PATIENCE, reading).await.map_err(|_| Slow::Now)?;
        self.reading = None;
        // After a panic, which has been logged, the teams stay as they are.
        Ok(read.ok().flatten())
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
            Some(Arc::default())
        })));
        let (slow, ()) = tokio::join!(reader.changed(), advance(PATIENCE));
        assert_eq!(slow.unwrap_err(), Slow::Now);
        assert_eq!(reader.changed().await.unwrap_err(), Slow::Still);
        release.send(()).unwrap();
        while !reader.reading.as_ref().unwrap().is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(reader.changed().await.unwrap().is_some());
        drop(release);
        assert!(reader.changed().await.unwrap().is_none());
    }
}
