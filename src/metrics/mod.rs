//! The metrics: their catalog, the tallies of calls, the exporter's own metrics, and the exposition
//! formats.

pub mod catalog;
pub mod exporter;
pub mod exposition;
pub mod histogram;
mod native;
pub mod tallies;
