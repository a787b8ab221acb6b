//! Durations in Prometheus's notation: `90s`, `1h30m`, `1d`.

use std::fmt;
use std::time::Duration;

/// Units from the largest down, each in milliseconds. A year has 365 days, a day 24 hours.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// The longest duration of Prometheus, which counts nanoseconds in 63 bits.
const MAX_MILLIS: u64 = (i64::MAX / 1_000_000) as u64;

/// Parses a duration: whole numbers with a unit, largest unit first, each unit once; or a bare `0`.
///
/// The error says what is expected, and reads well after the name of a key or a flag.
pub fn parse(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a duration such as 90s, 1h30m or 1d";
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut millis = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_lowercase).count();
        let (name, after) = after.split_at(letters);
        // The iterator resumes after the last unit: each unit occurs once, in order.
        let (_, unit) = units.find(|(unit, _)| *unit == name).ok_or(EXPECTED)?;
        if number.is_empty() {
            return Err(EXPECTED.to_owned());
        }
        millis = (number.parse::<u64>().ok())
            .and_then(|number| number.checked_mul(*unit)?.checked_add(millis))
            .filter(|millis| *millis <= MAX_MILLIS)
            .ok_or("expected a duration of at most 292y")?;
        rest = after;
    }
    match text {
        "" => Err(EXPECTED.to_owned()),
        _ => Ok(Duration::from_millis(millis)),
    }
}

/// Writes a duration as Prometheus does, to the millisecond.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Display(pub Duration);

impl fmt::Display for Display {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in UNITS {
            // Years and weeks are only used when nothing is left over: 366d, not 1y1d.
            let whole_only = matches!(name, "y" | "w");
            if millis < unit || (whole_only && millis % unit != 0) {
                continue;
            }
            write!(f, "{}{name}", millis / unit)?;
            millis %= unit;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400_000;

    #[test]
    fn reads_what_prometheus_reads() {
        for (text, millis, written) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("500ms", 500, "500ms"),
            ("90s", 90_000, "1m30s"),
            ("1m30s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1d", DAY, "1d"),
            ("24h", DAY, "1d"),
            ("1w", 7 * DAY, "1w"),
            ("8d", 8 * DAY, "8d"),
            ("1y", 365 * DAY, "1y"),
            ("10y", 3650 * DAY, "10y"),
            ("1y1d", 366 * DAY, "366d"),
            ("1y2w3d4h5m6s7ms", 382 * DAY + 14_706_007, "382d4h5m6s7ms"),
            ("0y1s", 1000, "1s"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_millis(millis), "{text}");
            assert_eq!(Display(duration).to_string(), written, "{text}");
        }
    }

    #[test]
    fn refuses_what_prometheus_refuses() {
        for text in [
            "", "1", "00", "s", "-1s", "+1s", "1.5h", "1h 30m", " 1h", "1h ", "1x", "1H", "1s1m",
            "1h1h", "1ms1s", "1µs", "1h30", "１h", "1ns", "msm",
        ] {
            assert!(
                parse(text)
                    .unwrap_err()
                    .starts_with("expected a duration such as"),
                "{text}"
            );
        }
        for text in ["293y", "99999999999999999999s", "106751991168d", "292y365d"] {
            assert_eq!(
                parse(text).unwrap_err(),
                "expected a duration of at most 292y",
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn round_trip(millis in 0..=MAX_MILLIS) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&Display(duration).to_string()), Ok(duration));
        }
    }
}
