//! One request and its answer: sent, awaited and read within its time and size, or told why not.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_ENCODING, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::decode::{DecodeError, Decoder};
use super::diagnose::{self, ConfigKeys, root};
use super::failure::{Diagnosis, Failure, RequestContext};
use super::retry::{Outcome, parse_retry_after};
use super::{Api, Report, Reporter};

/// How much of the body of a failure, or of a token, is read.
pub(super) const SMALL_BODY: usize = 64 << 10;

/// What every request of a client has in common.
pub(super) struct Exchange<'a> {
    pub(super) client: &'a reqwest::Client,
    /// From the start of the connection to the last byte.
    pub(super) timeout: Duration,
    pub(super) report: &'a Reporter,
}

impl Exchange<'_> {
    /// Sends a request; gives the status and the whole body of an answer that is a success.
    pub(super) async fn exchange(
        &self,
        request: Request,
        subject: RequestContext<'_>,
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
            let read = timeout_at(deadline, read(&mut answer, SMALL_BODY)).await;
            let body = match read {
                Ok(Ok(body)) => body,
                _ => Vec::new(),
            };
            let location = answer
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            return Err(subject
                .status(status, &body, location)
                .asked_to_wait(retry_after(answer.headers())));
        }
        // Outside of the future, which may not come to its end.
        let mut received = 0;
        let unread = match timeout_at(
            deadline,
            read_counted(&mut answer, longest_body, &mut received),
        )
        .await
        {
            Ok(Ok(body)) => return Ok((status.as_u16(), body)),
            Ok(Err(unread)) => unread,
            Err(_) => {
                let what = format!("only {received} bytes of the answer came");
                return Err(self.timed_out(subject, &what));
            }
        };
        let told = match unread {
            Unread::Decode(DecodeError::TooLarge) => Diagnosis::new(
                format!("its answer is larger than {} KiB", longest_body >> 10),
                format!(
                    "it is not the vendor's service; or else {}",
                    smaller(subject)
                ),
            ),
            Unread::Decode(DecodeError::Unknown(coding)) => Diagnosis::new(
                format!(
                    "its answer is compressed in an unknown way (Content-Encoding: {})",
                    subject.redact(&coding)
                ),
                "a proxy or gateway on the way compresses what it was not asked to",
            ),
            Unread::Decode(DecodeError::Broken) => Diagnosis::new(
                format!("its compressed answer of {received} bytes cannot be decompressed"),
                "it was cut or replaced on the way",
            ),
            Unread::Broken(error) => Diagnosis::new(
                format!(
                    "the answer broke off after {received} bytes ({})",
                    subject.redact(&root(&error).to_string())
                ),
                "something between here and the vendor cut the connection",
            ),
        };
        Err(subject.failure(Outcome::Body, told))
    }

    fn timed_out(&self, subject: RequestContext<'_>, what: &str) -> Failure {
        let told = Diagnosis::new(
            format!("{what} within {:?}", self.timeout),
            format!(
                "the vendor is slow, or something on the way drops packets; raise \
                 request_timeout, or {}",
                smaller(subject)
            ),
        );
        subject.failure(Outcome::Timeout, told)
    }

    fn not_connected(&self, subject: RequestContext<'_>) -> Failure {
        let told = diagnose::silent(
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
fn blame(subject: RequestContext<'_>) -> ConfigKeys {
    let own = subject.endpoint_key();
    let Some(proxy) = subject.proxy() else {
        return ConfigKeys {
            peer: own,
            certificate: own,
        };
    };
    ConfigKeys {
        peer: proxy.key,
        // The proxy shows a certificate as well; which one it was is not told.
        certificate: match (proxy.url.scheme(), proxy.key) {
            ("https", "proxy_url") => "proxy_url or endpoint",
            ("https", variable) => variable,
            _ => own,
        },
    }
}

/// Why no status came.
fn no_answer(error: &reqwest::Error, subject: RequestContext<'_>) -> Diagnosis {
    let quote = |text: &str| subject.redact(text);
    let not_http = || subject.not_http();
    let connecting = error.is_connect();
    let mut told = diagnose::explain(error, connecting, blame(subject), &quote, not_http);
    let is_closed = told.what.starts_with("the connection broke");
    if let Some(cause) = told.cause.as_mut()
        && is_closed
        && subject.url.scheme() == "http"
    {
        cause.push_str("; if the port speaks TLS, write https://");
    }
    if let Some(proxy) = subject.proxy() {
        told.what = format!("through the proxy of {}: {}", proxy.key, told.what);
    }
    told
}

/// What may make an answer come sooner and smaller.
fn smaller(subject: RequestContext<'_>) -> String {
    match subject.api {
        Api::Token => format!("check {}", subject.endpoint_key()),
        Api::Details => "lower page_size".to_owned(),
    }
}

/// Why a body was not read to its end.
enum Unread {
    Decode(DecodeError),
    Broken(reqwest::Error),
}

impl From<DecodeError> for Unread {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

async fn read(answer: &mut Response, longest: usize) -> Result<Vec<u8>, Unread> {
    read_counted(answer, longest, &mut 0).await
}

/// Reads a body piece by piece: what it says of its own length is a hint, not a promise.
async fn read_counted(
    answer: &mut Response,
    longest: usize,
    received: &mut usize,
) -> Result<Vec<u8>, Unread> {
    let coding = answer.headers().get(CONTENT_ENCODING);
    let coding = coding.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let mut decoder = Decoder::new(coding.as_deref(), longest)?;
    while let Some(piece) = answer.chunk().await.map_err(Unread::Broken)? {
        decoder.push(&piece)?;
        *received = decoder.received();
    }
    Ok(decoder.finish()?)
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
