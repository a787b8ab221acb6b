//! Quirks of the vendor and the clock, each on its own, in simulated time and against a list that
//! the test controls. `tests/simulation` combines them.

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
