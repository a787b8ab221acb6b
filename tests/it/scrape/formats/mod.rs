//! The three exposition formats: their exact bytes, that all contain the same samples, and that
//! Prometheus and a strict parser read them.

// A panic in a helper fails the test too.

mod golden;
mod prometheus;
mod rewriting;
mod schema;
mod strict;
