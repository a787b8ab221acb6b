//! The words that every layer shares: a call as the vendor lists it, and what happens to it.
//!
//! No I/O, no clock, no knowledge of JSON. Codes and their meaning come from the vendor's
//! documentation of the list of inspected calls.

mod event;

pub use event::{Event, Outcome, Position, Processing};

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 UTC. 32 bits last until the year 2106 and halve the ledger's size.
pub type UnixSeconds = u32;

/// The identity of a call: the bits of its UUID, or a 128-bit hash of whatever string came instead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u128);

impl CallId {
    /// The identity that a string stands for; `None` for an empty or blank one.
    ///
    /// Only the hyphenated form of a UUID is read as one. Anything else is hashed (UUID version 5:
    /// SHA-1 cut to 122 bits), so that two spellings are never taken for one call by accident.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let uuid = match text.len() {
            36 => uuid::Uuid::try_parse(text).ok(),
            _ => None,
        };
        let uuid = uuid.unwrap_or_else(|| uuid::Uuid::new_v5(&NAMESPACE, text.as_bytes()));
        Some(Self(uuid.as_u128()))
    }

    /// The UUID that came. `None` for a hash, which nobody but this program knows, and for whatever
    /// looks like one: a UUID of version 5.
    pub fn uuid(self) -> Option<impl fmt::Display> {
        let uuid = uuid::Uuid::from_u128(self.0);
        (uuid.get_version_num() != 5).then_some(uuid)
    }
}

/// Keeps hashed identities apart from those of anybody else who uses version 5.
const NAMESPACE: uuid::Uuid = uuid::uuid!("8f2b7f43-5e0c-4e57-9b40-6a1f0f8f5c1e");

/// Some calls. Hashed with a seed of the process, and faster than the standard library would.
pub type CallSet = HashSet<CallId, CallHasher>;
/// How calls are hashed wherever they are looked up.
pub type CallHasher = hashbrown::DefaultHashBuilder;

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", uuid::Uuid::from_u128(self.0))
    }
}

/// A small number of the vendor's: a status or a type of call. Negative stands for "not given".
type Code = i16;
const NOT_GIVEN: Code = -1;

/// A code as it is stored: numbers that no label should be made of become "not given".
fn code_from(number: i64) -> Code {
    Code::try_from(number)
        .ok()
        .filter(|code| *code >= 0)
        .unwrap_or(NOT_GIVEN)
}

fn write_code(f: &mut fmt::Formatter<'_>, code: Code) -> fmt::Result {
    match code {
        NOT_GIVEN => f.write_str("unknown"),
        code => write!(f, "unknown_{code}"),
    }
}

/// How the customer reached the contact centre. `Display` gives the label `call_type`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CallType(Code);

impl CallType {
    /// A recorded voice call; the only type with speech measures.
    pub const VOICE: Self = Self(0);
    /// A text chat.
    pub const TEXT: Self = Self(2);
    /// The type was missing, null or not a usable number.
    pub const UNKNOWN: Self = Self(NOT_GIVEN);

    /// The type that the vendor's number stands for.
    pub fn from_number(number: i64) -> Self {
        Self(code_from(number))
    }

    /// The vendor's number; negative when it was not given.
    pub fn number(self) -> i16 {
        self.0
    }

    /// Whether a label of its own needs no room among the undocumented ones.
    pub fn has_own_label(self) -> bool {
        matches!(self, Self::VOICE | Self::TEXT | Self::UNKNOWN)
    }
}

impl fmt::Display for CallType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::VOICE => f.write_str("voice"),
            Self::TEXT => f.write_str("text"),
            Self(code) => write_code(f, code),
        }
    }
}

/// Where a call is in the pipeline of transcription and inspection. `Display` gives the label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Status(Code);

/// The vendor's documented codes: number, name of the label, whether a call rests there, and
/// whether it is about audio, which a text call does not have.
const DOCUMENTED: [(Code, &str, bool, bool); 15] = [
    (0, "waiting", false, false),
    (3, "transcribing", false, true),
    (1, "inspecting", false, false),
    (2, "succeeded", true, false),
    (9, "inspection_failed", true, false),
    (31, "asr_empty", true, true),
    (32, "asr_failed", true, true),
    (33, "asr_upload_failed", true, true),
    (34, "asr_submit_failed", true, true),
    (35, "multimedia_failed", true, false),
    (36, "tuc_failed", true, false),
    (37, "asr_conversion_failed", true, true),
    (38, "result_update_failed", true, false),
    (39, "task_failed", true, false),
    (40, "invalid_audio", true, true),
];

impl Status {
    /// Inspection is done; the measures are there.
    pub const SUCCEEDED: Self = Self(2);
    /// The status was missing, null or not a usable number.
    pub const UNKNOWN: Self = Self(NOT_GIVEN);

    /// The status that the vendor's number stands for.
    pub fn from_number(number: i64) -> Self {
        Self(code_from(number))
    }

    /// The vendor's number; negative when it was not given.
    pub fn number(self) -> i16 {
        self.0
    }

    /// All documented statuses, in the order in which a call goes through them.
    pub fn documented() -> impl Iterator<Item = Self> {
        DOCUMENTED.iter().map(|(code, ..)| Self(*code))
    }

    /// Whether this is a status that the vendor documents.
    pub fn is_documented(self) -> bool {
        self.row().is_some()
    }

    /// Whether a label of its own needs no room among the undocumented ones.
    pub fn has_own_label(self) -> bool {
        self.is_documented() || self == Self::UNKNOWN
    }

    /// Whether a call stays there unless someone sends it round again.
    pub fn is_final(self) -> bool {
        self.row().is_some_and(|(_, _, is_final, _)| *is_final)
    }

