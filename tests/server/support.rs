//! A server on a free port, a site that can be told what to do, and a client without manners.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cec_exporter::metrics::exposition::Format;
use cec_exporter::server::{self, Limits, NotReloaded, Scope, Settings, Site};
use cec_exporter::server::{StatusView, TargetState, TargetView, UnknownTarget};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The end of every wait: only a server that hangs reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const KNOWN: [&str; 3] = ["a", "b/c d", "客服"];

/// What a scrape was asked for.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Scrape {
    pub(crate) targets: Option<Vec<String>>,
    pub(crate) scope: Scope,
    pub(crate) format: Format,
    pub(crate) wait: Duration,
}

pub(crate) struct Fake {
    pub(crate) scrapes: Mutex<Vec<Scrape>>,
    pub(crate) metrics: Mutex<Bytes>,
    /// A scrape and a reload take a permit; a test that holds them back starts with none.
    pub(crate) gate: Semaphore,
    pub(crate) begun: AtomicUsize,
    /// Scrapes that came in and are not answered.
    pub(crate) in_flight: AtomicUsize,
    /// How each scrape ended.
    pub(crate) answered: Mutex<Vec<Option<u16>>>,
    pub(crate) left: AtomicUsize,
    pub(crate) reloads: AtomicUsize,
    pub(crate) reload_fails: AtomicBool,
    pub(crate) not_ready: AtomicBool,
}

/// Counts the scrapes whose client left before they were done.
struct Leaving<'a>(&'a AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Site for Fake {
    async fn scrape(
        &self,
        targets: Option<Vec<String>>,
        scope: Scope,
        format: Format,
        deadline: Instant,
    ) -> Result<Bytes, UnknownTarget> {
        let wait = deadline - Instant::now();
        for name in targets.iter().flatten() {
            assert_ne!(name, "panic", "as the test asked");
            if !KNOWN.contains(&name.as_str()) {
                let known = KNOWN.map(str::to_owned).into();
                let name = name.clone();
                return Err(UnknownTarget { name, known });
            }
        }
        let scrape = Scrape {
            targets,
            scope,
            format,
            wait,
        };
        self.scrapes.lock().unwrap().push(scrape);
        self.begun.fetch_add(1, Ordering::SeqCst);
        let leaving = Leaving(&self.left);
        // By its deadline at the latest, as a site promises.
        let permit = tokio::time::timeout_at(deadline, self.gate.acquire()).await;
        std::mem::forget(leaving);
        drop(permit);
        Ok(self.metrics.lock().unwrap().clone())
    }

    fn status(&self) -> StatusView {
        let target = TargetView {
            name: "<a>".to_owned(),
            state: TargetState::Down,
            progress: None,
            lookback: Duration::from_secs(86_400),
            frontier: None,
            counted_from: None,
            last_pull: None,
            last_success: None,
            last_error: None,
            token_renewal: None,
            clock_skew: None,
            proxy: None,
            skipped: Vec::new(),
            calls: Vec::new(),
        };
        StatusView {
            version: "0.0.0-test".to_owned(),
            targets: vec![target],
            reload_error: None,
        }
    }

    fn scrape_began(&self) {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
    }

    fn scrape_ended(&self, status: Option<u16>) {
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.answered.lock().unwrap().push(status);
    }

    fn ready(&self) -> bool {
        !self.not_ready.load(Ordering::SeqCst)
    }

    async fn reload(&self) -> Result<(), NotReloaded> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.acquire().await.unwrap());
        self.reloads.fetch_add(1, Ordering::SeqCst);
        if self.reload_fails.load(Ordering::SeqCst) {
            return Err(NotReloaded("cec_exporter.yml:3:5: bad key".to_owned()));
        }
        Ok(())
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) site: Arc<Fake>,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// A server whose scrapes are answered at once.
pub(crate) async fn start(settings: Settings) -> Server {
    start_with_gate(settings, Semaphore::MAX_PERMITS).await
}

/// A server whose scrapes and reloads wait for [`Server::open_gate`].
pub(crate) async fn start_held(settings: Settings) -> Server {
    start_with_gate(settings, 0).await
}

async fn start_with_gate(settings: Settings, permits: usize) -> Server {
    let site = Arc::new(Fake {
        scrapes: Mutex::default(),
        metrics: Mutex::new(Bytes::from_static(b"cec_up{target=\"a\"} 1\n")),
        gate: Semaphore::new(permits),
        begun: AtomicUsize::new(0),
        in_flight: AtomicUsize::new(0),
        answered: Mutex::default(),
        left: AtomicUsize::new(0),
        reloads: AtomicUsize::new(0),
        reload_fails: AtomicBool::new(false),
        not_ready: AtomicBool::new(false),
    });
    let listeners = server::bind(&["127.0.0.1:0".to_owned()]).await.unwrap();
    let address = listeners[0].local_addr().unwrap();
    let (shutdown, told) = oneshot::channel();
    let told = async move {
        let _ = told.await;
    };
    let task = tokio::spawn(server::run(listeners, Arc::clone(&site), settings, told));
    Server {
        address,
        site,
        shutdown: Some(shutdown),
        task,
    }
}

pub(crate) fn with_limits(change: impl FnOnce(&mut Limits)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings.limits);
    settings
}

impl Server {
    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        self.ask_with(method, path, "").await
    }

    /// The same with header lines, each ended by CRLF.
    pub(crate) async fn ask_with(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut client = self.connect().await;
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        client.send(request).await;
        let bytes = client.until_closed().await;
        Answer::parse(&bytes).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    pub(crate) fn open_gate(&self) {
        self.site.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    pub(crate) fn shut_down(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    /// Waits for `run` to return.
    pub(crate) async fn ended(self) {
        patiently(self.task).await.unwrap();
    }
}

/// What comes of a future before the test's patience ends.
pub(crate) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(PATIENCE, future).await;
    result.expect("the server should have done something by now")
}

/// Waits until something that another task does has happened.
pub(crate) async fn until(happened: impl Fn() -> bool) {
    patiently(async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
        self.answer().await
    }

    /// One answer, of which the connection may outlive the end.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut bytes = Vec::new();
        loop {
            if let Some(answer) = Answer::parse(&bytes)
                && answer.is_whole()
            {
                return answer;
            }
            let read = patiently(self.0.read_buf(&mut bytes)).await.unwrap();
            assert_ne!(
                read,
                0,
                "closed after {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
    }

    /// All that comes until the server closes; a reset is an end too.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = patiently(self.0.read_to_end(&mut bytes)).await;
        bytes
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let (head, body) = (head.to_owned(), body.to_owned());
        Some(Self { status, head, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    fn is_whole(&self) -> bool {
        let length = self.header("content-length").unwrap_or("0");
        self.body.len() >= length.parse().unwrap()
    }
}
