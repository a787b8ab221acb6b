//! Times and numbers for people, and text without invisible characters.

use std::fmt;
use std::time::Duration;

use askama::filters::Safe;

use crate::model::{UnixSeconds, shortened, utc};

/// Errors are cut where they are made. This is the last line of defence.
const MAX_ERROR_CHARS: usize = 2000;

/// Replaces control characters, which HTML does not allow, and marks that reorder text, which could
/// make an error read as something else. Escaping is left to the templates.
pub(super) fn clean(page: &str) -> String {
    let is_forbidden = |character: char| match character {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    };
    page.replace(is_forbidden, "\u{fffd}")
}

/// The message of an error.
pub(super) fn cut(message: &str) -> String {
    // And the mark that it was cut.
    shortened(message, MAX_ERROR_CHARS + 1)
}

/// A time in UTC: `2026-03-01 02:03:04 UTC`.
pub(super) struct Utc(pub(super) UnixSeconds);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", utc(self.0).strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

/// A time that is normally in the past, relative to now: `5 min ago`.
pub(super) fn ago(time: Option<UnixSeconds>, now: UnixSeconds) -> String {
    match time {
        None => "not yet".to_owned(),
        Some(then) => match now.checked_sub(then) {
            Some(age) => format!("{} ago", RoughDuration(age.into())),
            None => format!("{} ahead of this clock", RoughDuration((then - now).into())),
        },
    }
}

/// The same with the time itself: `5 min ago <time>2026-03-01 02:03:04 UTC</time>`.
pub(super) fn ago_at(time: Option<UnixSeconds>, now: UnixSeconds) -> Safe<String> {
    with_time(ago(time, now), time)
}

/// When a token is renewed.
pub(super) fn renewal(time: Option<UnixSeconds>, now: UnixSeconds) -> Safe<String> {
    match time {
        None => with_time("no token yet".to_owned(), None),
        Some(then) if then <= now => with_time("with the next request".to_owned(), None),
        Some(then) => with_time(format!("in {}", RoughDuration((then - now).into())), time),
    }
}

/// Safe, because its parts are digits and fixed words.
fn with_time(relative: String, time: Option<UnixSeconds>) -> Safe<String> {
    Safe(match time {
        Some(time) => format!("{relative} <time>{}</time>", Utc(time)),
        None => relative,
    })
}

/// A duration in one unit, rounded down: `119 min`, `2 h`.
pub(super) struct RoughDuration(pub(super) u64);

impl fmt::Display for RoughDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        match self.0 {
            // A unit starts at two of it, so that 119 minutes do not become "1 h".
            seconds if seconds < 2 * MINUTE => write!(f, "{seconds} s"),
            seconds if seconds < 2 * HOUR => write!(f, "{} min", seconds / MINUTE),
            seconds if seconds < 2 * DAY => write!(f, "{} h", seconds / HOUR),
            seconds => write!(f, "{} days", seconds / DAY),
        }
    }
}

/// A duration that is usually below a second: `420 ms`, `1.2 s`.
pub(super) struct ShortDuration(pub(super) Duration);

impl fmt::Display for ShortDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            short if short.as_secs() < 1 => write!(f, "{} ms", short.as_millis()),
            middle if middle.as_secs() < 10 => write!(f, "{:.1} s", middle.as_secs_f64()),
            long => write!(f, "{}", RoughDuration(long.as_secs())),
        }
    }
}
