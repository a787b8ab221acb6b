//! The three formats of an answer: what each holds to the last byte, that all hold the same, and
//! what others read in them.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

mod golden;
mod prometheus;
mod rewriting;
mod schema;
mod strict;

#[path = "../support/prometheus_server.rs"]
mod prometheus_server;
#[path = "../support/mod.rs"]
mod support;
