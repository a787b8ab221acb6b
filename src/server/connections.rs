//! All open connections: how many there may be, and their end.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::connection::{self, Pulse};
use super::guard::{self, Accepted, Guard};
use super::routes;
use super::scrapes::Scrapes;
use super::{Settings, Site};
use super::{host, http2};

/// Sent, as far as it goes without waiting, to a client that there is no room for.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
    Content-Length: 21\r\nRetry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n";

/// However short the system is of files, so many connections are kept: few enough to matter to
/// nobody else, enough for Prometheus beside some that say nothing.
const MIN_ROOM: usize = 16;

/// How long each client may take at least, however many others wait for its place: when thousands
/// connect at once, the request of one that is not to blame is on its way behind theirs.
const GRACE: Duration = Duration::from_millis(100);
/// How often to look for a place when all are taken and none has been held so long.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long to look for a place for a new connection while all others are being answered. Most
/// answers take a moment, and those that wait for pulls are too few to take all places.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Connections<S> {
    scrapes: Arc<Scrapes<S>>,
    settings: Arc<Settings>,
    guard: Option<Arc<Guard>>,
    /// How many there may be; less than the limit once the system has refused one.
    room: usize,
    graceful: GracefulShutdown,
    tasks: JoinSet<()>,
    /// Those that have not been told to go.
    open: HashMap<Id, (Arc<Pulse>, AbortHandle)>,
}

impl<S: Site> Connections<S> {
    pub(super) fn new(site: Arc<S>, settings: Arc<Settings>) -> Self {
        let guard = settings.protection.clone();
        Self {
            scrapes: Arc::new(Scrapes::new(site, &settings)),
            guard: guard.map(|protection| Arc::new(Guard::new(protection))),
            room: settings.limits.connections,
            settings,
            graceful: GracefulShutdown::new(),
            tasks: JoinSet::new(),
            open: HashMap::new(),
        }
    }

    /// Serves a connection; if there are too many already, the one that has kept the server
    /// waiting longest goes.
    ///
    /// None goes within [`GRACE`]; meanwhile the new one and those behind it wait their turn, but
    /// no longer than [`PATIENCE`].
    ///
    /// Not the new one: whoever opens connections and says nothing would lock everybody else
    /// out. Prometheus, should its idle connection be the one, opens another.
    pub(super) async fn add(&mut self, stream: TcpStream, peer: SocketAddr) {
        let began = Instant::now();
        while self.open.len() >= self.room {
            let waited = began.elapsed();
            let grace = if waited < GRACE {
                GRACE
            } else {
                Duration::ZERO
            };
            if self.close_longest_waiting(grace) {
                break;
            }
            if waited < PATIENCE {
                tokio::select! {
                    () = self.next_closed() => {}
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
                continue;
            }
            tracing::debug!("connection refused: all others are being answered");
            if !self.guard.as_ref().is_some_and(|guard| guard.speaks_tls()) {
                let _ = stream.try_write(NO_ROOM);
            }
            return;
        }
        // Answers are written in one go; there is nothing to gain from waiting for more.
        let _ = stream.set_nodelay(true);
        let pulse = Arc::new(Pulse::new());
        let connection = Connection {
            scrapes: Arc::clone(&self.scrapes),
            settings: Arc::clone(&self.settings),
            guard: self.guard.clone(),
            peer: peer.ip(),
            pulse: Arc::clone(&pulse),
            watcher: self.graceful.watcher(),
        };
        let handle = self.tasks.spawn(connection.serve(stream));
        self.open.insert(handle.id(), (pulse, handle));
    }

    /// Closes the connection that has kept the server waiting longest. `false` if it waits for
    /// none, that is, if all are being answered, or for none as long as `grace`.
    fn close_longest_waiting(&mut self, grace: Duration) -> bool {
        let waiting = self.open.iter();
        let longest = waiting
            .filter_map(|(id, (pulse, _))| Some((pulse.waiting_since()?, *id)))
            .filter(|(since, _)| since.elapsed() >= grace)
            .min_by_key(|(since, _)| *since);
        let Some((_, id)) = longest else {
            return false;
        };
        if let Some((_, task)) = self.open.remove(&id) {
            task.abort();
        }
        true
    }

    /// Makes do with fewer connections from now on, as the system has refused another.
    ///
    /// Mostly that is the number of open files, which the storage and the requests to the vendor
    /// need too. It stays like that: the limit that was hit is there until the next start.
    pub(super) fn shrink(&mut self) {
        self.room = self.room.min((self.open.len() / 4 * 3).max(MIN_ROOM));
        while self.open.len() > self.room && self.close_longest_waiting(GRACE) {}
    }

    /// How many connections there may be.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Takes note of a connection's end. Never returns while there is none to end.
    pub(super) async fn next_closed(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.forget(ended),
            None => std::future::pending().await,
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(%error, "a request was not answered");
                }
                error.id()
            }
        };
        self.open.remove(&id);
    }

    /// Lets the answers in flight leave, and closes what is left after the time for it.
    pub(super) async fn finish(mut self) {
        // These have sent no request, and would take their time.
        for (pulse, task) in self.open.values() {
            if pulse.in_handshake() {
                task.abort();
            }
        }
        let limit = self.settings.limits.shutdown;
        let answered = tokio::time::timeout(limit, self.graceful.shutdown()).await;
        if answered.is_err() {
            let connections = self.tasks.len();
            tracing::warn!(connections, "shut down before all requests were answered");
        }
        self.tasks.shutdown().await;
    }
}

