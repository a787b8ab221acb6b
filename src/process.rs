//! What a process shares with the operating system: threads, signals, the clock, environment
//! variables, the limit of open files, and the line on stderr that explains a failure.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::ConfigError;
use crate::model::UnixSeconds;

/// Runs pulls and requests on one thread, which a thousand targets do not fill. Each further thread
/// would have a heap of its own, and keep what it freed. Disk and rendering have threads of their own.
pub fn runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// The signals from here on. A signal that arrives between two waits is not lost.
pub struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// Must be called within a runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for SIGTERM or SIGINT. Until then, each SIGHUP calls `reload`.
    pub async fn stop(mut self, mut reload: impl FnMut()) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => reload(),
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
            }
        }
    }
}

/// The time since 1970-01-01 UTC.
pub fn since_epoch() -> Duration {
    // A clock before 1970 is wrong anyway.
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

pub fn now() -> UnixSeconds {
    UnixSeconds::try_from(since_epoch().as_secs()).unwrap_or(UnixSeconds::MAX)
}

/// An environment variable; `None` if it is unset or not UTF-8.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs what blocks off the async threads. A panic continues in the caller.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    match done.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Cancelled: the runtime is shutting down, and this task with it.
        Err(Err(_)) => std::future::pending().await,
    }
}

/// Runs what may hang, such as reading a file of a network, in a thread, and waits for `patience` at
/// most. Holds one of `permits` until it ends, even if nobody waits for it any more: no more threads
/// hang than there are permits.
pub async fn run_within<T: Send + 'static>(
    patience: Duration,
    permits: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unfinished> {
    let permits = Arc::clone(permits);
    let done = async {
        let permit = permits.acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
    };
    match timeout(patience, done).await {
        Ok(done) => done.map_err(|panic| Unfinished::Panic(panic.to_string())),
        Err(_) => Err(Unfinished::Slow),
    }
}

/// Why [`run_within`] has no result.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    #[error("it cannot be read in time: is a file system down?")]
    Slow,
    #[error("{0}")]
    Panic(String),
}

/// Raises the limit of open files to the maximum that this process is allowed.
///
/// The usual limit of 1,024 exists for programs that call `select`, which this one does not. A
/// target takes one file for its ledger and up to `max_concurrent_requests` connections.
pub fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // If this is refused, the usual limit is enough for about two hundred targets.
    if current != maximum && setrlimit(Resource::Nofile, raised).is_err() {
        tracing::debug!(?current, "cannot raise the limit of open files");
    }
}

/// Why the program ends with exit code 1: one line for stderr.
#[derive(Debug)]
pub struct Fatal(pub String);

impl Fatal {
    /// A line that begins with the path of the configuration file, so that editors can open it.
    pub fn configuration(error: ConfigError) -> Self {
        Self(error.to_string())
    }
}

impl<E: fmt::Display> From<E> for Fatal {
    fn from(error: E) -> Self {
        Self(format!("cec_exporter: {error}"))
    }
}
