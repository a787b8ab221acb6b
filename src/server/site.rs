//! What the server asks of the program behind it.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::metrics::exposition::Format;
use crate::model::UnixSeconds;

/// The program behind the server.
pub trait Site: Send + Sync + 'static {
    /// The metrics of the named targets, or of all without names.
    ///
    /// Returns by `deadline` with what is complete by then, whatever state the vendor is in. The
    /// server drops the future when the client leaves, so work that must end belongs elsewhere.
    /// No name comes twice.
    fn scrape(
        &self,
        targets: Option<Vec<String>>,
        scope: Scope,
        format: Format,
        deadline: Instant,
    ) -> impl Future<Output = Result<Bytes, UnknownTarget>> + Send;

    /// What the status page shows. Called on the server's threads: must not block.
    fn status(&self) -> StatusView;

    /// Whether configuration and storage are loaded.
    fn ready(&self) -> bool;

    /// A scrape or a probe has come in. Called once before each [`Site::scrape_ended`].
    fn scrape_began(&self);

    /// A scrape or a probe was answered with this HTTP status; `None` if its client left before.
    fn scrape_ended(&self, status: Option<u16>);

    /// Reads the configuration again. Always runs to its end, also if the client leaves.
    fn reload(&self) -> impl Future<Output = Result<(), NotReloaded>> + Send;
}

/// Which series a scrape is answered with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Those of the targets and those of the process.
    Everything,
    /// Those with a label `target`.
    TargetOnly,
}

/// A target was asked for that is not configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownTarget {
    /// The name that was asked for.
    pub name: String,
    /// The names there are.
    pub known: Vec<String>,
}

/// Room in an answer for names: enough to spot a typing error, not a page of them.
const MAX_NAMES: usize = 40;
const MAX_NAME_CHARS: usize = 100;

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |name: &str| name.chars().take(MAX_NAME_CHARS).collect::<String>();
        write!(f, "unknown target {:?}; known:", short(&self.name))?;
        if self.known.is_empty() {
            f.write_str(" none")?;
        }
        for (index, name) in self.known.iter().take(MAX_NAMES).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {}", short(name))?;
        }
        match self.known.len().saturating_sub(MAX_NAMES) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl std::error::Error for UnknownTarget {}

/// Why a new configuration was not taken: one line for a person, without secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotReloaded(pub String);

impl fmt::Display for NotReloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotReloaded {}

/// What the status page shows.
#[derive(Clone, Default, Debug)]
pub struct StatusView {
    /// The exporter's version, as a person would write it.
    pub version: String,
    /// The targets in the order of the configuration.
    pub targets: Vec<TargetView>,
    /// Why the configuration that is there now is not in force; `None` if it is.
    pub reload_error: Option<LastError>,
}

/// What the status page shows of one target.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// Its name in the configuration.
    pub name: String,
    /// How it is.
    pub state: TargetState,
    /// How far loading has come, in words; `None` once the whole window is in.
    pub progress: Option<String>,
    /// The window that `calls` counts.
    pub lookback: Duration,
    /// The list was read completely up to this upload time.
    pub frontier: Option<UnixSeconds>,
    /// Calls uploaded from then on are in the counters; `None` where that is not known.
    pub counted_from: Option<UnixSeconds>,
    /// How the last pull went; `None` before the end of the first.
    pub last_pull: Option<LastPull>,
    /// When a pull last succeeded.
    pub last_success: Option<UnixSeconds>,
    /// The last failure; it stays after a success, with its time.
    pub last_error: Option<LastError>,
    /// From then on a request renews the token; `None` before the first token.
    pub token_renewal: Option<UnixSeconds>,
    /// Seconds by which the local clock is ahead of the vendor's, where that is worth telling.
    pub clock_skew: Option<f64>,
    /// The proxies that its requests go through, without credentials; `None` if they go directly.
    pub proxy: Option<String>,
    /// Parts of the list that could not be read, oldest first.
    pub skipped: Vec<SkippedWindow>,
    /// Calls in the window, by type and status, in the order to show them in.
    pub calls: Vec<CallCount>,
}

/// A part of the list that could not be read and was stepped over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SkippedWindow {
    /// First upload time.
    pub from: UnixSeconds,
    /// Last upload time.
    pub to: UnixSeconds,
    /// When it is tried again.
    pub retry_at: UnixSeconds,
    /// What the vendor answered.
    pub reason: String,
}

/// How the last pull went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastPull {
    /// When it ended.
    pub ended: UnixSeconds,
    /// How long it took.
    pub took: Duration,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// How a target is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetState {
    /// The last pull succeeded.
    Up,
    /// The last pull failed.
    Down,
    /// No pull has failed, but its first whole window is not in yet.
    Loading,
}

/// What went wrong last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastError {
    /// When.
    pub at: UnixSeconds,
    /// What, without secrets.
    pub message: String,
    /// What to look at first, if that can be told.
    pub likely_cause: Option<String>,
}

/// How many calls of a type are in a status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallCount {
    /// The type, as in the label `call_type`.
    pub call_type: String,
    /// The status, as in the label `status`.
    pub status: String,
    /// What the status means for the call.
    pub outcome: Outcome,
    /// The number of calls.
    pub calls: u64,
}

/// What a status means for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is on its way.
    Pending,
    /// It is done.
    Succeeded,
    /// It came to nothing.
    Failed,
    /// It is no longer listed.
    Missing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(name: &str, known: impl IntoIterator<Item = String>) -> String {
        let (name, known) = (name.to_owned(), known.into_iter().collect());
        UnknownTarget { name, known }.to_string()
    }

    #[test]
    fn an_unknown_target_is_told_with_the_known_ones() {
        let known = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            unknown("x\n", known),
            r#"unknown target "x\n"; known: a, b"#
        );
        assert_eq!(unknown("x", []), r#"unknown target "x"; known: none"#);
    }

    #[test]
    fn the_text_stays_short() {
        let text = unknown(&"x".repeat(5000), (0..5000).map(|n| n.to_string()));
        assert!(text.len() < 500, "{text}");
        assert!(text.ends_with(", 38, 39 and 4960 more"), "{text}");
    }
}
