//! Reads what a configuration consists of, without waiting for ever for a file system that hangs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::error::LoadError;
use super::options::Loader;
use crate::client::tls::Trust;
use crate::config::{Config, read_teams};
use crate::process::{Unfinished, run_within};
use crate::puller::TeamsFile;

/// How long a reload waits for the files.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Files of teams read at a time.
const READ_AT_ONCE: usize = 16;

/// Reads files off the async threads. A reading that hangs holds a thread, so there are few at a time:
/// one permit for each.
pub(super) struct Files {
    config: Arc<Semaphore>,
    teams: Arc<Semaphore>,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            config: Arc::new(Semaphore::new(1)),
            teams: Arc::new(Semaphore::new(READ_AT_ONCE)),
        }
    }
}

impl Files {
    /// The configuration of a reload. Fails at once while an earlier reading hangs.
    pub(super) async fn config(&self, load: &Loader) -> Result<(Config, Trust), LoadError> {
        if self.config.available_permits() == 0 {
            return Err(LoadError::Slow(PATIENCE));
        }
        let load = Arc::clone(load);
        read(&self.config, PATIENCE, move || Ok((load()?, read_trust()?))).await?
    }

    /// The certificates that targets trust. A start waits for them as long as it takes.
    pub(super) async fn trust(&self) -> Result<Trust, LoadError> {
        read(&self.config, Duration::MAX, read_trust).await?
    }

    pub(super) async fn teams(
        &self,
        path: PathBuf,
        patience: Duration,
    ) -> Result<TeamsFile, LoadError> {
        read(&self.teams, patience, move || {
            TeamsFile::open(path, read_teams)
        })
        .await
    }
}

async fn read<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    patience: Duration,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoadError> {
    let read = run_within(patience, permits, read).await;
    read.map_err(|unfinished| match unfinished {
        Unfinished::Slow => LoadError::Slow(patience),
        Unfinished::Panic(panic) => LoadError::Panic(panic),
    })
}

fn read_trust() -> Result<Trust, LoadError> {
    Trust::of_this_machine().map_err(|error| LoadError::Trust(error.to_string()))
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
        let files = Files::default();
        let (slow, ()) = tokio::join!(files.config(&load), advance(PATIENCE));
        assert!(matches!(slow, Err(LoadError::Slow(_))));
        // Not waited for.
        let slow = files.config(&load).await;
        assert!(matches!(slow, Err(LoadError::Slow(_))));
        drop(release);
        while let Err(LoadError::Slow(_)) = files.config(&load).await {
            tokio::task::yield_now().await;
        }
        let read = files.config(&load).await.unwrap_err().to_string();
        assert!(read.contains("/nonexistent"), "{read}");
    }

    #[tokio::test(start_paused = true)]
    async fn teams_that_hang_stop_nothing_else_and_a_bounded_number_is_read() {
        let files = Files::default();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(parking_lot::Mutex::new(released));
        let hanging = || {
            let released = Arc::clone(&released);
            move || {
                let _ = released.lock().recv();
            }
        };
        for _ in 0..READ_AT_ONCE + 1 {
            let slow = read(&files.teams, PATIENCE, hanging());
            let (slow, ()) = tokio::join!(slow, advance(PATIENCE));
            assert!(matches!(slow, Err(LoadError::Slow(_))));
        }
        assert_eq!(Arc::strong_count(&released), READ_AT_ONCE + 1);
        drop(release);
        let missing = files.teams(PathBuf::from("/nonexistent"), Duration::MAX);
        assert!(missing.await.unwrap().teams.is_err());
    }
}
