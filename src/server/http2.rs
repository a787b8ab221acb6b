//! HTTP/2 over a connection: several requests at a time, each wait for the client with an end.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Limits;
use super::connection::{Phase, Pulse, run};
use super::routes::Body;

/// Requests at a time over one connection: what clients take for granted until they are told.
const STREAMS: u32 = 100;

/// Serves a connection until either side ends it, the client takes too long, or `watcher` tells
/// of the shutdown.
pub(super) async fn serve<I, F, A>(
    io: I,
    pulse: Arc<Pulse>,
    limits: &Limits,
    watcher: Watcher,
    answer: F,
) where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    pulse.set(Phase::Headers);
    let streams = Arc::new(Streams {
        pulse: Arc::clone(&pulse),
        counts: Mutex::default(),
    });
    let service = service_fn(move |request| {
        let working = Working::new(&streams);
        let answer = answer(request);
        async move { Ok::<_, Infallible>(working.answered(answer.await).await) }
    });
    let header_bytes = u32::try_from(limits.header_bytes).unwrap_or(u32::MAX);
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(header_bytes)
        .serve_connection(TokioIo::new(io), service);
    run(watcher.watch(connection), &pulse, limits).await;
}

/// What all requests of a connection are doing, for its [`Pulse`].
struct Streams {
    pulse: Arc<Pulse>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Requests without an answer.
    working: usize,
    /// Answers that have not left: a client takes them when it likes.
    unsent: usize,
}

impl Streams {
    fn change(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut counts);
        self.pulse.become_if_other(match *counts {
            Counts { working: 1.., .. } => Phase::Working,
            Counts { unsent: 1.., .. } => Phase::Answering,
            Counts { .. } => Phase::Idle,
        });
    }
}

/// A request without an answer; also one that the client takes back.
struct Working(Arc<Streams>);

impl Working {
    fn new(streams: &Arc<Streams>) -> Self {
        streams.change(|counts| counts.working += 1);
        Self(Arc::clone(streams))
    }

    /// The answer, which the connection is busy with until its last byte has left.
    async fn answered(self, response: Response<Body>) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_or(Bytes::new(), |all| all.to_bytes());
        let unsent = Unsent::new(&self.0, body);
        Response::from_parts(parts, Full::new(Bytes::from_owner(unsent)))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.change(|counts| counts.working -= 1);
    }
}

/// An answer, until nobody holds any part of it.
struct Unsent(Arc<Streams>, Bytes);

impl Unsent {
    fn new(streams: &Arc<Streams>, body: Bytes) -> Self {
        streams.change(|counts| counts.unsent += 1);
        Self(Arc::clone(streams), body)
    }
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.1
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.0.change(|counts| counts.unsent -= 1);
    }
}
