//! One record of the vendor's list.

use serde::{Deserialize, Serialize};

use super::{CallId, CallType, Measures, Status, UnixSeconds};

/// The fields of a record that the exporter uses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub id: CallId,
    /// Whether `id` is the `call_uuid`. Otherwise it is the `call_id`, until the call has a `call_uuid`.
    pub has_uuid: bool,
    /// When the recording was uploaded. Never changes.
    pub uploaded: UnixSeconds,
    pub call_type: CallType,
    pub status: Status,
    pub manual: ManualStates,
    pub measures: Measures,
    /// The agent, `staff_id`. `None` too if nothing needs it, which saves an allocation per row.
    pub staff_id: Option<Box<str>>,
    /// The identity as the vendor writes it, if it differs from [`CallId::uuid`] and is needed.
    pub written_id: Option<Box<str>>,
}

#[cfg(test)]
impl Record {
    /// A voice call that has succeeded, without measures.
    pub(crate) fn succeeded(id: CallId, uploaded: UnixSeconds) -> Self {
        Self {
            id,
            has_uuid: true,
            uploaded,
            call_type: CallType::VOICE,
            status: Status::SUCCEEDED,
            manual: ManualStates::default(),
            measures: Measures::default(),
            staff_id: None,
            written_id: None,
        }
    }
}

/// The three states that people set by hand, named like their metrics. The serialised names are the
/// format on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ManualKind {
    /// Manual sampling, `inspect_status`.
    #[serde(rename = "Inspect")]
    Sampled,
    /// Manual review, `review_status`.
    #[serde(rename = "Review")]
    Reviewed,
    /// The agent's appeal, `complain_status`.
    #[serde(rename = "Complain")]
    Appealed,
}

impl ManualKind {
    /// Every kind, in the order of [`ManualStates`].
    pub const ALL: [Self; 3] = [Self::Sampled, Self::Reviewed, Self::Appealed];
}

/// The manual states of a call, in the order of [`ManualKind::ALL`]: the vendor's number from 0 up,
/// or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ManualStates(pub [Option<u8>; 3]);

/// Why a record, or one of its values, cannot be used. `Display` gives the label `reason`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rejection {
    /// Neither `call_uuid` nor `call_id`.
    Identity,
    /// No usable `upload_time`.
    UploadTime,
    /// Not a JSON object.
    Shape,
    /// An implausible value; the rest of the record is used.
    Measure,
}

impl Rejection {
    /// Every reason, in the order of the exposition.
    pub const ALL: [Self; 4] = [Self::Identity, Self::UploadTime, Self::Shape, Self::Measure];

    /// The label `reason`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::UploadTime => "upload_time",
            Self::Shape => "shape",
            Self::Measure => "measure",
        }
    }
}
