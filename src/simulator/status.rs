//! The vendor's table of call statuses, written down a second time on purpose.
//!
//! The exporter has a table of its own. If the two were one, a misreading would look right on
//! both sides.

/// Waiting for inspection: where every call enters.
pub const WAITING: u16 = 0;
/// Inspection is running.
pub const INSPECTING: u16 = 1;
/// Done.
pub const SUCCEEDED: u16 = 2;
/// Speech to text is running.
pub const TRANSCRIBING: u16 = 3;
/// Inspection failed, or a daily quota is used up.
pub const INSPECTION_FAILED: u16 = 9;
/// Speech to text failed.
pub const ASR_FAILED: u16 = 32;

/// Every documented code.
pub const ALL: [u16; 15] = [0, 3, 1, 2, 9, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];

/// Whether a call in this status has come to an end. A code outside the table never has.
pub fn is_final(code: u16) -> bool {
    matches!(code, 2 | 9 | 31..=40)
}

/// The status out of which a call falls into this failure.
pub(super) fn stage_before(failure: u16) -> u16 {
    match failure {
        33 | 34 => WAITING,
        31 | 32 | 37 | 40 => TRANSCRIBING,
        _ => INSPECTING,
    }
}
