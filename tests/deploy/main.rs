//! What surrounds the program: dashboards, rules, packages, charts, documentation.

// Clippy's exception for tests does not cover their helpers.
#![allow(clippy::unwrap_used)]

mod dashboards;
mod docs;
mod install;
#[path = "../support/mod.rs"]
mod support;
