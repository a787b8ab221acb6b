//! What went wrong with one request, in words: the request, what came, the likely cause.

use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use super::quote::{Secrets, cut};
use super::retry::Outcome;
use super::settings::{ProxySettings, host, place};
use super::wire::Unreadable;
use super::{Api, Error, ErrorKind};

/// Characters of a message; it has to fit a log line and a status page.
const LONGEST_MESSAGE: usize = 300;

/// A failed request.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) error: Error,
}

/// A request as messages name it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) api: Api,
    pub(super) url: &'a Url,
    /// Of the list, from 1.
    pub(super) page: Option<u32>,
    /// What must not be repeated should the vendor quote it.
    pub(super) secrets: &'a Secrets,
    /// A further secret.
    pub(super) token: Option<&'a str>,
    /// What the request goes through: then it may be the one to blame.
    pub(super) proxy: Option<&'a ProxySettings>,
}

/// What came, fit to be shown, and why that is so most likely.
pub(super) struct Told {
    pub(super) what: String,
    pub(super) cause: Option<String>,
}

impl Told {
    pub(super) fn new(what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            cause: Some(cause.into()),
        }
    }
}

impl Subject<'_> {
    pub(super) fn failure(&self, outcome: Outcome, told: Told) -> Failure {
        let page = self
            .page
            .map(|page| format!(" (page {page})"))
            .unwrap_or_default();
        let message = format!("POST {}{page}: {}", place(self.url), told.what);
        let error = Error {
            kind: self.kind(outcome),
            message: cut(&message, LONGEST_MESSAGE),
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
        let text = String::from_utf8_lossy(body);
        let is_html = is_html(body);
        let mut told = Told {
            what: format!("answered {status}"),
            cause: likely_cause(self.api, status.as_u16(), is_html).map(str::to_owned),
        };
        if is_html {
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
        let quote = self.quote(if is_html { title(&text) } else { &text });
        if !quote.is_empty() {
            told.what.push_str(&format!("; it says: {quote}"));
        }
        // Of a request without TLS the proxy reads all, and answers what it likes.
        let may_be_the_proxys =
            matches!(status.as_u16(), 403 | 502..=504) && self.url.scheme() == "http";
        if let Some(cause) = told.cause.as_mut().filter(|_| may_be_the_proxys)
            && let Some(proxy) = self.proxy
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
        let (outcome, text) = match why {
            Unreadable::Envelope(text) => (Outcome::Envelope, text),
            Unreadable::Body(text) => (Outcome::Body, text),
        };
        let text = self.quote(text);
        let told = match outcome {
            Outcome::Envelope => Told::new(
                format!("answered 200 with an error inside: {text}"),
                match self.api {
                    Api::Token => {
                        "app_key or app_secret is wrong, or may not take tokens; the vendor's list \
                         of codes tells more"
                    }
                    Api::Details => {
                        "user_id is wrong, or app_key lacks a right; the vendor's list of codes \
                         tells more"
                    }
                },
            ),
            _ if is_html(body) => Told::new(
                "answered with an HTML page instead of JSON",
                format!(
                    "{} leads to a site for people, or something on the way, such as a login \
                     page, answers in the vendor's place",
                    self.endpoint_key()
                ),
            ),
            _ => Told::new(
                format!("its answer of {} bytes cannot be read: {text}", body.len()),
                "it was cut or replaced on the way, or the vendor changed its form",
            ),
        };
        self.failure(outcome, told)
    }

    /// Text of the vendor's on one line, cut, without anything secret.
    pub(super) fn quote(&self, text: &str) -> String {
        self.secrets.quote(text, self.token)
    }

    /// The key of the configuration that holds the address.
    pub(super) fn endpoint_key(&self) -> &'static str {
        self.api.endpoint_key()
    }

    fn redirect(&self, location: Option<&str>) -> String {
        // The rest of the address may hold a session; the host tells enough.
        let target = location.and_then(|to| self.url.join(to).ok());
        let target = target.map_or_else(|| "nowhere".to_owned(), |to| self.quote(&host(&to)));
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
            (Outcome::Status(_), _) => ErrorKind::Server,
        }
    }
}

impl Failure {
    pub(super) fn asked_to_wait(mut self, retry_after: Option<Duration>) -> Self {
        self.error.retry_after = retry_after;
        self
    }
}

/// The likely cause of a status and what to do about it.
fn likely_cause(api: Api, status: u16, is_html: bool) -> Option<&'static str> {
    Some(match (status, api) {
        (400, Api::Token) => {
            "app_key or app_secret is wrong, or token_endpoint leads to another interface"
        }
        (400, Api::Details) => "it does not take page_size, user_id or extra_status_codes",
        (401, Api::Token) => {
            "app_key or app_secret is wrong, or the secret has been replaced at the vendor's"
        }
        (401, Api::Details) => {
            "it does not take a new token either: app_key lacks the right to this interface, \
             or token_endpoint belongs to another deployment"
        }
        (403, _) if is_html => {
            "the address of this machine is not on the vendor's allow list, \
             or app_key is of the wrong kind"
        }
        (403, _) => {
            "app_key lacks the right to this interface or is of the wrong kind, \
             or the address of this machine is not on the vendor's allow list"
        }
        (404, Api::Token) => "there is no token service at this path; check token_endpoint",
        (404, Api::Details) => "there is no such interface at this address; check endpoint",
        (407, _) => "the proxy wants credentials; put them into proxy_url",
        (429, _) => {
            "asked too often; lower max_requests_per_second, \
             or see what else uses this app_key"
        }
        (502..=504, _) => {
            "the vendor's gateway does not reach the service behind it; this mostly passes"
        }
        (500..=599, _) => "the vendor's service failed; if it stays, open a ticket with them",
        _ => return None,
    })
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
