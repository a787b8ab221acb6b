//! The vendor's numeric codes: types of call and statuses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A code of the vendor's; negative if none was given.
type Code = i16;
const NOT_GIVEN: Code = -1;

/// Negative numbers and numbers above 16 bits count as "not given": no label is made of them.
fn code_from(number: i64) -> Code {
    Code::try_from(number)
        .ok()
        .filter(|code| *code >= 0)
        .unwrap_or(NOT_GIVEN)
}

fn write_undocumented(f: &mut fmt::Formatter<'_>, code: Code) -> fmt::Result {
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

    pub fn from_number(number: i64) -> Self {
        Self(code_from(number))
    }

    /// The vendor's number; negative if none was given.
    pub fn number(self) -> i16 {
        self.0
    }

    /// Whether this type always gets a label. Undocumented types share a limited number of labels.
    pub fn has_own_label(self) -> bool {
        matches!(self, Self::VOICE | Self::TEXT | Self::UNKNOWN)
    }
}

impl fmt::Display for CallType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::VOICE => f.write_str("voice"),
            Self::TEXT => f.write_str("text"),
            Self(code) => write_undocumented(f, code),
        }
    }
}

/// The step of transcription and inspection that a call has reached. `Display` gives the label
/// `status`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Status(Code);

/// The vendor's documented statuses: code, label, whether it is final, and whether only calls with audio
/// can have it. In the order in which a call goes through them.
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
    /// Inspection is done; the measures are available.
    pub const SUCCEEDED: Self = Self(2);
    /// The status was missing, null or not a usable number.
    pub const UNKNOWN: Self = Self(NOT_GIVEN);

    pub fn from_number(number: i64) -> Self {
        Self(code_from(number))
    }

    /// The vendor's number; negative if none was given.
    pub fn number(self) -> i16 {
        self.0
    }

    /// All documented statuses, in the order in which a call goes through them.
    pub fn documented() -> impl Iterator<Item = Self> {
        DOCUMENTED.iter().map(|(code, ..)| Self(*code))
    }

    pub fn is_documented(self) -> bool {
        self.documentation().is_some()
    }

    /// Whether this status always gets a label. Undocumented statuses share a limited number of
    /// labels.
    pub fn has_own_label(self) -> bool {
        self.is_documented() || self == Self::UNKNOWN
    }

    /// Whether a call stays in this status unless someone has it inspected again.
    pub fn is_final(self) -> bool {
        self.documentation()
            .is_some_and(|(_, _, is_final, _)| *is_final)
    }

    /// Whether calls of this type can reach this status: a text call has no audio to transcribe.
    pub fn applies_to(self, call_type: CallType) -> bool {
        let needs_audio = (self.documentation()).is_some_and(|(.., needs_audio)| *needs_audio);
        !(needs_audio && call_type == CallType::TEXT)
    }

    fn documentation(self) -> Option<&'static (Code, &'static str, bool, bool)> {
        DOCUMENTED.iter().find(|(code, ..)| *code == self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.documentation() {
            Some((_, label, ..)) => f.write_str(label),
            None => write_undocumented(f, self.0),
        }
    }
}
