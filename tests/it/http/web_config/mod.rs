//! The server behind a web configuration file: real sockets, real TLS, certificates made here.

mod client_certificates;
mod hostile;
mod http2;
mod requests;
mod startup;
mod support;
mod swapped;
mod tls;
