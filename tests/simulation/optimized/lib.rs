//! The part of the exporter that the simulation runs. `Cargo.toml` says why.

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
