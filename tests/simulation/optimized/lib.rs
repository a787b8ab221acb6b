//! The simulation of one target, and the part of the exporter that it runs. `Cargo.toml` says why
//! both are in a crate of their own; the tests are in `tests/simulation/main.rs`.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

#[path = "../../../src/ledger/mod.rs"]
pub mod ledger;
#[path = "../../../src/metrics/mod.rs"]
pub mod metrics;
#[path = "../../../src/model/mod.rs"]
pub mod model;
#[path = "../../../src/puller/mod.rs"]
pub mod puller;
#[path = "../../../src/simulator/mod.rs"]
pub mod simulator;
#[path = "../../../src/store/mod.rs"]
pub mod store;
#[path = "../../../src/upstream/mod.rs"]
pub mod upstream;

pub mod bench;
mod extras;
pub mod listed;
mod quirks;
mod replay;
mod steady;
mod truth;
mod vendor;
pub mod world;

#[path = "../../support"]
#[allow(dead_code, reason = "other tests use the rest")]
pub mod support {
    pub(crate) mod disk;
    pub(crate) mod own;
    pub mod samples;
    pub(crate) mod text;
}

/// As other tests name it.
extern crate self as cec_exporter;
