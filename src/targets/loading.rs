//! Reads what a configuration consists of, without waiting for ever for a file system that hangs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::error::LoadError;
use super::options::Loader;
use crate::client::tls::Trust;
use crate::config::Config;
use crate::puller::{TeamChange, TeamSource};

/// How long a reload waits for the files.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Files of teams read at a time.
const READ_AT_ONCE: usize = 16;

type Loaded = Result<(Config, Trust), LoadError>;

/// Reads the configuration for a reload. A reading that hangs holds a thread, so there is one at a time.
#[derive(Default)]
pub(super) struct ConfigReader(Mutex<Option<JoinHandle<Loaded>>>);

impl ConfigReader {
    pub(super) async fn read(&self, load: &Loader) -> Loaded {
        let mut last = self.0.lock().await;
        if last.as_ref().is_some_and(|reading| !reading.is_finished()) {
            return Err(LoadError::Slow(PATIENCE));
        }
        let load = Arc::clone(load);
        let reading = last.insert(spawn_blocking(move || Ok((load()?, read_trust()?))));
        match timeout(PATIENCE, reading).await {
            Ok(done) => done.unwrap_or_else(|panic| Err(LoadError::Panic(panic.to_string()))),
            Err(_) => Err(LoadError::Slow(PATIENCE)),
        }
    }
}

/// The certificates that targets trust. A start waits for them as long as it takes.
pub(super) async fn trust() -> Result<Trust, LoadError> {
    let done = spawn_blocking(read_trust).await;
    done.unwrap_or_else(|panic| Err(LoadError::Panic(panic.to_string())))
}

fn read_trust() -> Result<Trust, LoadError> {
    Trust::of_this_machine().map_err(|error| LoadError::Trust(error.to_string()))
}

/// Reads files of teams for the first time. One that hangs holds a thread, so there are few at a time.
pub(super) struct TeamFiles(Arc<Semaphore>);

impl Default for TeamFiles {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READ_AT_ONCE)))
    }
}

impl TeamFiles {
    /// Asks a source for the first time, off the async thread. Returns the answer and the source.
    pub(super) async fn read(
        &self,
        mut source: TeamSource,
        patience: Duration,
    ) -> Result<(TeamChange, TeamSource), LoadError> {
        let slots = Arc::clone(&self.0);
        let read = async {
            let slot = slots.acquire_owned().await;
            spawn_blocking(move || (source(), source, slot)).await
        };
        let Ok(read) = timeout(patience, read).await else {
            return Err(LoadError::Slow(patience));
        };
        let (first, source, _) = read.map_err(|panic| LoadError::Panic(panic.to_string()))?;
        Ok((first, source))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;

    use tokio::time::advance;

    use super::*;
    use crate::config;

    #[tokio::test(start_paused = true)]
    async fn a_reading_that_hangs_fails_and_no_second_one_starts_beside_it() {
        let (release, released) = mpsc::channel::<()>();
        let released = parking_lot::Mutex::new(released);
        let load: Loader = Arc::new(move || {
            let _ = released.lock().recv();
            let missing = Path::new("/nonexistent");
            config::load(Some(missing), missing, &|_| None)
        });
        let reader = ConfigReader::default();
        let (slow, ()) = tokio::join!(reader.read(&load), advance(PATIENCE));
        assert!(matches!(slow, Err(LoadError::Slow(_))));
        // Not waited for.
        let slow = reader.read(&load).await;
        assert!(matches!(slow, Err(LoadError::Slow(_))));
        drop(release);
        while let Err(LoadError::Slow(_)) = reader.read(&load).await {
            tokio::task::yield_now().await;
        }
        let read = reader.read(&load).await.unwrap_err().to_string();
        assert!(read.contains("/nonexistent"), "{read}");
    }

    #[tokio::test(start_paused = true)]
    async fn teams_that_hang_stop_nothing_else_and_a_bounded_number_is_read() {
        let files = TeamFiles::default();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(parking_lot::Mutex::new(released));
        let hanging = || -> TeamSource {
            let released = Arc::clone(&released);
            Box::new(move || {
                let _ = released.lock().recv();
                Some(Ok(Arc::default()))
            })
        };
        for _ in 0..READ_AT_ONCE + 1 {
            let (slow, ()) = tokio::join!(files.read(hanging(), PATIENCE), advance(PATIENCE));
            assert!(matches!(slow, Err(LoadError::Slow(_))));
        }
        assert_eq!(Arc::strong_count(&released), READ_AT_ONCE + 1);
        drop(release);
        let (first, _) = files.read(hanging(), Duration::MAX).await.unwrap();
        drop(released);
        assert!(first.unwrap().is_ok());
    }

    #[tokio::test]
    async fn the_first_reading_of_teams_is_not_lost() {
        let mut readings = 0;
        let source: TeamSource = Box::new(move || {
            readings += 1;
            Some(Err(readings.to_string()))
        });
        let (first, mut source) = TeamFiles::default().read(source, PATIENCE).await.unwrap();
        let said = [first, source()].map(|change| change.unwrap().unwrap_err());
        assert_eq!(said, ["1", "2"]);
    }
}
