//! The application's secret, which may be replaced while the program runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::{info, warn};

use super::redact::Secrets;
use crate::config::{Secret, Target, read_secret};
use crate::process::run_within;

/// Limits a read of the secret from a file system that hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) app_secret: Secret,
    /// What messages must not repeat, apart from the token.
    pub(super) secrets: Secrets,
    /// One reading of the file at a time: on a file system that hangs, each holds a thread.
    reading: Arc<Semaphore>,
}

impl Credentials {
    pub(super) fn new(target: &Target) -> Self {
        let app_secret = target.app_secret.clone();
        Self {
            secrets: Secrets::of(target, app_secret.expose(), None),
            app_secret,
            reading: Arc::new(Semaphore::new(1)),
        }
    }

    /// Reads the secret from its file again, as this one was refused; `None` if there is no other.
    pub(super) async fn reload(self, target: &Target) -> Option<Self> {
        let file = target.app_secret_file.clone()?;
        let name = &target.name;
        if self.reading.available_permits() == 0 {
            warn!(target = %name, "app_secret was refused, and app_secret_file is still being read: \
                does its file system hang?");
            return None;
        }
        match run_within(READ_TIMEOUT, &self.reading, move || read_secret(&file)).await {
            Ok(Ok(app_secret)) if app_secret != self.app_secret => {
                info!(target = %name, "app_secret was refused; trying the new one in app_secret_file");
                // The vendor may still quote the old secret.
                let old = Some(self.app_secret.expose());
                return Some(Self {
                    secrets: Secrets::of(target, app_secret.expose(), old),
                    app_secret,
                    reading: self.reading,
                });
            }
            Ok(Ok(_)) => {}
            Ok(Err(reason)) => {
                warn!(target = %name, %reason,
                    "app_secret was refused, and app_secret_file cannot be read: put the valid secret into it");
            }
            Err(_) => {
                warn!(target = %name, "app_secret was refused, and app_secret_file could not be read in time");
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[tokio::test]
    async fn a_reading_that_hangs_is_the_only_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "old").unwrap();
        let path = file.path().display();
        let config = config::from_text(&format!(
            "targets: [{{name: a, endpoint: 'http://h', app_key: k, app_secret_file: '{path}', \
             user_id: u}}]"
        ));
        let target = &config.unwrap().targets[0];
        let refused = Credentials::new(target);
        std::fs::write(&file, "new").unwrap();
        let hanging = Arc::clone(&refused.reading).try_acquire_owned().unwrap();
        assert!(refused.clone().reload(target).await.is_none());
        drop(hanging);
        let new = refused.reload(target).await.unwrap();
        assert_eq!(new.app_secret.expose(), "new");
        assert!(new.reload(target).await.is_none(), "the refused one again");
    }
}
