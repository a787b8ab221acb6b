//! The application's secret, which may be replaced while the program runs.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;
use tracing::{info, warn};

use super::redact::Secrets;
use crate::config::{Secret, Target, read_secret};

/// Limits a read of the secret from a file system that hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct CurrentSecret(Mutex<Credentials>);

#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) app_secret: Secret,
    /// What messages must not repeat, apart from the token.
    pub(super) secrets: Arc<Secrets>,
}

impl CurrentSecret {
    pub(super) fn new(target: &Target) -> Self {
        Self(Mutex::new(Credentials {
            app_secret: target.app_secret.clone(),
            secrets: Arc::new(Secrets::of(target, target.app_secret.expose(), None)),
        }))
    }

    pub(super) fn get(&self) -> Credentials {
        self.0.lock().clone()
    }

    /// Reads the secret from its file again; returns whether it differs from the refused one.
    pub(super) async fn reload(&self, target: &Target, refused: Secret) -> bool {
        let Some(file) = target.app_secret_file.clone() else {
            return false;
        };
        let reading = tokio::task::spawn_blocking(move || read_secret(&file));
        let app_secret = match timeout(READ_TIMEOUT, reading).await {
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
        // The vendor may still quote the old secret.
        let old = Some(refused.expose());
        let secrets = Arc::new(Secrets::of(target, app_secret.expose(), old));
        *self.0.lock() = Credentials {
            app_secret,
            secrets,
        };
        true
    }
}
