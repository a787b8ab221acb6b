//! The commands besides serving.

pub mod backfill;
pub mod check;
pub mod demo;
pub mod generate;
pub mod healthcheck;
pub mod simulate;
