//! The chart, rendered by the real Helm: what it makes of its examples is valid, is what is kept in
//! `deploy/kubernetes`, and speaks of this exporter, its rules and its boards.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

#[path = "../support/boards.rs"]
mod boards;
mod chart;
mod contents;
#[path = "../support/tools.rs"]
mod tools;
mod valid;
mod values;
