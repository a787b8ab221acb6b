//! `check` as a process, against real sockets: the step at which the way breaks off, and why.

mod checked;
mod documented;
mod network;
mod output;
mod proxy;
mod vendor;
