//! The HTTP server over real sockets, in front of a registry whose vendor can be held.

mod crowds;
mod formats;
mod hostile;
mod lifecycle;
mod readiness;
mod routes;
mod scrape_limits;
mod smuggling;
