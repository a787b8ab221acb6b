//! The server behind a web configuration file: real sockets, real TLS, certificates made here.

// Helpers of tests are tests too, which clippy's own exception does not see.
#![allow(clippy::unwrap_used)]

mod client_certificates;
mod hostile;
mod http2;
mod requests;
mod startup;
mod support;
mod swapped;
mod tls;

// The site and the server of the tests beside this one.
#[allow(dead_code)]
#[path = "../server/support.rs"]
mod server;
