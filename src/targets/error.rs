//! Why a configuration is not active, or a scrape has no answer.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::config::ConfigError;

/// Why a configuration is not active: one line without secrets.
#[derive(Clone, Debug, Error)]
pub enum LoadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(
        "--storage.path: cannot create the directory {directory}: {reason}; choose another one, \
         or start with --storage.in-memory (counters then start over at each restart)"
    )]
    Storage { directory: String, reason: String },
    #[error("target {name:?}: {reason}")]
    Target { name: String, reason: String },
    /// The trusted certificates of this machine cannot be read.
    #[error("{0}")]
    Trust(String),
    /// Each reading that hangs holds a thread, so no second one starts.
    #[error(
        "the configuration, or a file that it names, is still being read after {} s: is a file system \
         down?",
        .0.as_secs()
    )]
    Slow(Duration),
    /// A thread panicked. The log has the details.
    #[error("loading the configuration failed: {0}")]
    Panic(String),
}

impl LoadError {
    pub(super) fn target(name: &str, reason: impl fmt::Display) -> Self {
        Self::Target {
            name: name.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// Why a scrape has no answer.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ScrapeError {
    #[error(transparent)]
    UnknownTarget(#[from] UnknownTarget),
    /// The first configuration is still being loaded at the deadline.
    #[error("Not ready: configuration and storage are still being loaded.")]
    NotReady,
}

/// A target that is not configured.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("unknown target {:?}; known: {}", shorten(name), all(known))]
pub struct UnknownTarget {
    pub name: String,
    pub known: Vec<String>,
}

/// Room for names in an error: enough to spot a typing error.
const MAX_NAMES: usize = 40;
const MAX_NAME_CHARS: usize = 100;

fn shorten(name: &str) -> String {
    name.chars().take(MAX_NAME_CHARS).collect()
}

fn all(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        _ => listed(names, MAX_NAMES),
    }
}

/// The first `max` items, and how many there are besides.
pub fn listed<T: ToString>(items: &[T], max: usize) -> String {
    let shown: Vec<String> = items.iter().take(max).map(T::to_string).collect();
    let shown = shown.join(", ");
    match items.len().saturating_sub(max) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn unknown(name: &str, known: impl IntoIterator<Item = String>) -> String {
        let (name, known) = (name.to_owned(), known.into_iter().collect());
        UnknownTarget { name, known }.to_string()
    }

    #[test]
    fn an_unknown_target_is_reported_with_the_known_ones() {
        let known = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            unknown("x\n", known),
            r#"unknown target "x\n"; known: a, b"#
        );
        assert_eq!(unknown("x", []), r#"unknown target "x"; known: none"#);
    }

    #[test]
    fn a_list_is_cut() {
        let addresses: Vec<IpAddr> = (1..=6).map(|n| IpAddr::from([192, 0, 2, n])).collect();
        assert_eq!(listed(&addresses[..2], 2), "192.0.2.1, 192.0.2.2");
        let cut = "192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 and 2 more";
        assert_eq!(listed(&addresses, 4), cut);
    }

    #[test]
    fn the_text_stays_short() {
        let text = unknown(&"x".repeat(5000), (0..5000).map(|n| n.to_string()));
        assert!(text.len() < 500, "{text}");
        assert!(text.ends_with(", 38, 39 and 4960 more"), "{text}");
    }
}
