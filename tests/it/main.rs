//! The program and its parts over real sockets, files and processes.

// Clippy's exception for tests does not cover their helpers.
#![allow(clippy::unwrap_used)]

// Tests start in the order of their names: those that take longest are here.
mod alerts;
mod backfill;
mod crash;

mod http;
mod layers;
mod program;
mod scrape;
mod storage;
#[path = "../support/mod.rs"]
mod support;
mod vendor;
