//! What went wrong with one request, in words: the request, what came, the likely cause.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use url::Url;

use super::cause::{Answered, speaks_tls};
use super::redact::{Secrets, cut};
use super::response::{Envelope, ErrorInside, Unreadable};
use super::retry::Outcome;
use super::settings::{ClientSettings, ProxySettings, host, place};
use super::{Api, Error, ErrorKind};

/// Characters of a message; it has to fit a log line and a status page.
const MAX_MESSAGE: usize = 300;

/// A failed request.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) error: Error,
}

/// A request as messages name it.
#[derive(Clone, Copy)]
pub(super) struct RequestContext<'a> {
    pub(super) api: Api,
    pub(super) url: &'a Url,
    /// Of the list, from 1.
    pub(super) page: Option<u32>,
    /// What must not be repeated should the vendor quote it.
    pub(super) secrets: &'a Secrets,
    /// A further secret.
    pub(super) token: Option<&'a str>,
    /// Which of its keys may be to blame.
    pub(super) settings: &'a ClientSettings,
}

/// What came, fit to be shown, and why that is so most likely.
pub(super) struct Diagnosis {
    pub(super) what: String,
    pub(super) cause: Option<String>,
}

impl Diagnosis {
    pub(super) fn new(what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cause: Some(cause.into()),
        }
    }
}

impl RequestContext<'_> {
    pub(super) fn failure(&self, outcome: Outcome, told: Diagnosis) -> Failure {
        let page = self
            .page
            .map(|page| format!(" (page {page})"))
            .unwrap_or_default();
        let message = format!("POST {}{page}: {}", place(self.url), told.what);
        let error = Error {
            kind: self.kind(outcome),
            message: cut(&message, MAX_MESSAGE),
            likely_cause: told.cause,
            retry_after: None,
        };
        Failure { outcome, error }
    }

    /// A status that is not success, with the body that came with it.
    pub(super) fn status(
        &self,
        status: StatusCode,
        body: &[u8],
        location: Option<&str>,
    ) -> Failure {
        let html = String::from_utf8_lossy(if is_html(body) { body } else { &[] });
        let said = match is_html(body) {
            true => ErrorInside {
                text: Some(title(&html).to_owned()),
                ..ErrorInside::default()
            },
            false => error_inside(body),
        };
        let mut told = Diagnosis {
            what: format!("answered {status}"),
            cause: self.answered(status.as_u16(), body, &said).cause(),
        };
        if is_html(body) {
            told.what.push_str(" with an HTML page");
        }
        if status.is_redirection() {
            told.what.push_str(&self.redirect(location));
            told.cause = Some(format!(
                "the vendor has moved, or something on the way wants a login; put the address \
                 that answers into {}",
                self.endpoint_key()
            ));
        }
        let quote = self.quote_error(&said);
        if !quote.is_empty() {
            told.what.push_str(&format!("; it says: {quote}"));
        }
        // Of a request without TLS the proxy reads all, and answers what it likes.
        let may_be_the_proxys =
            matches!(status.as_u16(), 403 | 502..=504) && self.url.scheme() == "http";
        if let Some(cause) = told.cause.as_mut().filter(|_| may_be_the_proxys)
            && let Some(proxy) = self.proxy()
        {
            cause.push_str(&format!(
                "; or it is the proxy of {} that answers",
                proxy.key
            ));
        }
        self.failure(Outcome::Status(status.as_u16()), told)
    }

    /// A success whose body is not what was asked for.
    pub(super) fn unreadable(&self, body: &[u8], why: &Unreadable) -> Failure {
        let key = self.endpoint_key();
        match why {
            Unreadable::Envelope(error) => {
                let what = match error.is_silent() {
                    true => format!(
                        "answered 200 without a list: {}",
                        error.finding.as_deref().unwrap_or_default()
                    ),
                    false => {
                        let finding = error.finding.as_ref();
                        let finding = finding.map(|finding| format!(" ({finding})"));
                        format!(
                            "answered 200 with an error inside: {}{}",
                            self.quote_error(error),
                            finding.unwrap_or_default()
                        )
                    }
                };
                let cause = self.answered(200, body, error).cause_inside();
                self.failure(Outcome::Envelope, Diagnosis::new(what, cause))
            }
            Unreadable::Body(_) if is_html(body) => {
                let told = Diagnosis::new(
                    "answered with an HTML page instead of JSON",
                    format!(
                        "{key} leads to a site for people, or something on the way, such as a \
                         login page, answers in the vendor's place"
                    ),
                );
                self.failure(Outcome::Body, told)
            }
            Unreadable::Body(text) => {
                let cause = match body.trim_ascii_start().first() {
                    None | Some(b'{') => "it was cut or replaced on the way, or the vendor \
                         changed its form"
                        .to_owned(),
                    Some(_) => format!(
                        "another service than the vendor's answers at this address; check host \
                         and port of {key}"
                    ),
                };
                let what = format!("its answer of {} bytes cannot be read: {text}", body.len());
                self.failure(Outcome::Body, Diagnosis::new(what, cause))
            }
        }
    }

    /// What came is no HTTP.
    pub(super) fn not_http(&self) -> Diagnosis {
        let key = self.endpoint_key();
        let cause = match self.url.scheme() {
            "http" => format!("{}; else host or port is wrong", speaks_tls(key)),
            _ => format!("another service than the vendor's answers there; check port of {key}"),
        };
        Diagnosis::new("what answers there does not speak HTTP", cause)
    }

    fn answered<'b>(&self, status: u16, body: &[u8], said: &'b ErrorInside) -> Answered<'b> {
        Answered {
            api: self.api,
            status,
            is_html: is_html(body),
            key: self.endpoint_key(),
            has_token_endpoint: self.settings.has_token_endpoint(),
            code: said.code.as_deref(),
            text: said.text.as_deref().unwrap_or_default(),
        }
    }

    /// The vendor's code and description, fit to be shown.
    fn quote_error(&self, error: &ErrorInside) -> String {
        let code = error.code.as_deref();
        let code = code.and_then(|code| self.secrets.code(code, self.token));
        let text = error.text.as_deref().unwrap_or_default();
        let text = self.secrets.quote(text, self.token);
        let parts = [code.unwrap_or_default(), text];
        parts.join(" ").trim().to_owned()
    }

    /// Text of this machine's on one line, cut, without anything secret.
    pub(super) fn redact(&self, text: &str) -> String {
        self.secrets.redact(text, self.token)
    }

    /// What the request goes through: then it may be the one to blame.
    pub(super) fn proxy(&self) -> Option<&ProxySettings> {
        match self.api {
            Api::Details => self.settings.proxy.as_ref(),
            Api::Token => self.settings.token_proxy.as_ref(),
        }
    }

    /// The key of the configuration that holds the address.
    pub(super) fn endpoint_key(&self) -> &'static str {
        self.settings.key(self.api)
    }

    fn redirect(&self, location: Option<&str>) -> String {
        // The rest of the address may hold a session; the host tells enough.
        let target = location.and_then(|to| self.url.join(to).ok());
        let target = target.map_or_else(|| "nowhere".to_owned(), |to| self.redact(&host(&to)));
        format!(": it redirects to {target}, which is not followed")
    }

    fn kind(&self, outcome: Outcome) -> ErrorKind {
        match (outcome, self.api) {
            (Outcome::Timeout, _) => ErrorKind::Timeout,
            (Outcome::Connect, _) => ErrorKind::Connect,
            (Outcome::Body, _) => ErrorKind::Body,
            (Outcome::Envelope, _) => ErrorKind::Envelope,
            (Outcome::Status(401 | 403), _) => ErrorKind::Auth,
            (Outcome::Status(429), _) => ErrorKind::RateLimit,
            // A refused token request says nothing about a `limit`.
            (Outcome::Status(400), Api::Details) => ErrorKind::BadRequest,
            (Outcome::Status(500), _) => ErrorKind::Server,
            (Outcome::Status(_), _) => ErrorKind::Unavailable,
        }
    }
}

