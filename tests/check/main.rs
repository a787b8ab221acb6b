//! `check` as a process, against real sockets: the step at which the way breaks off, and why.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

mod checked;
mod documented;
mod network;
mod output;
mod proxy;
mod vendor;

#[path = "../support/mod.rs"]
mod support;
