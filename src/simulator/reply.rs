//! A response before it is sent: its content and how it is delivered.

use serde::Serialize;
use serde_json::json;

use super::faults::{Answer, CodeName, Fault};

/// Code and text in error envelopes.
const ENVELOPE: (&str, &str) = ("0300028", "query appraise call failed");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Whole,
    /// Announces the full length but sends only half of the body.
    Cut,
    /// Closes the connection without a response.
    Reset,
    /// In chunks, with this many milliseconds between them.
    Dribble(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Whether the body is a gateway's HTML page rather than JSON.
    pub is_html: bool,
    /// The header `Retry-After`.
    pub retry_after_seconds: Option<u64>,
    pub body: Vec<u8>,
    pub delivery: Delivery,
    /// Wait before sending.
    pub delay_ms: u64,
    /// Replaces the status in the statistics.
    pub name: Option<&'static str>,
}

impl Reply {
    pub(super) fn json<T: Serialize>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::ok(body),
            // Only for maps whose keys are not strings.
            Err(error) => Self::error(500, &error.to_string()),
        }
    }

    /// A 200 with a JSON body.
    pub(super) fn ok(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            is_html: false,
            retry_after_seconds: None,
            body,
            delivery: Delivery::Whole,
            delay_ms: 0,
            name: None,
        }
    }

    pub(super) fn named(self, name: &'static str) -> Self {
        Self {
            name: Some(name),
            ..self
        }
    }

    /// An unsuccessful status with the body that the vendor or its gateway sends with it.
    pub(super) fn error(status: u16, reason: &str) -> Self {
        if matches!(status, 403 | 502..=504) {
            let page = format!(
                "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n\
                 <center><h1>{status} {reason}</h1></center>\r\n<hr>\r\n</body>\r\n</html>\r\n"
            );
            return Self {
                status,
                is_html: true,
                ..Self::ok(page.into_bytes())
            };
        }
        let code = format!("{status}000");
        Self {
            status,
            ..Self::json(&json!({"resultCode": code, "resultDesc": reason}))
        }
    }

    /// A 200 with an error in the body, optionally next to an empty list.
    fn envelope(name: CodeName, with_list: bool) -> Self {
        let (code, text) = name.names();
        let mut envelope = json!({code: ENVELOPE.0, text: ENVELOPE.1});
        if with_list {
            envelope["data"] = json!([]);
            envelope["paging"] = json!({"total": 0});
        }
        Self::json(&envelope).named("envelope")
    }

    /// The reply with which a fault replaces the correct one, if it does.
    pub(super) fn for_fault(fault: &Fault) -> Option<Self> {
        let reply = match fault.answer {
            Answer::Http(status) => Self {
                retry_after_seconds: fault.retry_after_seconds,
                ..Self::error(status, reason(status))
            },
            Answer::Envelope => Self::envelope(CodeName::ResultCode, false),
            Answer::EnvelopeAs(name) => Self::envelope(name, false),
            Answer::EmptyEnvelope(name) => Self::envelope(name, true),
            Answer::BareEmpty => Self::json(&json!({"data": []})).named("bare_empty"),
            Answer::Reset => Self {
                delivery: Delivery::Reset,
                ..Self::ok(Vec::new()).named("reset")
            },
            _ => return None,
        };
        Some(Self {
            delay_ms: fault.delay_ms,
            ..reply
        })
    }

    /// The correct reply, delivered as the fault says.
    pub(super) fn with_fault(self, fault: Option<&Fault>) -> Self {
        let Some(fault) = fault else {
            return self;
        };
        let (delivery, delay_ms, name) = match fault.answer {
            Answer::CutBody => (Delivery::Cut, fault.delay_ms, Some("cut_body")),
            Answer::Dribble => (Delivery::Dribble(fault.delay_ms), 0, None),
            _ => (Delivery::Whole, fault.delay_ms, None),
        };
        Self {
            delivery,
            delay_ms,
            name: name.or(self.name),
            ..self
        }
    }

    /// The key in the statistics.
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