impl Failure {
    pub(super) fn asked_to_wait(mut self, retry_after: Option<Duration>) -> Self {
        self.error.retry_after = retry_after;
        self
    }
}

/// Code and description in the body of a failure, if it is JSON.
fn error_inside(body: &[u8]) -> ErrorInside {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return plain_error(body);
    };
    let mut envelope = Envelope::default();
    let inner = match fields.get("error") {
        Some(Value::Object(inner)) => Some(inner),
        _ => None,
    };
    for (key, value) in fields.iter().chain(inner.into_iter().flatten()) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        if let Some(slot) = envelope.slot(key) {
            *slot = Some(text);
        }
    }
    envelope.error(&[])
}

/// The one sentence in plain text that tells a cause; no other is quoted.
fn plain_error(body: &[u8]) -> ErrorInside {
    const HTTP_TO_TLS: &[u8] = b"Client sent an HTTP request to an HTTPS server";
    let is_said = body.trim_ascii_start().starts_with(HTTP_TO_TLS);
    ErrorInside {
        text: is_said.then(|| String::from_utf8_lossy(HTTP_TO_TLS).into_owned()),
        ..ErrorInside::default()
    }
}

/// Whether a body is a page for people, whatever was asked for.
fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// The title of an HTML page, or nothing: its markup tells no one anything.
fn title(html: &str) -> &str {
    // ASCII case only, so that positions in the copy are positions in the original.
    let lower = html.to_ascii_lowercase();
    let inside = lower.find("<title>").map(|start| start + "<title>".len());
    inside
        .and_then(|start| {
            lower[start..]
                .find("</title>")
                .map(|end| &html[start..start + end])
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_quoted_by_its_title() {
        assert_eq!(title("<html><TITLE>Not allowed</Title>"), "Not allowed");
        assert_eq!(title("<html><title>"), "");
    }
}
