//! What can be wrong with the vendor: all off by default, and switchable while it runs.

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::listing::Paging;
use super::rows::RowFaults;
use super::spec::check_share;

/// Everything that can be switched. As JSON, whatever is left out is off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Every request is answered 503 by the gateway.
    pub down: bool,
    /// Milliseconds that every answer takes.
    pub latency_ms: u64,
    /// Requests for pages answered in any one second of the clock; further ones get 429.
    pub requests_per_second: Option<u32>,
    /// The token endpoint.
    pub token: TokenFaults,
    /// What befalls requests for pages. The first that applies does.
    pub details: Vec<Fault>,
    /// How pages are cut.
    pub paging: Paging,
    /// How rows are written.
    pub wire: WireFaults,
    /// What is wrong with single rows.
    pub rows: RowFaults,
    /// A code of success that stands beside every page.
    pub success: Option<Code>,
    /// Seconds by which the vendor's clock, in the header `Date`, is ahead of the truth.
    pub clock_skew_seconds: i64,
}

/// A code beside a page, such as `{"name": "return_code", "code": "0409000"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Its name.
    pub name: CodeName,
    /// A string or a number.
    pub code: Value,
}

/// The names that the vendor's services and its gateway have for a code and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeName {
    /// `resultCode` and `resultDesc`.
    ResultCode,
    /// `returnCode` and `returnDesc`.
    ReturnCode,
    /// `retCode` and `retMsg`.
    RetCode,
    /// `error_code` and `error_msg`.
    GatewayCode,
    /// `errorCode` and `errorMsg`.
    ErrorCode,
}

impl CodeName {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::ResultCode,
        Self::ReturnCode,
        Self::RetCode,
        Self::GatewayCode,
        Self::ErrorCode,
    ];

    /// The names of the code and of its text.
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

/// Peculiarities of the token endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenFaults {
    /// What befalls requests for a token. The first that applies does.
    pub troubles: Vec<Fault>,
    /// Lifetime in seconds of each token, whatever was asked for.
    pub expires_seconds: Option<u64>,
    /// The lifetime comes as `expiresIn`, a number, instead of `Expires`, a string.
    pub expires_in: bool,
    /// Tokens given in any one minute of the clock; further requests get 429.
    pub tokens_per_minute: Option<u32>,
    /// Takes back all tokens given so far, once, when these faults are set.
    pub revoke: bool,
}

/// One thing that befalls requests: the next few, or a share of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What becomes of the answer.
    pub answer: Answer,
    /// How many requests it befalls for certain, from now on. Counts down to 0.
    #[serde(default)]
    pub next: u32,
    /// The chance (0 to 1) that it befalls any other request.
    #[serde(default)]
    pub share: f64,
    /// `Retry-After` of an `http` answer, in seconds.
    #[serde(default)]
    pub retry_after_seconds: Option<u64>,
    /// Milliseconds before the answer begins; between the pieces of a `dribble`.
    #[serde(default)]
    pub delay_ms: u64,
}

impl Fault {
    /// Fault for the next `count` requests.
    pub fn next(answer: Answer, count: u32) -> Self {
        Self {
            answer,
            next: count,
            share: 0.0,
            retry_after_seconds: None,
            delay_ms: 0,
        }
    }

    /// Fault for a share (0 to 1) of all requests.
    pub fn share(answer: Answer, share: f64) -> Self {
        Self {
            answer,
            next: 0,
            share,
            retry_after_seconds: None,
            delay_ms: 0,
        }
    }
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// This status, 400 to 599, with a body as the vendor or its gateway gives with it.
    Http(u16),
    /// 200 with an error inside.
    Envelope,
    /// 200 with an error inside, its code under this name.
    EnvelopeAs(CodeName),
    /// The same beside an empty list and a total of 0.
    EmptyEnvelope(CodeName),
    /// 200 with an empty list and nothing else.
    BareEmpty,
    /// 200 with a total and `data: null`.
    NullData,
    /// 200 with a total and no `data`.
    NoData,
    /// A body that ends before its announced length.
    CutBody,
    /// The connection is closed without a status.
    Reset,
    /// A right answer, after the delay.
    Slow,
    /// A right answer whose body comes in pieces, with the delay between them.
    Dribble,
}

/// How rows are written. What a share hits depends on the call alone, so that it is the same in
/// each reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WireFaults {
    /// Every number of a row is written as a string.
    pub numbers_as_strings: bool,
    /// `status` is written as a string.
    pub status_as_string: bool,
    /// `call_id` is another identity than `call_uuid`, written as a number.
    pub call_id_as_number: bool,
    /// Share of rows that have no `call_uuid`, but the same identity as `call_id`.
    pub no_uuid_share: f64,
    /// Share of the fields beside identity, upload time, type and status that are null.
    pub null_share: f64,
    /// Share of those fields that are missing.
    pub missing_share: f64,
    /// Share of rows whose status is null.
    pub null_status_share: f64,
    /// Share of rows whose type is null.
    pub null_type_share: f64,
    /// Share of rows in which one measure is negative, not finite or no number at all.
    pub bad_measure_share: f64,
    /// Share of rows that are followed by one that is no call: without an identity, without an
    /// upload time, or not an object. They come on top of limit and total.
    pub malformed_share: f64,
}

impl Faults {
    /// Reads faults from JSON; the error says what is wrong with them.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let faults: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let wire = &faults.wire;
        for (name, share) in [
            ("wire.no_uuid_share", wire.no_uuid_share),
            ("wire.null_share", wire.null_share),
            ("wire.missing_share", wire.missing_share),
            ("wire.null_status_share", wire.null_status_share),
            ("wire.null_type_share", wire.null_type_share),
            ("wire.bad_measure_share", wire.bad_measure_share),
            ("wire.malformed_share", wire.malformed_share),
        ] {
            check_share(name, share)?;
        }
        faults.rows.check()?;
        if let Some(success) = &faults.success
            && !success.code.is_string()
            && !success.code.is_number()
        {
            return Err("success.code: expected a string or a number".into());
        }
        let lists = [
            ("details", &faults.details),
            ("token.troubles", &faults.token.troubles),
        ];
        for (name, troubles) in lists {
            for (index, trouble) in troubles.iter().enumerate() {
                check_share(&format!("{name}[{index}].share"), trouble.share)?;
                if let Answer::Http(status) = trouble.answer
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

/// Which trouble befalls a request, if any; counts it.
pub(super) fn pick_fault(troubles: &mut [Fault], rng: &mut fastrand::Rng) -> Option<Fault> {
    for trouble in troubles {
        if trouble.next > 0 {
            trouble.next -= 1;
            return Some(trouble.clone());
        }
        if trouble.share > 0.0 && rng.f64() < trouble.share {
            return Some(trouble.clone());
        }
    }
    None
}
