//! What went wrong with one request, in words: the request, what came, the likely cause.

use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use super::retry::Outcome;
use super::settings::{host, place};
use super::wire::Unreadable;
use super::{Api, Error, ErrorKind};

/// Characters of a message; it has to fit a log line and a status page.
const LONGEST_MESSAGE: usize = 300;
/// Characters of the vendor's own text within it.
const LONGEST_QUOTE: usize = 100;
/// A shorter beginning of a secret at the end of a cut text tells nothing.
const TELLING_PREFIX: usize = 4;

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
    /// What must not be repeated should the vendor quote it: key, secret, token.
    pub(super) secrets: &'a [&'a str],
}

impl Subject<'_> {
    /// A failure that `what` describes, with everything in it already fit to be shown.
    pub(super) fn failure(&self, outcome: Outcome, what: &str) -> Failure {
        let page = self
            .page
            .map(|page| format!(" (page {page})"))
            .unwrap_or_default();
        let message = format!("POST {}{page}: {what}", place(self.url));
        let error = Error {
            kind: self.kind(outcome),
            message: cut(&message, LONGEST_MESSAGE),
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
        let mut what = format!("answered {status}");
        if is_html {
            what.push_str(" with an HTML page");
        }
        if status.is_redirection() {
            what.push_str(&self.redirect(location));
        } else {
            what.push_str(": ");
            what.push_str(advice(self.api, status.as_u16()));
        }
        let quote = self.quote(if is_html { title(&text) } else { &text });
        if !quote.is_empty() {
            what.push_str(&format!("; it says: {quote}"));
        }
        self.failure(Outcome::Status(status.as_u16()), &what)
    }

    /// A success whose body is not what was asked for.
    pub(super) fn unreadable(&self, body: &[u8], why: &Unreadable) -> Failure {
        let (outcome, text) = match why {
            Unreadable::Envelope(text) => (Outcome::Envelope, text),
            Unreadable::Body(text) => (Outcome::Body, text),
        };
        let text = self.quote(text);
        let what = match outcome {
            Outcome::Envelope => format!(
                "answered 200 with an error inside: {text}; \
                 check user_id and the key's rights, or look the code up in the vendor's list"
            ),
            _ if is_html(body) => format!(
                "answered with an HTML page instead of JSON; {} leads to a site for people, \
                 or something on the way answers in its place",
                self.endpoint_key()
            ),
            _ => format!(
                "its answer of {} bytes cannot be read: {text}; it was cut on the way, \
                 or the vendor changed its form",
                body.len()
            ),
        };
        self.failure(outcome, &what)
    }

    /// Text of the vendor's on one line, cut, without anything secret.
    ///
    /// Secrets go before the cut: half a secret would not be recognised.
    pub(super) fn quote(&self, text: &str) -> String {
        let mut text = one_line(text);
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
        // The text may have been cut by others, in the middle of a secret.
        let end = text.trim_end_matches(['.', '…', '"', ' ']).len();
        if let Some(rest) = self
            .secrets
            .iter()
            .find_map(|secret| tail(&text[..end], secret))
        {
            text.truncate(rest);
            text.push_str("***");
        }
        cut(&text, LONGEST_QUOTE)
    }

    /// The key of the configuration that holds the address.
    pub(super) fn endpoint_key(&self) -> &'static str {
        match self.api {
            Api::Token => "token_endpoint",
            Api::Details => "endpoint",
        }
    }

    fn redirect(&self, location: Option<&str>) -> String {
        // The rest of the address may hold a session; the host tells enough.
        let target = location.and_then(|to| self.url.join(to).ok());
        let target = target.map_or_else(|| "nowhere".to_owned(), |to| self.quote(&host(&to)));
        let key = self.endpoint_key();
        format!(
            ": it redirects to {target}, which is not followed; \
             put the address that answers into {key}"
        )
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
fn advice(api: Api, status: u16) -> &'static str {
    match (status, api) {
        (400, Api::Token) => {
            "it did not take the request; check app_key, app_secret and token_endpoint"
        }
        (400, Api::Details) => {
            "it did not take the request; check page_size, user_id and extra_status_codes"
        }
        (401, Api::Token) => "app_key or app_secret is wrong or has been revoked",
        (401, Api::Details) => {
            "it does not take a new token either; app_key lacks the right to this interface, \
             or token_endpoint belongs to another deployment"
        }
        (403, _) => {
            "the address of this machine is not on the vendor's allow list, \
             or app_key is of the wrong kind"
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
        (500..=599, _) => "the vendor's service failed",
        _ => "an answer that the vendor does not document",
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

/// Runs of white space become one space; what a terminal or a browser would act on goes.
fn one_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .map(|c| {
            if c.is_whitespace() || c.is_control() {
                ' '
            } else {
                c
            }
        })
        // Marks that turn or hide text.
        .filter(|c| {
            !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
        })
        .collect();
    visible
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Where a beginning of the secret starts with which the text ends.
fn tail(text: &str, secret: &str) -> Option<usize> {
    secret
        .char_indices()
        .map(|(index, _)| &secret[..index])
        .rev()
        .take_while(|beginning| beginning.len() >= TELLING_PREFIX)
        .find(|beginning| text.ends_with(beginning))
        .map(|beginning| text.len() - beginning.len())
}

/// At most this many characters, the last one `…` if any were lost.
fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(text: &str, secrets: &[&str]) -> String {
        let url = Url::parse("http://vendor.test/path").unwrap();
        Subject {
            api: Api::Token,
            url: &url,
            page: None,
            secrets,
        }
        .quote(text)
    }

    #[test]
    fn vendor_text_is_one_short_visible_line() {
        assert_eq!(quote(" a\r\n\tb\u{1b}[31mc\u{202e}\0 ", &[]), "a b [31mc");
        assert_eq!(quote(&"客".repeat(500), &[]).chars().count(), LONGEST_QUOTE);
    }

    #[test]
    fn secrets_do_not_survive_a_quotation() {
        assert_eq!(
            quote("key hush-hush is bad", &["", "hush-hush"]),
            "key *** is bad"
        );
        assert_eq!(quote("key hush-hu…", &["hush-hush"]), "key ***");
        let long = format!("{}hush-hush", "x".repeat(LONGEST_QUOTE - 5));
        assert!(!quote(&long, &["hush-hush"]).contains("hush"));
    }

    #[test]
    fn a_page_is_quoted_by_its_title() {
        assert_eq!(title("<html><TITLE>Not allowed</Title>"), "Not allowed");
        assert_eq!(title("<html><title>"), "");
    }
}
