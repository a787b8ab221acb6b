//! `--between 22:00-06:00`: at which local times the list is read.

use std::str::FromStr;
use std::time::Duration;

use jiff::ZonedDateTime;
use jiff::civil::Time;
use tokio::time::sleep;
use tracing::info;

/// A span of local time, every day. Its end may be on the next day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DailyWindow {
    from: Time,
    to: Time,
}

/// The longest time to sleep at once, so that a clock that is set is noticed.
const MAX_SLEEP: Duration = Duration::from_secs(60);

impl DailyWindow {
    /// Waits until the span begins, if it is not now.
    pub async fn wait(self) {
        let mut is_logged = false;
        loop {
            let now = ZonedDateTime::now();
            let Some(wait) = self.wait_at(&now) else {
                return;
            };
            if !is_logged {
                // The zone shows a `TZ` that is not known, and means UTC.
                info!(until = %self.from, %now, "waiting for the time of --between");
                is_logged = true;
            }
            sleep(wait.min(MAX_SLEEP)).await;
        }
    }

    /// Time until the span begins; `None` within it.
    fn wait_at(self, now: &ZonedDateTime) -> Option<Duration> {
        let time = now.time();
        let is_within = if self.from <= self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        };
        if is_within {
            return None;
        }
        let wait = self.from.duration_since(time).as_secs().rem_euclid(86_400);
        Some(Duration::from_secs(wait.max(1) as u64))
    }
}

impl FromStr for DailyWindow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = |text: &str| text.trim().parse::<Time>().ok();
        text.split_once('-')
            .and_then(|(from, to)| Some((time(from)?, time(to)?)))
            .filter(|(from, to)| from != to)
            .map(|(from, to)| Self { from, to })
            .ok_or_else(|| "expected two times of day, such as 22:00-06:00".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_at(window: &str, now: &str) -> Option<u64> {
        let now = format!("2026-11-25T{now}+08:00[Asia/Shanghai]");
        let window: DailyWindow = window.parse().unwrap();
        window
            .wait_at(&now.parse().unwrap())
            .map(|wait| wait.as_secs())
    }

    #[test]
    fn a_span_may_cross_midnight() {
        for (window, now, wait) in [
            ("22:00-06:00", "22:00:00", None),
            ("22:00-06:00", "23:59:59", None),
            ("22:00-06:00", "05:59:59", None),
            ("22:00-06:00", "06:00:00", Some(16 * 3600)),
            ("22:00-06:00", "21:59:30", Some(30)),
            ("01:30-05:00", "01:29:59", Some(1)),
            ("01:30-05:00", "05:00:00", Some(20 * 3600 + 1800)),
            ("01:30-05:00", "03:00:00", None),
        ] {
            assert_eq!(wait_at(window, now), wait, "{window} at {now}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            "22:00",
            "22:00-",
            "22:00-22:00",
            "25:00-06:00",
            "x-y",
            "22-6-7",
        ] {
            assert!(text.parse::<DailyWindow>().is_err(), "{text}");
        }
    }
}
