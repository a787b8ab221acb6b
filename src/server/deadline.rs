//! How long a scrape may wait.

use std::time::Duration;

/// The header in which Prometheus tells how long it waits, in seconds.
pub(super) const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

/// Without the header: Prometheus's own default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// A scrape holds a connection, so nobody may ask for one that never ends. After five minutes
/// Prometheus takes series for gone, so that no scrape of its own is longer.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// Even a scrape without any time is worth a look at what is there already.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// How long a scrape waits before it is answered with what is complete: the client's timeout
/// less `offset`, or half of it where the offset leaves nothing. A header that makes no sense
/// counts as absent.
pub(super) fn wait_for(header: Option<&str>, offset: Duration) -> Duration {
    let timeout = header.and_then(parse).unwrap_or(DEFAULT_TIMEOUT);
    let wait = match timeout.checked_sub(offset) {
        Some(wait) if !wait.is_zero() => wait,
        _ => timeout / 2,
    };
    wait.max(MIN_WAIT)
}

fn parse(header: &str) -> Option<Duration> {
    let seconds: f64 = header.trim().parse().ok()?;
    if !seconds.is_finite() || seconds <= 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(seconds.min(MAX_TIMEOUT.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: Duration = Duration::from_millis(500);

    fn wait_ms(header: &str) -> u128 {
        wait_for(Some(header), OFFSET).as_millis()
    }

    #[test]
    fn the_offset_is_taken_off_the_timeout() {
        assert_eq!(wait_ms("30"), 29_500);
        assert_eq!(wait_ms("15.000000"), 14_500);
        assert_eq!(wait_ms(" 1e1 "), 9_500);
        assert_eq!(wait_for(Some("5"), Duration::ZERO), Duration::from_secs(5));
    }

    #[test]
    fn without_a_usable_header_it_is_prometheus_default() {
        assert_eq!(wait_for(None, OFFSET).as_millis(), 9_500);
        let junk = [
            "", "ten", "NaN", "inf", "-inf", "infinity", "0", "-0", "-3", "10s", "1,5", "1e999",
        ];
        for header in junk {
            assert_eq!(wait_ms(header), 9_500, "{header:?}");
        }
    }

    #[test]
    fn an_offset_that_leaves_nothing_leaves_half() {
        assert_eq!(wait_ms("0.4"), 200);
        assert_eq!(wait_ms("0.5"), 250);
        assert_eq!(wait_for(None, Duration::from_secs(60)).as_millis(), 5_000);
    }

    #[test]
    fn it_has_a_floor_and_a_ceiling() {
        assert_eq!(wait_ms("1e-300"), 10);
        assert_eq!(wait_ms("0.001"), 10);
        assert_eq!(wait_ms("0.501"), 10);
        assert_eq!(wait_ms("1e300"), 299_500);
        assert_eq!(wait_ms("301"), 299_500);
    }
}
