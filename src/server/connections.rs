//! All open connections, from the TLS handshake to the shutdown.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;

use super::auth::{self, Authenticator};
use super::connection::{self, ConnectionState};
use super::routes::Service;
use super::slots::Slots;

/// Bytes of responses that the kernel keeps for a client that does not take them: the response to a large
/// scrape, compressed, in a few round trips. The default is some megabytes for each connection, and as
/// many responses as fit there are rendered.
const SEND_BUFFER: usize = 256 << 10;

/// Sent, as far as possible without waiting, to a client without a slot.
const NO_SLOT: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
    Content-Length: 21\r\nRetry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n";

pub(super) struct Connections {
    service: Arc<Service>,
    pub(super) slots: Slots,
    stopping: CancellationToken,
    tasks: JoinSet<()>,
}

impl Connections {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self {
            slots: Slots::new(service.settings.limits.connections),
            service,
            stopping: CancellationToken::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Serves a connection in a task of its own, once there is a slot for it.
    pub(super) async fn add(&mut self, stream: TcpStream, peer: SocketAddr) {
        let Some(slot) = self.slots.acquire().await else {
            tracing::debug!("connection refused: all others are being answered");
            let authenticator = self.service.authenticator.as_ref();
            if !authenticator.is_some_and(Authenticator::speaks_tls) {
                let _ = stream.try_write(NO_SLOT);
            }
            return;
        };
        // Responses are written at once: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER);
        let (service, stopping) = (Arc::clone(&self.service), self.stopping.clone());
        let slot_needed = Arc::clone(&self.slots.needed);
        self.tasks.spawn(async move {
            let _slot = slot;
            let state = ConnectionState::new();
            tokio::select! {
                () = serve(&service, stream, peer.ip(), state.clone(), &stopping) => {}
                reason = state.until_closing(&service.settings.limits, &slot_needed, &service.memory.needed) => {
                    tracing::debug!(reason, "connection closed");
                }
            }
        });
    }

    /// Waits for a connection to end. Never completes while there is none.
    pub(super) async fn next_closed(&mut self) {
        match self.tasks.join_next().await {
            Some(ended) => log_panic(ended),
            None => std::future::pending().await,
        }
    }

    /// Waits until the responses in flight are sent. Closes what is left after the time limit.
    pub(super) async fn finish(mut self) {
        self.stopping.cancel();
        let all_closed = async {
            while let Some(ended) = self.tasks.join_next().await {
                log_panic(ended);
            }
        };
        let limit = self.service.settings.limits.shutdown;
        if tokio::time::timeout(limit, all_closed).await.is_err() {
            let connections = self.tasks.len();
            tracing::warn!(connections, "shut down before all requests were answered");
        }
        self.tasks.shutdown().await;
    }
}

fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a request caused a panic and was not answered; please report it");
    }
}

async fn serve(
    service: &Arc<Service>,
    stream: TcpStream,
    peer: IpAddr,
    state: ConnectionState,
    stopping: &CancellationToken,
) {
    let stream = match &service.authenticator {
        None => Either::Left(stream),
        Some(authenticator) => {
            let accepted = tokio::select! {
                accepted = auth::accept(authenticator, stream) => accepted,
                // It has sent no request, so there is nothing to answer.
                () = stopping.cancelled() => return,
            };
            let Some(stream) = accepted else {
                return;
            };
            stream
        }
    };
    let is_http2 = match &stream {
        Either::Left(_) => false,
        Either::Right(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
    };
    let limits = &service.settings.limits;
    let answer = |request| {
        let service = Arc::clone(service);
        async move { service.answer(request, peer).await }
    };
    connection::serve(stream, is_http2, state, limits, stopping, answer).await;
}
