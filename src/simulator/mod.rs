//! The vendor's API with a simulated contact centre behind it, for demos, tests and benchmarks.
//!
//! Shares no code with the rest of the crate: it has its own response types and status table, so
//! that a misunderstanding of the vendor's API cannot cancel out on both sides.
//!
//! | module | content |
//! | --- | --- |
//! | [`spec`], [`incidents`] | parameters of the contact centre, and scenarios that disturb it |
//! | [`world`], [`call`], [`measures`] | all its calls and their lives: pure and seeded, the time is an argument |
//! | [`teams`], [`inspection`] | the agents' teams, the rules, and each call's result |
//! | [`paging`], [`listing`] | the list of calls, page by page |
//! | [`expected`] | the ground truth, to compare an exporter with |
//! | [`faults`], [`row_faults`] | faults of the API, its results and single rows, which can be changed at run time |
//! | `endpoints`, `credit` | the endpoints: tokens and the list, and results of single calls |
//! | `page`, `row` | a page of the list as JSON, and one call in it |
//! | [`reply`] | a response before it is sent |
//! | [`http`] | the HTTP server |
//!
//! [`Simulator`] combines them without I/O, so that tests can drive it in simulated time without
//! a socket.

pub mod call;
mod credit;
mod endpoints;
pub mod expected;
pub mod faults;
pub mod http;
pub mod incidents;
pub mod inspection;
pub mod listing;
pub mod measures;
mod page;
pub mod paging;
mod random;
mod record;
pub mod reply;
mod row;
pub mod row_faults;
pub mod spec;
pub mod status;
pub mod teams;
mod vendor;
pub mod world;

pub use endpoints::Caller;
pub use vendor::{Clock, Simulator, Stats};

#[cfg(test)]
mod tests;
