//! How many files the process may hold open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files to as much as this process is allowed to have.
///
/// The usual limit of 1,024 is there for programs that use `select`, and this is none. A target
/// takes one file for its ledger and up to `max_concurrent_requests` connections.
pub(super) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // Where this is refused things stay as they are, which is enough for some two hundred targets.
    if current != maximum && setrlimit(Resource::Nofile, raised).is_err() {
        tracing::debug!(?current, "the limit of open files stays");
    }
}
