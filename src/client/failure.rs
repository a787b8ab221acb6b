//! What is said about a failed request: which one it was, what came back, and of what kind the failure is.

use reqwest::StatusCode;
use url::{Position, Url};

use super::api::Api;
use super::redact::Secrets;
use super::retry::RequestOutcome;
use crate::config::{Proxy, Target};
use crate::model::shortened;
use crate::upstream::response::{Envelope, EnvelopeError, Fields, ParseError};
use crate::upstream::{Error, ErrorKind};

/// Characters of a message, which has to fit a log line and the status page.
const MAX_MESSAGE: usize = 300;

#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) outcome: RequestOutcome,
    pub(super) error: Error,
    /// The vendor may have refused the token, which a status of 401 alone says for sure.
    pub(super) may_be_token: bool,
}

/// What messages say about a request.
#[derive(Clone, Copy)]
pub(super) struct RequestContext<'a> {
    pub(super) api: Api,
    pub(super) url: &'a Url,
    /// Page of the list, from 1.
    pub(super) page: Option<u32>,
    pub(super) secrets: &'a Secrets,
    pub(super) target: &'a Target,
}

/// What happened and why, without secrets.
pub(super) struct Diagnosis {
    pub(super) message: String,
    pub(super) cause: Option<String>,
}

impl Diagnosis {
    pub(super) fn new(message: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            cause: Some(cause.into()),
        }
    }

    /// With a cause in which `{key}` stands for the configuration key to check.
    pub(super) fn about(key: &str, message: impl Into<String>, cause: &str) -> Self {
        Self::new(message, cause.replace("{key}", key))
    }
}

impl RequestContext<'_> {
    pub(super) fn failure(&self, outcome: RequestOutcome, diagnosis: Diagnosis) -> Failure {
        let page = self
            .page
            .map(|page| format!(" (page {page})"))
            .unwrap_or_default();
        let (host, path) = (host_and_port(self.url), self.url.path());
        let message = format!("POST {host}{path}{page}: {}", diagnosis.message);
        let message = shortened(&message, MAX_MESSAGE);
        let error = Error::new(self.error_kind(outcome), message, diagnosis.cause);
        Failure {
            outcome,
            error,
            may_be_token: false,
        }
    }

    /// The failure for an unsuccessful status.
    pub(super) fn status_failure(
        &self,
        status: StatusCode,
        body: &[u8],
        location: Option<&str>,
    ) -> Failure {
        let is_html = is_html(body);
        let error = match is_html {
            true => EnvelopeError::from_text(html_title(&String::from_utf8_lossy(body))),
            false => envelope_error(body),
        };
        let mut message = format!("answered {status}");
        let mut cause = self.cause_of_status(status.as_u16(), is_html, &error);
        if is_html {
            message.push_str(" with an HTML page");
        }
        if status.is_redirection() {
            let target = location.and_then(|location| self.url.join(location).ok());
            let host = target.map(|target| self.secrets.redact(host_and_port(&target)));
            let host = host.unwrap_or_else(|| "nowhere".to_owned());
            message.push_str(&format!(": it redirects to {host}, which is not followed"));
            cause = Some(format!(
                "the vendor's service has moved, or something on the way requires a login; set {} \
                 to the new address",
                self.endpoint_key()
            ));
        }
        let quote = self.quote(&error);
        if !quote.is_empty() {
            message.push_str(&format!("; it says: {quote}"));
        }
        // A proxy can respond itself to a request without TLS.
        let may_be_from_proxy =
            matches!(status.as_u16(), 403 | 502..=504) && self.url.scheme() == "http";
        if let (true, Some(cause), Some(proxy)) = (may_be_from_proxy, &mut cause, self.proxy()) {
            cause.push_str(&format!(
                "; or the proxy of {} sent this response",
                proxy.key
            ));
        }
        let outcome = RequestOutcome::Status(status.as_u16());
        Failure {
            may_be_token: self.may_be_about_token(&error),
            ..self.failure(outcome, Diagnosis { message, cause })
        }
    }

    /// The failure for a successful status whose body is not what was requested.
    pub(super) fn parse_failure(&self, body: &[u8], error: &ParseError) -> Failure {
        let key = self.endpoint_key();
        match error {
            ParseError::Envelope(error) => {
                let expected = match self.api {
                    Api::Credit => "an inspection result",
                    Api::Details | Api::Token => "a list of calls",
                };
                let quote = self.quote(error);
                let message = match (error.is_silent(), error.finding.as_deref()) {
                    (true, finding) => {
                        let finding = finding.unwrap_or_default();
                        format!("answered 200 without {expected}: {finding}")
                    }
                    (false, None) => format!("answered 200 with an error inside: {quote}"),
                    (false, Some(finding)) => {
                        format!("answered 200 with an error inside: {quote} ({finding})")
                    }
                };
                let cause = self.cause_of_envelope(error);
                Failure {
                    may_be_token: self.may_be_about_token(error),
                    ..self.failure(RequestOutcome::Envelope, Diagnosis::new(message, cause))
                }
            }
            ParseError::Body(_) if is_html(body) => {
                let diagnosis = Diagnosis::about(
                    key,
                    "answered with an HTML page instead of JSON",
                    "{key} is the address of a web site, or something on the way, such as a login \
                     page, responds in place of the vendor",
                );
                self.failure(RequestOutcome::Body, diagnosis)
            }
            ParseError::Body(reason) => {
                let cause = match (body.trim_ascii_start().first(), self.api) {
                    (None | Some(b'{'), _) | (Some(b'['), Api::Credit) => {
                        "it was truncated or replaced on the way, or the vendor changed its format"
                    }
                    (Some(_), _) => {
                        "another service than the vendor's runs at this address; check host and \
                         port of {key}"
                    }
                };
                let length = body.len();
                let message = format!("cannot parse the response of {length} bytes: {reason}");
                self.failure(RequestOutcome::Body, Diagnosis::about(key, message, cause))
            }
        }
    }

    /// The vendor's code and description, sanitised.
    fn quote(&self, error: &EnvelopeError) -> String {
        let code = error.code.as_deref();
        let code = code.and_then(|code| self.secrets.quote_code(code));
        let text = error.text.as_deref().unwrap_or_default();
        let text = self.secrets.quote(text);
        let parts = [code.unwrap_or_default(), text];
        parts.join(" ").trim().to_owned()
    }

    pub(super) fn proxy(&self) -> Option<&Proxy> {
        self.api.proxy(self.target)
    }

    pub(super) fn endpoint_key(&self) -> &'static str {
        self.api.endpoint_key(self.target)
    }

    fn error_kind(&self, outcome: RequestOutcome) -> ErrorKind {
        match (outcome, self.api) {
            (RequestOutcome::Timeout, _) => ErrorKind::Timeout,
            (RequestOutcome::Connect, _) => ErrorKind::Connect,
            (RequestOutcome::Body, _) => ErrorKind::Body,
            (RequestOutcome::Envelope, _) => ErrorKind::Envelope,
            (RequestOutcome::Status(401 | 403), _) => ErrorKind::Auth,
            (RequestOutcome::Status(429), _) => ErrorKind::RateLimit,
            // A rejected token request says nothing about a `limit`.
            (RequestOutcome::Status(400 | 413 | 422), Api::Details | Api::Credit) => {
                ErrorKind::BadRequest
            }
            (RequestOutcome::Status(500), _) => ErrorKind::Server,
            (RequestOutcome::Status(_), _) => ErrorKind::Unavailable,
        }
    }
}