/// What the task of one connection needs.
struct Connection<S> {
    scrapes: Arc<Scrapes<S>>,
    settings: Arc<Settings>,
    guard: Option<Arc<Guard>>,
    peer: IpAddr,
    pulse: Arc<Pulse>,
    watcher: Watcher,
}

impl<S: Site> Connection<S> {
    async fn serve(self, stream: TcpStream) {
        self.pulse.begin();
        let Some(guard) = &self.guard else {
            return self.serve_over(stream, false).await;
        };
        let handshake = guard::accept(guard, stream);
        match tokio::time::timeout(self.settings.limits.handshake, handshake).await {
            Ok(Some(Accepted::Plain(stream))) => self.serve_over(stream, false).await,
            Ok(Some(Accepted::Tls(stream))) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.serve_over(stream, is_http2).await;
            }
            Ok(None) => {}
            Err(_) => tracing::debug!("connection closed: the TLS handshake took too long"),
        }
    }

    async fn serve_over(
        self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        is_http2: bool,
    ) {
        let (scrapes, settings, guard) = (self.scrapes, self.settings, self.guard);
        let (peer, limits) = (self.peer, settings.limits.clone());
        let answer = move |request: Request<Incoming>| {
            let (scrapes, settings) = (Arc::clone(&scrapes), Arc::clone(&settings));
            let guard = guard.clone();
            async move {
                if let Some(refusal) = host::refusal(&request) {
                    return refusal;
                }
                let pass = |request| routes::answer(&scrapes, &settings, request);
                match guard {
                    None => pass(request).await,
                    Some(guard) => {
                        let is_exempt = settings.is_exempt(&request);
                        guard
                            .answer(request, peer, is_exempt, async |request| {
                                pass(request).await
                            })
                            .await
                    }
                }
            }
        };
        match is_http2 {
            true => http2::serve(stream, self.pulse, &limits, self.watcher, answer).await,
            false => connection::serve(stream, self.pulse, &limits, self.watcher, answer).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;
    use crate::metrics::exposition::Format;
    use crate::server::{NotReloaded, Scope, StatusView, UnknownTarget};

    struct Empty;

    impl Site for Empty {
        async fn scrape(
            &self,
            _: Option<Vec<String>>,
            _: Scope,
            _: Format,
            _: Instant,
        ) -> Result<Bytes, UnknownTarget> {
            Ok(Bytes::new())
        }

        fn status(&self) -> StatusView {
            StatusView::default()
        }

        fn ready(&self) -> bool {
            true
        }

        fn scrape_began(&self) {}

        fn scrape_ended(&self, _: Option<u16>) {}

        async fn reload(&self) -> Result<(), NotReloaded> {
            Ok(())
        }
    }

    /// Whatever the system refuses, a few connections stay, and the limit holds from then on.
    #[tokio::test]
    async fn a_refusal_leaves_fewer_connections_but_never_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Connections::new(Arc::new(Empty), Arc::default());
        let mut clients = Vec::new();
        for _ in 0..40 {
            clients.push(TcpStream::connect(address).await.unwrap());
            let (stream, peer) = listener.accept().await.unwrap();
            connections.add(stream, peer).await;
        }
        connections.shrink();
        let counts = (connections.room(), connections.open.len());
        assert_eq!(counts, (30, 40), "none goes that has just come");
        tokio::time::pause();
        tokio::time::advance(GRACE).await;
        tokio::time::resume();
        connections.shrink();
        assert_eq!((connections.room(), connections.open.len()), (30, 30));
        clients.push(TcpStream::connect(address).await.unwrap());
        let (stream, peer) = listener.accept().await.unwrap();
        connections.add(stream, peer).await;
        assert_eq!(connections.open.len(), 30);
        for _ in 0..10 {
            connections.shrink();
        }
        assert_eq!(
            (connections.room(), connections.open.len()),
            (MIN_ROOM, MIN_ROOM)
        );
        connections.finish().await;
    }
}