    /// Whether calls of this type can be expected in this status: a text call has no audio that
    /// could be transcribed.
    pub fn suits(self, call_type: CallType) -> bool {
        let is_about_audio = self.row().is_some_and(|(.., audio)| *audio);
        !(is_about_audio && call_type == CallType::TEXT)
    }

    fn row(self) -> Option<&'static (Code, &'static str, bool, bool)> {
        DOCUMENTED.iter().find(|(code, ..)| *code == self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some((_, name, ..)) => f.write_str(name),
            None => write_code(f, self.0),
        }
    }
}

/// Who speaks on a channel. `Display` gives the label `role`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub enum Role {
    /// The person who called.
    Customer,
    /// The agent.
    Staff,
    /// The vendor did not say, or said something else.
    #[default]
    Unknown,
}

impl Role {
    /// Every role, in the order of the exposition.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Staff, Self::Unknown];

    /// The role that `left_channel` or `right_channel` names.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let is = |names: &[&str]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
        if is(&["customer", "客户"]) {
            Self::Customer
        } else if is(&["staff", "agent", "座席", "坐席"]) {
            Self::Staff
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Unknown => "unknown",
        })
    }
}

/// A measured value in billionths of its unit.
///
/// Finer than what the vendor sends (six decimals at most were seen), because what is rounded here
/// adds up over all calls. Integers, so that a sum does not depend on the order in which the calls came: the same calls
/// give the same histogram to the last digit, whatever was read twice or in pieces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Measure(pub u64);

impl Measure {
    /// The largest value taken for a measurement. One absurd row must not drown a sum for ever.
    pub const MAX_UNITS: f64 = 1e9;
    /// Billionths in a unit. 64 bits hold 18 thousand million units.
    pub const PER_UNIT: u64 = 1_000_000_000;

    /// `None` for what no instrument measures: negative, not finite, or over a thousand million.
    pub fn from_units(value: f64) -> Option<Self> {
        (0.0..=Self::MAX_UNITS).contains(&value).then(|| {
            // Apart, because together they have more digits than a float: so a value with up to
            // nine decimals is taken as it was written, up to four million units.
            let whole = value as u64;
            let fraction = value - whole as f64;
            Self(whole * Self::PER_UNIT + (fraction * Self::PER_UNIT as f64 + 0.5) as u64)
        })
    }

    /// In units, the nearest number there is.
    pub fn units(self) -> f64 {
        Self::sum_units(self.0.into())
    }

    /// The units of a sum of measures: the float that is nearest to it.
    pub fn sum_units(sum: u128) -> f64 {
        // Divided in integers of 98 bits or more, the last of which says that something is left
        // over. So there is only one rounding, at the end.
        let shift = sum.leading_zeros().min(u128::BITS - 1);
        let (scaled, unit) = (sum << shift, u128::from(Self::PER_UNIT));
        let quotient = (scaled / unit) | u128::from(scaled % unit != 0);
        quotient as f64 / (1_u128 << shift) as f64
    }

    /// Whole units, for values that are counted in seconds.
    pub const fn whole(units: u32) -> Self {
        Self(units as u64 * Self::PER_UNIT)
    }
}

/// What is measured of one speaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Speech {
    /// Who speaks.
    pub role: Role,
    /// Mean speaking speed, characters per minute.
    pub speed: Option<Measure>,
    /// Seconds in which this speaker is silent.
    pub silence: Option<Measure>,
    /// Share of the call in which this speaker speaks, 0 to 1.
    pub ratio: Option<Measure>,
}

/// What is measured of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Measures {
    /// Seconds.
    pub duration: Option<Measure>,
    /// The left and the right channel.
    pub channels: [Speech; 2],
}

/// The three states that people set by hand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ManualKind {
    /// Manual sampling.
    Inspect,
    /// Manual review.
    Review,
    /// The agent's appeal.
    Complain,
}

impl ManualKind {
    /// Every kind; the index of each is its place in [`Manual`].
    pub const ALL: [Self; 3] = [Self::Inspect, Self::Review, Self::Complain];
}

impl fmt::Display for ManualKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inspect => "inspect",
            Self::Review => "review",
            Self::Complain => "complain",
        })
    }
}

/// The manual states of a call, by [`ManualKind::ALL`]: the API's number from 0 up, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Manual(pub [Option<u8>; 3]);

/// One row of the vendor's list, as far as it is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Who.
    pub id: CallId,
    /// When its recording was uploaded; this never changes.
    pub uploaded: UnixSeconds,
    /// Voice or text.
    pub call_type: CallType,
    /// Where it is in the pipeline.
    pub status: Status,
    /// What people made of it.
    pub manual: Manual,
    /// What was measured.
    pub measures: Measures,
}

/// A window of upload time; both ends belong to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Window {
    /// First second.
    pub from: UnixSeconds,
    /// Last second.
    pub to: UnixSeconds,
}

impl Window {
    /// Whether a time lies in the window.
    pub fn contains(&self, time: UnixSeconds) -> bool {
        (self.from..=self.to).contains(&time)
    }
}

/// Why a record, or a value of one, could not be used. `Display` gives the label `reason`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rejection {
    /// Neither `call_uuid` nor `call_id`.
    Identity,
    /// No usable `upload_time`.
    UploadTime,
    /// Not a JSON object.
    Shape,
    /// A value that cannot be measured; the rest of its record is used.
    Measure,
}

impl Rejection {
    /// Every reason, in the order of the exposition.
    pub const ALL: [Self; 4] = [Self::Identity, Self::UploadTime, Self::Shape, Self::Measure];
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::UploadTime => "upload_time",
            Self::Shape => "shape",
            Self::Measure => "measure",
        })
    }
}
