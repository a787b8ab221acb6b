//! The application's secret, which may be replaced while the program runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tracing::{info, warn};

use super::redact::Secrets;
use super::settings::ClientSettings;

/// How long reading it anew may take: it may be on a file system that hangs.
const MAX_READ: Duration = Duration::from_secs(5);

/// The secret in use.
pub(super) struct CurrentSecret(Mutex<Credentials>);

#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) app_secret: String,
    /// What messages must not repeat, apart from the token.
    pub(super) secrets: Arc<Secrets>,
}

impl CurrentSecret {
    /// The secret of the settings.
    pub(super) fn new(settings: &ClientSettings) -> Self {
        Self(Mutex::new(Credentials {
            app_secret: settings.app_secret.clone(),
            secrets: Arc::new(settings.secrets(&[&settings.app_secret])),
        }))
    }

    pub(super) fn get(&self) -> Credentials {
        self.lock().clone()
    }

    /// Whether there is another secret now where the one that was refused came from.
    pub(super) async fn read_anew(&self, settings: &ClientSettings, refused: String) -> bool {
        let Some(source) = settings.secret_source.clone() else {
            return false;
        };
        // On a thread of its own: it blocks.
        let reading = tokio::task::spawn_blocking(move || source());
        let app_secret = match timeout(MAX_READ, reading).await {
            Ok(Ok(Ok(secret))) if secret != refused => secret,
            Ok(Ok(Ok(_))) => return false,
            Ok(Ok(Err(reason))) => {
                warn!(%reason, "the secret was refused and cannot be read again");
                return false;
            }
            Ok(Err(_)) | Err(_) => {
                warn!("the secret was refused and could not be read again in time");
                return false;
            }
        };
        info!("the secret was refused; trying the new one in app_secret_file");
        // The vendor may still quote the old one.
        let secrets = Arc::new(settings.secrets(&[&app_secret, &refused]));
        *self.lock() = Credentials {
            app_secret,
            secrets,
        };
        true
    }

    fn lock(&self) -> MutexGuard<'_, Credentials> {
        // Nothing under this lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
