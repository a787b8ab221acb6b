//! Quirks of the vendor and the clock, each on its own, in simulated time and against a list that
//! the test controls. `tests/simulation` combines them.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

#[path = "../support/bench.rs"]
mod bench;
#[path = "../simulation/disk.rs"]
#[allow(dead_code, reason = "the simulation also has it crash and fill up")]
mod disk;
#[path = "../support/listed.rs"]
mod listed;
#[path = "../support/samples.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod samples;
#[path = "../support/text.rs"]
mod text;

mod caps;
mod clock;
mod equal_counts;
mod hour;
mod identity;
mod limits;
mod page_size;
mod persistent;
mod starvation;
mod totals;
mod unreadable;
