//! What Prometheus sees: the catalog of metrics, the tallies they are made of, and their text.

pub mod catalog;
pub mod exporter;
pub mod exposition;
pub mod histogram;
pub mod tallies;
