//! One request and its answer: sent, awaited and read within its time and size, or told why not.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::Api;
use super::failure::{Failure, Subject, Told};
use super::retry::{Outcome, parse_retry_after};
use super::unreachable::{self, Blame, root};

/// How much of the body of a failure, or of a token, is read.
pub(super) const SMALL_BODY: usize = 64 << 10;
/// Bytes that are set aside for a body before any of it has come.
const FIRST_CAPACITY: usize = 256 << 10;

/// What every request of a client has in common.
pub(super) struct Line<'a> {
    pub(super) client: &'a reqwest::Client,
    /// From the start of the connection to the last byte.
    pub(super) timeout: Duration,
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
    let Some(proxy) = subject.proxy else {
        return Blame {
            peer: own,
            certificate: own,
        };
    };
    Blame {
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
fn no_answer(error: &reqwest::Error, subject: Subject<'_>) -> Told {
    let quote = |text: &str| subject.quote(text);
    let mut told = unreachable::explain(error, error.is_connect(), blame(subject), &quote);
    if let Some(proxy) = subject.proxy {
        told.what = format!("through the proxy of {}: {}", proxy.key, told.what);
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
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let now = text(DATE)
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(SystemTime::now);
    parse_retry_after(text(RETRY_AFTER)?, now)
}
