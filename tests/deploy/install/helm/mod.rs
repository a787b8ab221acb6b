//! The chart, rendered by the real Helm: what it makes of its examples is valid, is what is kept in
//! `deploy/kubernetes`, and speaks of this exporter, its rules and its boards.

mod chart;
mod contents;
mod valid;
mod values;
