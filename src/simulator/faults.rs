//! Faults of the vendor's API. All off by default; can be changed at run time.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::paging::Paging;
use super::row_faults::{RowFaults, WireFaults};
use super::spec::check_share;

/// All faults. Omitted fields of the JSON are off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// The gateway answers every request with 503.
    pub down: bool,
    /// Added to every response.
    pub latency_ms: u64,
    /// Maximum requests for pages per second of the clock; further ones get 429.
    pub requests_per_second: Option<u32>,
    pub token: TokenFaults,
    /// Faults of requests for pages. The first that applies is used.
    pub details: Vec<Fault>,
    /// Faults of requests for inspection results. The first that applies is used.
    pub credit: Vec<Fault>,
    pub results: ResultFaults,
    pub paging: Paging,
    pub wire: WireFaults,
    pub rows: RowFaults,
    /// A success code on every page.
    pub success: Option<Code>,
    /// Seconds by which the header `Date` is ahead.
    pub clock_skew_seconds: i64,
}

/// A code on a page, such as `{"name": "return_code", "code": "0409000"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    pub name: CodeName,
    /// A string or number.
    pub code: Value,
}

/// The field names of the vendor's services and gateway for a code and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeName {
    ResultCode,
    ReturnCode,
    RetCode,
    GatewayCode,
    ErrorCode,
}

impl CodeName {
    pub const ALL: [Self; 5] = [
        Self::ResultCode,
        Self::ReturnCode,
        Self::RetCode,
        Self::GatewayCode,
        Self::ErrorCode,
    ];

    /// The field names of code and text.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::ResultCode => ("resultCode", "resultDesc"),
            Self::ReturnCode => ("returnCode", "returnDesc"),
            Self::RetCode => ("retCode", "retMsg"),
            Self::GatewayCode => ("error_code", "error_msg"),
            Self::ErrorCode => ("errorCode", "errorMsg"),
        }
    }
}

/// Faults of the token endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenFaults {
    /// Faults of token requests. The first that applies is used.
    pub troubles: Vec<Fault>,
    /// Lifetime of every token, regardless of the request.
    pub expires_seconds: Option<u64>,
    /// Returns the lifetime as `expiresIn`, a number, instead of `Expires`, a string.
    pub expires_in: bool,
    /// Maximum tokens per minute of the clock; further requests get 429.
    pub tokens_per_minute: Option<u32>,
    /// Revokes all tokens issued so far, once, when these faults are set.
    pub revoke: bool,
}

/// A fault of the next requests, or of a share of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub answer: Answer,
    /// Number of next requests that it applies to. Counts down to 0.
    #[serde(default)]
    pub next: u32,
    /// Probability (0 to 1) that it applies to any other request.
    #[serde(default)]
    pub share: f64,
    /// `Retry-After` of an `http` answer.
    #[serde(default)]
    pub retry_after_seconds: Option<u64>,
    /// Delay before the response, or between the chunks of a `dribble`.
    #[serde(default)]
    pub delay_ms: u64,
}

impl Fault {
    /// A fault of the next `count` requests.
    pub fn next(answer: Answer, count: u32) -> Self {
        Self {
            answer,
            next: count,
            share: 0.0,
            retry_after_seconds: None,
            delay_ms: 0,
        }
    }

    /// A fault of a share (0 to 1) of all requests.
    pub fn share(answer: Answer, share: f64) -> Self {
        Self {
            share,
            ..Self::next(answer, 0)
        }
    }
}

/// What a fault does to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// This status, 400 to 599, with the usual body of the vendor or its gateway.
    Http(u16),
    /// 200 with an error in the body.
    Envelope,
    /// The same, with other field names.
    EnvelopeAs(CodeName),
    /// The same, next to an empty list and a total of 0.
    EmptyEnvelope(CodeName),
    /// 200 with an empty list and nothing else.
    BareEmpty,
    /// 200 with a total and `data: null`.
    NullData,
    /// 200 with a total and no `data`.
    NoData,
    /// A body shorter than announced.
    CutBody,
    /// The connection is closed without a status.
    Reset,
    /// The correct response after the delay.
    Slow,
    /// The correct response in chunks, with the delay between them.
    Dribble,
}

/// Faults in the content of inspection results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResultFaults {
    /// Maximum requests for results per second of the clock; further ones get 429.
    pub requests_per_second: Option<u32>,
    /// An object in place of a list with a single result.
    pub as_object: bool,
    /// Numbers and booleans are strings, and ids of rules are numbers.
    pub wrong_types: bool,
    /// Names are long and contain control characters and marks that reverse or hide text.
    pub hostile_names: bool,
    /// Further rules of each scenario, all kept.
    pub extra_rules: u32,
    /// The vendor no longer knows deleted calls.
    pub deleted_unknown: bool,
}

impl Faults {
    /// Parses JSON; the error names the invalid field.
    pub fn parse(json: &(impl AsRef<[u8]> + ?Sized)) -> Result<Self, String> {
        let faults: Self = serde_json::from_slice(json.as_ref()).map_err(|e| e.to_string())?;
        let written = serde_json::to_value(&faults).map_err(|e| e.to_string())?;
        check_shares("", &written)?;
        if let Some(success) = &faults.success
            && !success.code.is_string()
            && !success.code.is_number()
        {
            return Err("success.code: expected a string or a number".into());
        }
        let lists = [
            ("details", &faults.details),
            ("credit", &faults.credit),
            ("token.troubles", &faults.token.troubles),
        ];
        for (name, list) in lists {
            for (index, fault) in list.iter().enumerate() {
                if let Answer::Http(status) = fault.answer
                    && !(400..600).contains(&status)
                {
                    return Err(format!(
                        "{name}[{index}].answer.http: expected 400 to 599, not {status}"
                    ));
                }
            }
        }
        if faults.paging.clamp_above == Some(0) {
            return Err("paging.clamp_above: expected at least 1".into());
        }
        Ok(faults)
    }
}

/// Checks every share, wherever it is. `path` is where `value` is.
fn check_shares(path: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            let dot = if path.is_empty() { "" } else { "." };
            check_shares(&format!("{path}{dot}{name}"), value)
        }),
        Value::Array(values) => (values.iter().enumerate())
            .try_for_each(|(index, value)| check_shares(&format!("{path}[{index}]"), value)),
        Value::Number(share) if path.ends_with("share") => {
            check_share(path, share.as_f64().unwrap_or(f64::NAN))
        }
        _ => Ok(()),
    }
}
