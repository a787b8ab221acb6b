//! The application's secret, which may be replaced while the program runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{info, warn};

use super::redact::Secrets;
use crate::config::{Secret, Target, read_secret};

/// Limits a read of the secret from a file system that hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) app_secret: Secret,
    /// What messages must not repeat, apart from the token.
    pub(super) secrets: Arc<Secrets>,
}

impl Credentials {
    /// The vendor may still quote an old secret.
    pub(super) fn new(target: &Target, app_secret: Secret, old: Option<&Secret>) -> Self {
        let secrets = Secrets::of(target, app_secret.expose(), old.map(Secret::expose));
        Self {
            app_secret,
            secrets: Arc::new(secrets),
        }
    }

    /// Reads the secret from its file again; `None` if there is none or the refused one.
    pub(super) async fn reload(target: &Target, refused: &Secret) -> Option<Self> {
        let file = target.app_secret_file.clone()?;
        let reading = tokio::task::spawn_blocking(move || read_secret(&file));
        match timeout(READ_TIMEOUT, reading).await {
            Ok(Ok(Ok(secret))) if secret != *refused => {
                info!("the secret was refused; trying the new one in app_secret_file");
                return Some(Self::new(target, secret, Some(refused)));
            }
            Ok(Ok(Ok(_))) => {}
            Ok(Ok(Err(reason))) => {
                warn!(%reason, "the secret was refused and cannot be read again")
            }
            Ok(Err(_)) | Err(_) => {
                warn!("the secret was refused and could not be read again in time");
            }
        }
        None
    }
}
