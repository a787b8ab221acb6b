//! What the end-to-end tests share: a vendor, the program as a process, a client, the figures.

// Each test file uses a part of it. Helpers outside of a test function fail the test all the same. The
// simulation makes a part of it public.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub(crate) mod boards;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod disk;
pub(crate) mod own;
pub(crate) mod process;
pub(crate) mod prometheus_server;
pub(crate) mod pulled;
pub(crate) mod samples;
pub(crate) mod scripted_vendor;
pub(crate) mod server;
pub(crate) mod shown;
pub(crate) mod silent;
pub(crate) mod simulated;
pub(crate) mod storage_processes;
pub(crate) mod text;
pub(crate) mod tools;
pub(crate) mod truth;

use std::time::{Duration, Instant};

/// The end of every wait: only something that hangs reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Asks again and again until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || is_so().then_some(()));
}
