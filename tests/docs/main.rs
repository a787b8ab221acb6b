//! The documentation agrees with the program, in both languages.
//!
//! A comment such as `<!-- metrics -->` before a table says which one it is.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

mod configuration;
mod endpoints;
mod examples;
mod links;
mod page;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod terms;
#[path = "../support/tools.rs"]
mod tools;
