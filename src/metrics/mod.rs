//! What Prometheus sees: the catalog of metrics, the tallies they are made of, and the formats
//! that they are told in.

pub mod catalog;
pub mod exporter;
pub mod exposition;
pub mod histogram;
mod native;
pub mod tallies;
