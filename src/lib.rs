//! A Prometheus exporter for the inspected calls of Huawei Cloud's contact centre (CEC).
//!
//! The layers, from the top down; each imports only from below, and modules of one layer do not
//! import each other (`tests/layers.rs` holds them to it):
//!
//! | layer | what it does |
//! | --- | --- |
//! | [`app`] | puts the parts together: serve, demo, simulate, check and the small commands |
//! | [`logging`] | the log on stderr |
//! | [`cli`] | the command line |
//! | [`server`] | HTTP: TLS, passwords, scrapes, probes, the status page; knows no puller |
//! | [`puller`] | the loop of one target: when to pull, what to read, what to publish |
//! | [`upstream`], [`ledger`], [`metrics`], [`store`] | the vendor's API; each call once; what Prometheus sees; what survives the process |
//! | [`config`], [`simulator`] | the configuration files; an imaginary vendor |
//! | [`model`] | the words they share |

pub mod app;
pub mod backfill;
pub mod cli;
pub mod config;
pub mod ledger;
pub mod logging;
pub mod metrics;
pub mod model;
pub mod puller;
pub mod server;
pub mod simulator;
pub mod store;
pub mod upstream;
