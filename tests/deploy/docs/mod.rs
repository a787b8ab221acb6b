//! The documentation agrees with the program, in both languages.
//!
//! A comment such as `<!-- metrics -->` before a table says which one it is.

mod configuration;
mod endpoints;
mod examples;
mod links;
mod page;
mod tables;
mod terms;