pub(super) fn speaks_tls(key: &str) -> String {
    format!("the port speaks TLS: write https:// in {key}")
}

/// A URL without the parts that may contain a password or a session.
fn host_and_port(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// The error in the JSON body of an unsuccessful response.
fn envelope_error(body: &[u8]) -> EnvelopeError {
    let Ok(fields) = serde_json::from_slice::<Fields<'_>>(body) else {
        return plain_text_error(body);
    };
    let inner = fields
        .get("error")
        .map(|inner| serde_json::from_str::<Fields<'_>>(inner.get()));
    let inner = inner.and_then(Result::ok).unwrap_or_default();
    Envelope::of(fields.iter().chain(&inner)).error(&[])
}

/// Recognises the plain text with which Go's servers reject HTTP on a TLS port; quotes no other.
fn plain_text_error(body: &[u8]) -> EnvelopeError {
    const HTTP_TO_TLS: &str = "Client sent an HTTP request to an HTTPS server";
    match body.trim_ascii_start().starts_with(HTTP_TO_TLS.as_bytes()) {
        true => EnvelopeError::from_text(HTTP_TO_TLS),
        false => EnvelopeError::default(),
    }
}

/// Decided by the body, since the declared content type is often wrong.
fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// The title of an HTML page; empty if it has none.
fn html_title(html: &str) -> &str {
    // ASCII lower case keeps the byte positions.
    let lower = html.to_ascii_lowercase();
    let title = lower.split_once("<title>").and_then(|(before, rest)| {
        let start = before.len() + "<title>".len();
        html.get(start..start + rest.find("</title>")?)
    });
    title.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_html_page_is_reduced_to_its_title() {
        assert_eq!(
            html_title("<html><TITLE>Not allowed</Title>"),
            "Not allowed"
        );
        assert_eq!(html_title("<html><title>"), "");
    }
}
