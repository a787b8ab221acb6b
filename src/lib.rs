//! A Prometheus exporter for the inspected calls of Huawei Cloud's contact centre (CEC).
//!
//! The layers, from the top down. Each imports only from rows below its own, and modules of one row
//! do not import each other (`tests/it/layers.rs` checks it):
//!
//! | layer | what it does |
//! | --- | --- |
//! | [`app`], [`commands`] | serve; the other commands: check, demo, simulate, backfill, healthcheck, completions, man |
//! | [`logging`] | the log on stderr |
//! | [`cli`] | the command line, parsed into the types that are used |
//! | [`backfill`] | history: read day by day, replayed, written for Prometheus |
//! | [`server`] | HTTP: connections, TLS, passwords, routes, the status page |
//! | [`targets`] | the registry: scrape, status, reload; a target; its storage |
//! | [`puller`], [`client`] | the loop of one target: when to pull, what to read, what to publish; the vendor's API over HTTP |
//! | [`upstream`], [`ledger`], [`metrics`], [`store`] | the list of calls, and responses parsed; each call once; what Prometheus sees; what survives the process |
//! | [`process`] | signals, the clock, the environment |
//! | [`config`], [`simulator`] | the configuration files; an imaginary vendor |
//! | [`model`] | domain types shared by all layers |

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
