//! The HTTP server over real sockets, in front of a registry whose vendor can be held.

// Helpers of tests are tests too, which clippy's own exception does not see.
#![allow(clippy::unwrap_used)]

mod formats;
mod hostile;
mod lifecycle;
mod routes;
mod smuggling;
mod support;
