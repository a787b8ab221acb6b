//! One request and its answer: sent, awaited and read within its time and size, or told why not.

use std::error::Error as StdError;
use std::io;
use std::iter;
use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::Api;
use super::failure::{Failure, Subject};
use super::retry::{Outcome, parse_retry_after};

/// How much of the body of a failure, or of a token, is read.
pub(super) const SMALL_BODY: usize = 64 << 10;
/// Bytes that are set aside for a body before any of it has come.
const FIRST_CAPACITY: usize = 256 << 10;

/// What every request of a client has in common.
pub(super) struct Line<'a> {
    pub(super) client: &'a reqwest::Client,
    /// From the start of the connection to the last byte.
    pub(super) timeout: Duration,
    /// Whether `proxy_url` is set: then it may be the one to blame.
    pub(super) proxied: bool,
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
            // The client's own limit on connecting, which is the same, may be noticed first.
            Ok(Err(error)) if error.is_timeout() => {
                return Err(self.timed_out(subject, "no connection came"));
            }
            Ok(Err(error)) => {
                let what = self.no_answer(&error, subject);
                return Err(subject.failure(Outcome::Connect, &what));
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
                let limit = longest_body >> 10;
                let what = format!(
                    "its answer is larger than {limit} KiB; {}",
                    smaller(subject)
                );
                Err(subject.failure(Outcome::Body, &what))
            }
            Ok(Err(Unread::Broken(error))) => {
                let what = format!(
                    "the answer broke off after {} bytes ({}); \
                     something between here and the vendor cut the connection",
                    body.len(),
                    subject.quote(&root(&error).to_string())
                );
                Err(subject.failure(Outcome::Body, &what))
            }
            Err(_) => {
                let what = format!("only {} bytes of the answer came", body.len());
                Err(self.timed_out(subject, &what))
            }
        }
    }

    fn timed_out(&self, subject: Subject<'_>, what: &str) -> Failure {
        let what = format!(
            "{what} within {:?}; raise request_timeout, check that no firewall is in the way, or {}",
            self.timeout,
            smaller(subject)
        );
        subject.failure(Outcome::Timeout, &what)
    }

    /// Why no status came.
    fn no_answer(&self, error: &reqwest::Error, subject: Subject<'_>) -> String {
        let key = if self.proxied {
            "proxy_url"
        } else {
            subject.endpoint_key()
        };
        let what = match cause(error) {
            Cause::Tls(error) => return untrusted(&error, key),
            Cause::Dns => format!("its host name cannot be resolved; check {key} and the DNS"),
            Cause::Io(io::ErrorKind::ConnectionRefused) => {
                format!("the connection was refused; check host and port of {key}")
            }
            Cause::Io(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
                format!("there is no route to the host of {key}; check this machine's network")
            }
            Cause::Io(_) | Cause::Other if !error.is_connect() => {
                "the connection broke before an answer came; the vendor or something on the way \
                 closed it"
                    .into()
            }
            Cause::Io(_) | Cause::Other => {
                let text = subject.quote(&root(error).to_string());
                format!("no connection ({text}); check {key}")
            }
        };
        match self.proxied {
            true => format!("through the proxy of proxy_url: {what}"),
            false => what,
        }
    }
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

enum Cause {
    Tls(rustls::Error),
    Dns,
    Io(io::ErrorKind),
    Other,
}

fn cause(error: &reqwest::Error) -> Cause {
    let mut cause = Cause::Other;
    for error in causes(error) {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Cause::Tls(tls.clone());
        }
        // The resolver's error has no type of its own that could be seen from here.
        if error.to_string() == "dns error" {
            return Cause::Dns;
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            cause = Cause::Io(io.kind());
        }
    }
    cause
}

/// An error and all that it was made of, outermost first.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error = *error;
        // `io::Error` gives the source of what it holds, and leaves out what it holds.
        match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(held) => Some(held as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// The innermost error: those around it only say that something went wrong, and where.
fn root<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    causes(error).last().unwrap_or(error)
}

/// Why a TLS handshake failed.
fn untrusted(error: &rustls::Error, key: &str) -> String {
    use rustls::CertificateError as Bad;
    use rustls::Error::{InvalidCertificate, InvalidMessage};
    match error {
        InvalidCertificate(Bad::UnknownIssuer) => "TLS: its certificate comes from an authority \
             that is not trusted here; if it is a private one, name its certificate in ca_file"
            .into(),
        InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "TLS: its certificate has expired, or the clock of this machine is wrong".into()
        }
        InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            "TLS: its certificate is not valid yet, or the clock of this machine is wrong".into()
        }
        InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            format!("TLS: its certificate is for another host name; check {key}")
        }
        InvalidCertificate(other) => format!(
            "TLS: its certificate was not accepted ({other:?}); \
             a private authority's belongs into ca_file"
        ),
        InvalidMessage(_) => {
            format!("TLS: what answers there does not speak it; check scheme and port of {key}")
        }
        other => format!("TLS: the handshake failed ({other})"),
    }
}
