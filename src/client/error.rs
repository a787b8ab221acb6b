//! Why no client can be built.

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    /// One setting cannot be used. `reason` never contains a secret value.
    #[error("{key}: {reason}")]
    Setting { key: &'static str, reason: String },
    /// The HTTP client did not start for a reason outside of the configuration.
    #[error("the HTTP client did not start: {0}")]
    Client(String),
}

impl BuildError {
    pub(super) fn setting(key: &'static str, reason: impl Into<String>) -> Self {
        Self::Setting {
            key,
            reason: reason.into(),
        }
    }
}
