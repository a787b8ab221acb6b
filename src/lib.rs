//! A Prometheus exporter for the inspected calls of Huawei Cloud's contact centre (CEC).
//!
//! `docs/ARCHITECTURE.md` has a map of the modules: each imports only from layers below its own, and
//! modules of one layer do not import each other.

pub mod app;
pub mod backfill;
pub mod cli;
pub mod client;
pub mod commands;
pub mod config;
pub mod ledger;
pub mod logging;
pub mod metrics;
pub mod model;
pub mod process;
pub mod puller;
pub mod server;
pub mod simulator;
pub mod store;
pub mod targets;
pub mod upstream;
