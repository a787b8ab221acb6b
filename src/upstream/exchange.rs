//! One request and its answer: sent, awaited and read within its time and size, or told why not.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Request, Response};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::failure::{Failure, Subject, Told};
use super::retry::{Outcome, parse_retry_after};
use super::unreachable::{self, Blame, root};
use super::{Api, Report, Reporter};

/// How much of the body of a failure, or of a token, is read.
pub(super) const SMALL_BODY: usize = 64 << 10;
/// Bytes that are set aside for a body before any of it has come.
const FIRST_CAPACITY: usize = 256 << 10;

/// What every request of a client has in common.
pub(super) struct Line<'a> {
    pub(super) client: &'a reqwest::Client,
    /// From the start of the connection to the last byte.
    pub(super) timeout: Duration,
    pub(super) report: &'a Reporter,
}

impl Line<'_> {
    /// Sends a request; gives the status and the whole body of an answer that is a success.
    pub(super) async fn exchange(
        &self,
        request: Request,
        subject: Subject<'_>,
        longest_body: usize,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let deadline = Instant::now() + self.timeout;
        let mut answer = match timeout_at(deadline, self.client.execute(request)).await {
            Ok(Ok(answer)) => answer,
            // The client's own limit on connecting, which is shorter.
            Ok(Err(error)) if error.is_timeout() => return Err(self.not_connected(subject)),
            Ok(Err(error)) => {
                return Err(subject.failure(Outcome::Connect, no_answer(&error, subject)));
            }
            Err(_) => return Err(self.timed_out(subject, "no answer came")),
        };
        if let Some(seconds) = clock_skew(answer.headers(), SystemTime::now()) {
            (self.report)(Report::ClockSkew(seconds));
        }
        let status = answer.status();
        if !status.is_success() {
            // The status tells enough if its body cannot be had.
            let mut body = Vec::new();
            let _ = timeout_at(deadline, read(&mut answer, SMALL_BODY, &mut body)).await;
            let location = answer
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            return Err(subject
                .status(status, &body, location)
                .asked_to_wait(retry_after(answer.headers())));
        }
        let mut body = Vec::new();
        match timeout_at(deadline, read(&mut answer, longest_body, &mut body)).await {
            Ok(Ok(())) => Ok((status.as_u16(), body)),
            Ok(Err(Unread::TooLarge)) => {
                let told = Told::new(
                    format!("its answer is larger than {} KiB", longest_body >> 10),
                    format!(
                        "it is not the vendor's service; or else {}",
                        smaller(subject)
                    ),
                );
                Err(subject.failure(Outcome::Body, told))
            }
            Ok(Err(Unread::Broken(error))) => {
                let told = Told::new(
                    format!(
                        "the answer broke off after {} bytes ({})",
                        body.len(),
                        subject.quote(&root(&error).to_string())
                    ),
                    "something between here and the vendor cut the connection",
                );
                Err(subject.failure(Outcome::Body, told))
            }
            Err(_) => {
                let what = format!("only {} bytes of the answer came", body.len());
                Err(self.timed_out(subject, &what))
            }
        }
    }

    fn timed_out(&self, subject: Subject<'_>, what: &str) -> Failure {
        let told = Told::new(
            format!("{what} within {:?}", self.timeout),
            format!(
                "the vendor is slow, or something on the way swallows what is sent; raise \
                 request_timeout, or {}",
                smaller(subject)
            ),
        );
        subject.failure(Outcome::Timeout, told)
    }

    fn not_connected(&self, subject: Subject<'_>) -> Failure {
        let told = unreachable::silent(
            &format!(
                "no connection came in time (request_timeout is {:?})",
                self.timeout
            ),
            blame(subject).peer,
        );
        subject.failure(Outcome::Timeout, told)
    }
}

/// Whose address can be to blame where no answer came.
fn blame(subject: Subject<'_>) -> Blame {
    let own = subject.endpoint_key();
    match subject.proxy.map(Url::scheme) {
        None => Blame {
            peer: own,
            certificate: own,
        },
        // The proxy shows a certificate as well; which one it was is not told.
        Some("https") => Blame {
            peer: "proxy_url",
            certificate: "proxy_url or endpoint",
        },
        Some(_) => Blame {
            peer: "proxy_url",
            certificate: own,
        },
    }
}

/// Why no status came.
fn no_answer(error: &reqwest::Error, subject: Subject<'_>) -> Told {
    let quote = |text: &str| subject.quote(text);
    let mut told = unreachable::explain(error, error.is_connect(), blame(subject), &quote);
    if subject.proxy.is_some() {
        told.what = format!("through the proxy of proxy_url: {}", told.what);
    }
    told
}

/// What may make an answer come sooner and smaller.
fn smaller(subject: Subject<'_>) -> &'static str {
    match subject.api {
        Api::Token => "check token_endpoint",
        Api::Details => "lower page_size",
    }
}

/// Why a body was not read to its end.
enum Unread {
    TooLarge,
    Broken(reqwest::Error),
}

/// Reads a body piece by piece: what it says of its own length is a hint, not a promise.
async fn read(answer: &mut Response, longest: usize, body: &mut Vec<u8>) -> Result<(), Unread> {
    let announced = answer
        .content_length()
        .and_then(|length| usize::try_from(length).ok());
    body.reserve(
        announced
            .unwrap_or_default()
            .min(longest)
            .min(FIRST_CAPACITY),
    );
    while let Some(piece) = answer.chunk().await.map_err(Unread::Broken)? {
        if piece.len() > longest - body.len() {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(())
}

/// What `Retry-After` asks for. A date is compared with the answer's own: the clocks may differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let now = date(headers).unwrap_or_else(SystemTime::now);
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

/// The time at which an answer says that it was made, in whole seconds.
fn date(headers: &HeaderMap) -> Option<SystemTime> {
    let text = headers.get(DATE)?.to_str().ok()?;
    httpdate::parse_http_date(text).ok()
}

/// Seconds by which the local clock is ahead of the one that dated an answer received at `now`.
/// Exact to a second and the time that the answer was on its way.
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
    fn the_clock_skew_follows_from_the_date_of_an_answer() {
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
