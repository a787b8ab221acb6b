//! How long a scrape may wait.

use std::time::Duration;

use hyper::HeaderMap;

/// Prometheus sends its scrape timeout in this header, in seconds.
const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

/// Without the header: Prometheus's own default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// A scrape holds a connection. Prometheus considers series gone after five minutes, so that its
/// own timeouts are not longer.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// Even a scrape without any time gets a look at what is complete.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// How long a scrape waits before it is answered with what is complete: the client's timeout less
/// `offset`, or half of it if the offset leaves nothing. A malformed header counts as absent.
pub(super) fn wait_for(headers: &HeaderMap, offset: Duration) -> Duration {
    let header = headers.get(TIMEOUT_HEADER);
    let timeout = header
        .and_then(|value| parse(value.to_str().ok()?))
        .unwrap_or(DEFAULT_TIMEOUT);
    let wait = match timeout.checked_sub(offset) {
        Some(wait) if !wait.is_zero() => wait,
        _ => timeout / 2,
    };
    wait.max(MIN_WAIT)
}

fn parse(header: &str) -> Option<Duration> {
    let seconds: f64 = header.trim().parse().ok()?;
    let is_usable = seconds.is_finite() && seconds > 0.0;
    is_usable.then(|| Duration::from_secs_f64(seconds.min(MAX_TIMEOUT.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSET: Duration = Duration::from_millis(500);

    fn headers(timeout: &[u8]) -> HeaderMap {
        let value = hyper::header::HeaderValue::from_bytes(timeout).unwrap();
        HeaderMap::from_iter([(TIMEOUT_HEADER.parse().unwrap(), value)])
    }

    fn wait_ms(header: &str) -> u128 {
        wait_for(&headers(header.as_bytes()), OFFSET).as_millis()
    }

    #[test]
    fn the_offset_is_taken_off_the_timeout() {
        assert_eq!(wait_ms("30"), 29_500);
        assert_eq!(wait_ms("15.000000"), 14_500);
        assert_eq!(wait_ms(" 1e1 "), 9_500);
        assert_eq!(
            wait_for(&headers(b"5"), Duration::ZERO),
            Duration::from_secs(5)
        );
    }

    #[test]
    fn without_a_usable_header_it_is_prometheus_default() {
        assert_eq!(wait_for(&HeaderMap::new(), OFFSET).as_millis(), 9_500);
        assert_eq!(wait_for(&headers(b"\xe9"), OFFSET).as_millis(), 9_500);
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
        assert_eq!(
            wait_for(&HeaderMap::new(), Duration::from_secs(60)).as_millis(),
            5_000
        );
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
