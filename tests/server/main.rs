//! The HTTP server over real sockets, in front of a site that does what a test tells it.

// Helpers of tests are tests too, which clippy's own exception does not see.
#![allow(clippy::unwrap_used)]

mod formats;
mod hostile;
mod lifecycle;
mod routes;
mod smuggling;
mod support;
