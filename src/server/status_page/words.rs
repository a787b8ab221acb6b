//! Text, times and numbers as the page shows them.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};

use crate::model::UnixSeconds;

/// Text that is safe between tags and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Not allowed in HTML, and marks that reorder text could make an error read as
                // something else.
                '\u{200e}' | '\u{200f}' | '\u{61c}' => f.write_char('\u{fffd}')?,
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}')?,
                '\n' | '\t' => f.write_char(' ')?,
                other if other.is_control() => f.write_char('\u{fffd}')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A time as people of every zone read it: `2026-03-01 02:03:04 UTC`.
pub(super) struct Utc(pub(super) UnixSeconds);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(self.0));
        let time = humantime::format_rfc3339_seconds(time).to_string();
        let (date, time) = time
            .trim_end_matches('Z')
            .split_once('T')
            .ok_or(fmt::Error)?;
        write!(f, "{date} {time} UTC")
    }
}

/// How long ago a time was, seen at the second one.
pub(super) struct Ago(pub(super) Option<UnixSeconds>, pub(super) UnixSeconds);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Some(then), now) = *self else {
            return f.write_str("not yet");
        };
        match now.checked_sub(then) {
            Some(age) => write!(f, "{} ago", Coarse(u64::from(age))),
            None => write!(f, "{} ahead of this clock", Coarse(u64::from(then - now))),
        }
    }
}

/// The same with the time itself.
pub(super) struct Moment(pub(super) Option<UnixSeconds>, pub(super) UnixSeconds);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(then, now) = *self;
        write!(f, "{}", Ago(then, now))?;
        match then {
            Some(then) => write!(f, " <time>{}</time>", Utc(then)),
            None => Ok(()),
        }
    }
}

/// A length of time in the one unit that suits it, rounded down.
pub(super) struct Coarse(pub(super) u64);

impl fmt::Display for Coarse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        match self.0 {
            // Two of a unit before it is used, so that 119 minutes are not told as "1 h".
            seconds if seconds < 2 * MINUTE => write!(f, "{seconds} s"),
            seconds if seconds < 2 * HOUR => write!(f, "{} min", seconds / MINUTE),
            seconds if seconds < 2 * DAY => write!(f, "{} h", seconds / HOUR),
            seconds => write!(f, "{} days", seconds / DAY),
        }
    }
}

/// How long something took that mostly takes less than a second.
pub(super) struct Took(pub(super) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            short if short.as_secs() < 1 => write!(f, "{} ms", short.as_millis()),
            middle if middle.as_secs() < 10 => write!(f, "{:.1} s", middle.as_secs_f64()),
            long => write!(f, "{}", Coarse(long.as_secs())),
        }
    }
}

/// A number with its thousands apart: `31,204`.
pub(super) struct Count(pub(super) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}
