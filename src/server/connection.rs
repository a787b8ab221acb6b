//! One connection: HTTP/1.1 or HTTP/2, with a time limit on every wait for the client.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use tokio_util::io::InspectReader;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::respond::{Body, guarded};

/// Requests at a time over one HTTP/2 connection: the number that clients assume by default.
const STREAMS: u32 = 100;

/// How long a client may take even if its slot is needed: when thousands connect at once, the
/// request of a well-behaved client may be queued behind theirs.
const GRACE: Duration = Duration::from_millis(100);

/// What a connection is waiting for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The client, to complete the TLS handshake.
    Handshake,
    /// The client, to send the rest of a request's headers.
    Headers,
    /// The server, to find the response.
    Working,
    /// The client, to receive the response.
    Sending,
    /// The client, to send another request.
    Idle,
}

impl Phase {
    /// How long it may last; `None` while the server is not waiting for the client.
    fn limit(self, limits: &Limits) -> Option<Duration> {
        match self {
            Self::Handshake => Some(limits.handshake),
            Self::Headers => Some(limits.header_read),
            Self::Working => None,
            Self::Sending => Some(limits.response_write),
            Self::Idle => Some(limits.idle),
        }
    }

    /// How long it lasts at least if the slot is needed.
    fn grace(self) -> Duration {
        match self {
            // Its client has had its turn.
            Self::Idle => Duration::ZERO,
            _ => GRACE,
        }
    }
}

/// The state of a connection, shared by its stream, its requests and its timer.
#[derive(Clone)]
pub(super) struct ConnectionState(Arc<watch::Sender<State>>);

#[derive(Clone, Copy)]
struct State {
    phase: Phase,
    /// Requests without a response. HTTP/2 has several at a time.
    working: usize,
    /// Responses that the client has not received in full.
    unsent: usize,
}

impl ConnectionState {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State {
            phase: Phase::Handshake,
            working: 0,
            unsent: 0,
        })))
    }

    fn request_begins(&self) {
        self.set(|state| {
            if state.phase == Phase::Idle {
                state.phase = Phase::Headers;
            }
        });
    }

    /// Counts a request or a response until the guard is dropped.
    fn counted(&self, count: fn(&mut State) -> &mut usize) -> Counted {
        self.change_count(|state| *count(state) += 1);
        Counted {
            state: self.clone(),
            count,
        }
    }

    /// Changes a count and the phase that follows from all of them.
    fn change_count(&self, change: impl FnOnce(&mut State)) {
        self.set(|state| {
            change(state);
            state.phase = match state {
                State { working: 1.., .. } => Phase::Working,
                State { unsent: 1.., .. } => Phase::Sending,
                State { .. } => Phase::Idle,
            };
        });
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        self.0.send_if_modified(|state| {
            let before = *state;
            change(state);
            state.phase != before.phase || (state.unsent > 0) != (before.unsent > 0)
        });
    }

    /// Completes, with the reason, when the connection is to be closed: the client has taken too
    /// long, or its slot or the memory of its responses is needed.
    pub(super) async fn until_closing(
        &self,
        limits: &Limits,
        slot_needed: &Notify,
        memory_needed: &Notify,
    ) -> &'static str {
        tokio::select! {
            reason = self.until_late_or_slot_needed(limits, slot_needed) => reason,
            reason = self.until_memory_needed(memory_needed) => reason,
        }
    }

    /// Completes when the client has taken too long, or the slot is needed.
    async fn until_late_or_slot_needed(
        &self,
        limits: &Limits,
        slot_needed: &Notify,
    ) -> &'static str {
        let mut state = self.0.subscribe();
        loop {
            let phase = state.borrow_and_update().phase;
            let client = async {
                let Some(limit) = phase.limit(limits) else {
                    return std::future::pending().await;
                };
                let evicted = async {
                    sleep(phase.grace()).await;
                    slot_needed.notified().await;
                };
                tokio::select! {
                    () = sleep(limit) => "the client took too long",
                    () = evicted => "another connection needs its slot",
                }
            };
            tokio::select! {
                reason = client => return reason,
                _ = state.changed() => {}
            }
        }
    }

    /// Completes when responses have waited for the client for a while, and their memory is needed.
    async fn until_memory_needed(&self, memory_needed: &Notify) -> &'static str {
        let mut state = self.0.subscribe();
        loop {
            let needed = async {
                sleep(GRACE).await;
                memory_needed.notified().await;
            };
            // The state lives as long as `self`.
            let _ = state.wait_for(|state| state.unsent > 0).await;
            tokio::select! {
                () = needed => return "memory is needed for other answers",
                _ = state.wait_for(|state| state.unsent == 0) => {}
            }
        }
    }
}

/// A request or a response that counts in the state of its connection; also one that the client
/// cancels.
struct Counted {
    state: ConnectionState,
    count: fn(&mut State) -> &mut usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.state.change_count(|state| *(self.count)(state) -= 1);
    }
}

/// Serves a connection until either side ends it. After `stopping` it answers what is in flight,
/// and ends.
pub(super) async fn serve<I, F, A>(
    stream: I,
    is_http2: bool,
    state: ConnectionState,
    limits: &Limits,
    stopping: &CancellationToken,
    answer: F,
) where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    state.set(|state| state.phase = Phase::Headers);
    let service_state = state.clone();
    let service = service_fn(move |request| {
        let state = service_state.clone();
        let working = state.counted(|state| &mut state.working);
        let answer = answer(request);
        async move {
            // Until the response counts as unsent, so that the connection is not idle in between.
            let _working = working;
            let response = answer.await;
            let unsent = state.counted(|state| &mut state.unsent);
            Ok::<_, Infallible>(response.map(|body| Full::new(guarded(body, unsent))))
        }
    });
    let stream = InspectReader::new(stream, move |bytes: &[u8]| {
        // In HTTP/2, an idle client also sends frames that belong to no request.
        if !is_http2 && !bytes.is_empty() {
            state.request_begins();
        }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = match is_http2 {
        true => builder.http2_only(),
        false => builder.http1_only(),
    };
    builder
        .http1()
        // hyper's timer runs in idle connections too; `Phase` distinguishes the two.
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Mistakes of clients do not belong in the log of a service that works.
        tracing::debug!(%error, "connection failed");
    }
}
