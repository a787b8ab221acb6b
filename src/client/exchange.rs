//! Sends one request and reads its response, within limits on time and size.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_ENCODING, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::decode::{BodyError, decode};
use super::failure::{Failure, RequestContext};
use super::report::{Report, Reporter};
use super::retry::parse_retry_after;

/// Limit on the body of an unsuccessful response or a token response.
pub(super) const MAX_SMALL_BODY: usize = 64 << 10;
/// A page of 1000 rows has about this many bytes.
const USUAL_BODY: u64 = 1 << 20;

/// Returns the status and the whole body of a successful response.
pub(super) async fn exchange(
    client: &reqwest::Client,
    report: &Reporter,
    request: Request,
    context: RequestContext<'_>,
    max_body: usize,
) -> Result<(u16, Vec<u8>), Failure> {
    // From opening the connection to the last byte.
    let deadline = Instant::now() + context.target.request_timeout;
    let mut response = match timeout_at(deadline, client.execute(request)).await {
        Ok(Ok(response)) => response,
        // The connect timeout, which is shorter than `deadline`.
        Ok(Err(error)) if error.is_timeout() && error.is_connect() => {
            return Err(context.not_connected());
        }
        Ok(Err(error)) => return Err(context.no_status(&error)),
        Err(_) => return Err(context.timed_out("no response")),
    };
    if let Some(seconds) = clock_skew(response.headers(), SystemTime::now()) {
        report(Report::ClockSkew(seconds));
    }
    let mut received = 0;
    let status = response.status();
    if !status.is_success() {
        let reading = read(&mut response, MAX_SMALL_BODY, &mut received);
        let body = match timeout_at(deadline, reading).await {
            Ok(Ok(body)) => body,
            // The status says enough without its body.
            _ => Vec::new(),
        };
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        let mut failure = context.status_failure(status, &body, location);
        failure.error.retry_after = retry_after(response.headers());
        return Err(failure);
    }
    let reading = read(&mut response, max_body, &mut received);
    match timeout_at(deadline, reading).await {
        Ok(Ok(body)) => Ok((status.as_u16(), body)),
        Ok(Err(error)) => Err(context.no_body(&error, received, max_body)),
        Err(_) => {
            let message = format!("received only {received} bytes of the response");
            Err(context.timed_out(&message))
        }
    }
}

/// Reads a body chunk by chunk, since its announced length is no limit. Counts into `received`,
/// which outlives this future if it times out.
async fn read(
    response: &mut Response,
    max_body: usize,
    received: &mut usize,
) -> Result<Vec<u8>, BodyError> {
    // Announced lengths are not trusted, so only room for a usual page.
    let announced = response.content_length().unwrap_or_default();
    let mut body = Vec::with_capacity(announced.min(USUAL_BODY) as usize);
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        body.extend_from_slice(&chunk);
        *received = body.len();
        if body.len() > max_body {
            return Err(BodyError::TooLarge);
        }
    }
    let coding = response.headers().get(CONTENT_ENCODING);
    let coding = coding.map(|value| String::from_utf8_lossy(value.as_bytes()));
    decode(coding.as_deref(), body, max_body)
}

/// The wait that `Retry-After` asks for. A date is compared with the response's own `Date`, since
/// the clocks may differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let now = date(headers).unwrap_or_else(SystemTime::now);
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let text = headers.get(DATE)?.to_str().ok()?;
    httpdate::parse_http_date(text).ok()
}

/// Seconds by which the local clock is ahead of the one that dated a response received at `now`.
/// Exact to a second plus the time that the response travelled.
fn clock_skew(headers: &HeaderMap, now: SystemTime) -> Option<f64> {
    let date = date(headers)?;
    Some(match now.duration_since(date) {
        Ok(ahead) => ahead.as_secs_f64(),
        Err(behind) => -behind.duration().as_secs_f64(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_skew_is_computed_from_the_date_header() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_600_500);
        let skew = |date: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, date.parse().unwrap());
            clock_skew(&headers, now)
        };
        assert_eq!(skew("Thu, 01 Jan 2026 00:00:00 GMT"), Some(0.5));
        assert_eq!(skew("Wed, 31 Dec 2025 23:00:00 GMT"), Some(3600.5));
        assert_eq!(skew("Thu, 01 Jan 2026 01:00:00 GMT"), Some(-3599.5));
        assert_eq!(skew("yesterday"), None);
        assert_eq!(clock_skew(&HeaderMap::new(), now), None);
    }
}
