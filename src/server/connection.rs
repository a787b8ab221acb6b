//! One connection of HTTP/1.1: requests in, answers out, and an end to each wait for the client.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::Limits;
use super::routes::Body;

/// What a connection is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The server is to look at it for the first time.
    New,
    /// The client is to say hello in TLS, if that is spoken.
    Handshake,
    /// The client is to send the rest of a request's headers.
    Headers,
    /// The server is to find the answer.
    Working,
    /// The client is to take the answer.
    Answering,
    /// The client is to send another request, or not.
    Idle,
}

/// What a connection is doing, and since when.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<(Phase, Instant)>);

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Mutex::new((Phase::New, Instant::now())))
    }

    fn get(&self) -> (Phase, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves on to a phase, unless it is the one that it is in.
    pub(super) fn become_if_other(&self, phase: Phase) {
        if self.get().0 != phase {
            self.set(phase);
        }
    }

    pub(super) fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    /// Moves on to `to` if the connection is in `from`.
    fn step(&self, from: Phase, to: Phase) {
        if self.get().0 == from {
            self.set(to);
        }
    }

    /// The server begins to look at it.
    pub(super) fn begin(&self) {
        self.set(Phase::Handshake);
    }

    /// Whether no request can have come yet.
    pub(super) fn in_handshake(&self) -> bool {
        matches!(self.get().0, Phase::New | Phase::Handshake)
    }

    /// Since when the server has been waiting for the client; `None` while it is the other way.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let (phase, since) = self.get();
        (!matches!(phase, Phase::New | Phase::Working)).then_some(since)
    }

    /// When the client has been waited for long enough.
    fn due(&self, limits: &Limits) -> Option<Instant> {
        let (phase, since) = self.get();
        match phase {
            Phase::Handshake => Some(since + limits.handshake),
            Phase::Headers => Some(since + limits.header_read),
            Phase::New | Phase::Working => None,
            Phase::Answering => Some(since + limits.answer_write),
            Phase::Idle => Some(since + limits.idle),
        }
    }
}

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
    A: Future<Output = Response<Body>>,
{
    pulse.set(Phase::Headers);
    let service = service_fn(|request| {
        pulse.set(Phase::Working);
        let answer = answer(request);
        let pulse = Arc::clone(&pulse);
        async move {
            let response = answer.await;
            pulse.set(Phase::Answering);
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(Observed {
        io,
        pulse: Arc::clone(&pulse),
    });
    let connection = http1::Builder::new()
        // Its clock runs while the connection is idle too; `Pulse` tells the two apart.
        .header_read_timeout(None)
        // Headers must fit, as bodies are not read.
        .max_buf_size(limits.header_bytes)
        .serve_connection(io, service);

    run(watcher.watch(connection), &pulse, limits).await;
}

/// Runs a connection to its end, or until the client has been waited for long enough.
pub(super) async fn run<E: std::fmt::Display>(
    connection: impl Future<Output = Result<(), E>>,
    pulse: &Pulse,
    limits: &Limits,
) {
    let mut connection = pin!(connection);
    let mut timer = pin!(sleep_until(Instant::now()));
    // Mostly the pulse changes while the connection is polled, so that looking at it afterwards
    // keeps the timer right. In HTTP/2 a request can also end in between: hence the look now and
    // then where no client is waited for.
    let ended = std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        loop {
            let due = pulse.due(limits);
            let look = due.unwrap_or_else(|| Instant::now() + limits.idle);
            if timer.deadline() != look {
                timer.as_mut().reset(look);
            }
            match timer.as_mut().poll(cx) {
                Poll::Ready(()) if due.is_some() => return Poll::Ready(None),
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    // What clients do wrong is their business: not for the log of a service that runs well.
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "connection broke"),
        None => tracing::debug!("connection closed: the client took too long"),
    }
}

/// A stream that tells a [`Pulse`] when a request begins and an answer has left.
struct Observed<I> {
    io: I,
    pulse: Arc<Pulse>,
}

impl<I: AsyncRead + Unpin> AsyncRead for Observed<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pulse.step(Phase::Idle, Phase::Headers);
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Observed<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper flushes only once all it has of an answer is written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        if let Poll::Ready(Ok(())) = flushed {
            self.pulse.step(Phase::Answering, Phase::Idle);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
