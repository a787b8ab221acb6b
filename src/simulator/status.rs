//! The vendor's table of call statuses.
//!
//! A deliberate copy of the exporter's table: with a shared one, a mistake would go unnoticed.

/// Waiting for inspection: the first status of every call.
pub const WAITING: u16 = 0;
pub const INSPECTING: u16 = 1;
pub const SUCCEEDED: u16 = 2;
pub const TRANSCRIBING: u16 = 3;
/// Also if a daily quota is used up.
pub const INSPECTION_FAILED: u16 = 9;
pub const ASR_FAILED: u16 = 32;

/// All documented codes.
pub const ALL: [u16; 15] = [0, 3, 1, 2, 9, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];

/// Whether the status is final. Undocumented codes never are.
pub fn is_final(code: u16) -> bool {
    matches!(code, 2 | 9 | 31..=40)
}

/// The status before this failure.
pub(super) fn stage_before(failure: u16) -> u16 {
    match failure {
        33 | 34 => WAITING,
        31 | 32 | 37 | 40 => TRANSCRIBING,
        _ => INSPECTING,
    }
}
