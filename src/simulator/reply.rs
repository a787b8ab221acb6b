//! An answer before it is sent: what it says, and how it gets there.

use serde::Serialize;
use serde_json::json;

use super::faults::{Answer, CodeName, Fault};

/// The code and text that the vendor's error envelopes carry.
const ENVELOPE: (&str, &str) = ("0300028", "query appraise call failed");

/// How an answer travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As it should.
    Whole,
    /// The full length is announced, but only half of the body is sent.
    Cut,
    /// The connection is closed without a word.
    Reset,
    /// In pieces, with this many milliseconds between them.
    Dribble(u64),
}

/// An answer of one of the vendor's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Whether the body is a gateway's page rather than JSON.
    pub is_html: bool,
    /// `Retry-After`, seconds.
    pub retry_after_seconds: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
    /// How it travels.
    pub delivery: Delivery,
    /// Milliseconds to wait before sending it.
    pub delay_ms: u64,
    /// What the statistics call it.
    pub name: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    result_code: &'a str,
    result_desc: &'a str,
}

impl Reply {
    /// A 200 with this as its JSON.
    pub(super) fn json<T: Serialize>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::ok(body),
            // Only a map with keys that are no strings fails, and there is none.
            Err(error) => Self::error(500, &error.to_string()),
        }
    }

    /// A 200 with this body of JSON.
    pub(super) fn ok(body: Vec<u8>) -> Self {
        Self::new(200, false, body)
    }

    /// An error with the body that the vendor, or the gateway before it, gives with this status.
    pub(super) fn error(status: u16, why: &str) -> Self {
        if matches!(status, 403 | 502..=504) {
            let page = format!(
                "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n\
                 <center><h1>{status} {why}</h1></center>\r\n<hr>\r\n</body>\r\n</html>\r\n"
            );
            return Self::new(status, true, page.into_bytes());
        }
        let code = format!("{status}000");
        let envelope = Envelope {
            result_code: &code,
            result_desc: why,
        };
        Self {
            status,
            ..Self::json(&envelope)
        }
    }

    /// A 200 with an error inside, perhaps beside an empty list.
    fn envelope(name: CodeName, with_list: bool) -> Self {
        let (code, text) = name.names();
        let mut envelope = json!({code: ENVELOPE.0, text: ENVELOPE.1});
        if with_list {
            envelope["data"] = json!([]);
            envelope["paging"] = json!({"total": 0});
        }
        Self {
            name: Some("envelope"),
            ..Self::json(&envelope)
        }
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after_seconds: Some(seconds),
            ..self
        }
    }

    fn new(status: u16, is_html: bool, body: Vec<u8>) -> Self {
        Self {
            status,
            is_html,
            retry_after_seconds: None,
            body,
            delivery: Delivery::Whole,
            delay_ms: 0,
            name: None,
        }
    }

    /// The answer that a trouble puts in place of the right one, if it is of that kind.
    pub(super) fn instead(trouble: &Fault) -> Option<Self> {
        let reply = match trouble.answer {
            Answer::Http(status) => Self {
                retry_after_seconds: trouble.retry_after_seconds,
                ..Self::error(status, reason(status))
            },
            Answer::Envelope => Self::envelope(CodeName::ResultCode, false),
            Answer::EnvelopeAs(name) => Self::envelope(name, false),
            Answer::EmptyEnvelope(name) => Self::envelope(name, true),
            Answer::BareEmpty => Self {
                name: Some("bare_empty"),
                ..Self::json(&json!({"data": []}))
            },
            Answer::Reset => Self {
                delivery: Delivery::Reset,
                name: Some("reset"),
                ..Self::new(200, false, Vec::new())
            },
            _ => return None,
        };
        Some(Self {
            delay_ms: trouble.delay_ms,
            ..reply
        })
    }

    /// The right answer, as a trouble lets it through.
    pub(super) fn troubled(self, trouble: &Fault) -> Self {
        let delay_ms = trouble.delay_ms;
        match trouble.answer {
            Answer::CutBody => {
                let name = Some("cut_body");
                Self {
                    delivery: Delivery::Cut,
                    delay_ms,
                    name,
                    ..self
                }
            }
            Answer::Dribble => Self {
                delivery: Delivery::Dribble(delay_ms),
                ..self
            },
            _ => Self { delay_ms, ..self },
        }
    }

    /// What the statistics call it.
    pub(super) fn label(&self) -> String {
        self.name
            .map_or_else(|| self.status.to_string(), str::to_owned)
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        400 => "bad request parameters",
        401 => "not authorised",
        403 => "Forbidden",
        404 => "no such path",
        429 => "too many requests",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        _ => "business failure",
    }
}
