//! A vendor on a real socket, scripted by a test.
//!
//! Implements just enough HTTP/1.1 itself, since a proper server would not truncate its responses.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// The samples of the vendor's documentation.
pub(crate) const TOKEN: &str = include_str!("../fixtures/token-response.json");
pub(crate) const DETAILS: &str = include_str!("../fixtures/details-response.json");

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The path, or the whole URL if the client uses this as a proxy.
    pub(crate) target: String,
    /// With names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) at: Instant,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| &**value)
    }

    pub(crate) fn is_token(&self) -> bool {
        self.target.ends_with("/tokenByAkSk")
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Answer(u16, Vec<(&'static str, String)>, String),
    /// A 200 after a delay.
    Late(Duration, String),
    /// A body shorter than announced.
    Cut(String),
    /// Single bytes of the body, for ever.
    Drip,
    /// An endless body without a length.
    Endless,
    /// These bytes including the head; then closes the connection.
    Raw(Vec<u8>),
    /// Closes the connection without a response.
    HangUp,
}

impl Reply {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::status(200, body)
    }

    pub(crate) fn status(status: u16, body: impl Into<String>) -> Self {
        Self::Answer(status, vec![], body.into())
    }

    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name, value.into()));
                Self::Answer(status, headers, body)
            }
            other => panic!("{other:?} has no headers"),
        }
    }
}

/// Gets the request and the number of earlier requests to the same API.
type Script = dyn Fn(&Seen, usize) -> Reply + Send + Sync;

pub(crate) struct Vendor {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

struct Shared {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
    busy: AtomicUsize,
    busiest: AtomicUsize,
}

impl Vendor {
    pub(crate) async fn start(
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(None, script).await
    }

    pub(crate) async fn start_with(
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            busy: AtomicUsize::new(0),
            busiest: AtomicUsize::new(0),
        });
        let mut tasks = JoinSet::new();
        let for_task = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&for_task), tls.clone());
                connections.spawn(async move {
                    // Some tests disconnect.
                    let _ = match tls {
                        None => shared.serve(socket).await,
                        Some(tls) => match tls.accept(socket).await {
                            Ok(socket) => shared.serve(socket).await,
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        Self {
            port,
            shared,
            tasks,
        }
    }

    /// Gives valid tokens. The script is for everything else.
    pub(crate) async fn with_pages(
        script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |seen, before| match seen.is_token() {
            true => Reply::ok(TOKEN),
            false => script(seen, before),
        })
        .await
    }

    /// Gives valid tokens, and the sample as every page.
    pub(crate) async fn of_samples(tls: Option<TlsAcceptor>) -> Self {
        Self::start_with(tls, |seen, _| match seen.is_token() {
            true => Reply::ok(TOKEN),
            false => Reply::ok(DETAILS),
        })
        .await
    }

    /// Without TLS.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Numbers of requests for tokens and for pages.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let seen = self.seen();
        let tokens = seen.iter().filter(|seen| seen.is_token()).count();
        (tokens, seen.len() - tokens)
    }

    /// Maximum number of concurrent requests.
    pub(crate) fn busiest(&self) -> usize {
        self.shared.busiest.load(Ordering::SeqCst)
    }

    /// Stops listening.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Shared {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut socket: S) -> io::Result<()> {
        while let Some(seen) = read_request(&mut socket).await? {
            let reply = {
                let mut all = self.seen.lock().unwrap();
                let before = all
                    .iter()
                    .filter(|old| old.is_token() == seen.is_token())
                    .count();
                all.push(seen.clone());
                (self.script)(&seen, before)
            };
            let busy = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
            self.busiest.fetch_max(busy, Ordering::SeqCst);
            let written = write_reply(&mut socket, reply).await;
            self.busy.fetch_sub(1, Ordering::SeqCst);
            if !written? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The first bytes of a client that expects TLS.
const TLS_HANDSHAKE: [u8; 2] = [0x16, 0x03];

async fn read_request<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut S,
) -> io::Result<Option<Seen>> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        if bytes.starts_with(&TLS_HANDSHAKE) {
            socket
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await?;
            return Ok(None);
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let target = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if socket.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    let body = String::from_utf8(body).unwrap();
    Ok(Some(Seen {
        target,
        headers,
        body,
        at: Instant::now(),
    }))
}

/// Returns whether the connection can be used for another request.
async fn write_reply<S: AsyncWrite + Unpin>(socket: &mut S, reply: Reply) -> io::Result<bool> {
    match reply {
        Reply::Answer(status, headers, body) => {
            let headers: String = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{headers}\r\n");
            socket.write_all((head + &body).as_bytes()).await?;
            socket.flush().await?;
            return Ok(true);
        }
        Reply::Late(pause, body) => {
            tokio::time::sleep(pause).await;
            return Box::pin(write_reply(socket, Reply::ok(body))).await;
        }
        Reply::Cut(body) => {
            let length = body.len() + 1000;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            socket.write_all((head + &body).as_bytes()).await?;
        }
        Reply::Drip => {
            socket
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                .await?;
            loop {
                socket.write_all(b" ").await?;
                socket.flush().await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Reply::Endless => {
            socket
                .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                .await?;
            let piece = vec![b' '; 1 << 20];
            loop {
                socket.write_all(&piece).await?;
            }
        }
        Reply::Raw(bytes) => socket.write_all(&bytes).await?,
        Reply::HangUp => {}
    }
    socket.flush().await?;
    Ok(false)
}
