//! The HTTP server over real sockets, in front of a registry whose vendor can be held.

mod formats;
mod hostile;
mod lifecycle;
mod routes;
mod smuggling;
