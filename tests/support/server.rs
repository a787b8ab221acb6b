//! A server on a free port in front of a registry whose vendor can be held, and a client without
//! manners.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cec_exporter::config::shard::Shard;
use cec_exporter::config::{self, Config, ConfigError};
use cec_exporter::metrics::catalog::{self, Metric};
use cec_exporter::metrics::exporter::Build;
use cec_exporter::server::{self, Limits, Settings};
use cec_exporter::simulator::spec::Spec;
use cec_exporter::simulator::{self, Simulator};
use cec_exporter::targets::{Options, Registry, Storage};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};

pub(crate) use super::client::Answer;
use super::{PATIENCE, own};

/// A limit that a test waits for.
pub(crate) const SOON: Duration = Duration::from_millis(200);
/// A limit that no test reaches.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

pub(crate) const KNOWN: &str = "a, b/c d, 客服, <a>";

/// 2026-03-01T00:00:00Z.
const NOW: u32 = 1_772_323_200;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Arc<Registry>,
    /// Reloads that have run to their end.
    pub(crate) reloads: Arc<AtomicUsize>,
    pub(crate) reload_fails: Arc<AtomicBool>,
    /// Makes the next look at the clock panic.
    pub(crate) panics: Arc<AtomicBool>,
    endpoint: String,
    gate: Arc<Semaphore>,
    shutdown: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    _vendor: JoinSet<()>,
}

/// A server whose scrapes are answered at once.
pub(crate) async fn start(settings: Settings) -> Server {
    let server = start_not_ready(settings, Semaphore::MAX_PERMITS / 2).await;
    server.load().await;
    server
}

/// A server whose pulls and reloads wait for [`Server::open_gate`].
pub(crate) async fn start_held(settings: Settings) -> Server {
    let server = start_not_ready(settings, 0).await;
    server.load().await;
    server
}

/// A server whose configuration is not in force before [`Server::load`].
pub(crate) async fn start_not_ready(settings: Settings, permits: usize) -> Server {
    let gate = Arc::new(Semaphore::new(permits));
    let (reloads, reload_fails): (Arc<AtomicUsize>, Arc<AtomicBool>) = Default::default();
    let panics = Arc::<AtomicBool>::default();
    let (endpoint, vendor) = vendor(&gate).await;
    let load = {
        let (gate, reloads) = (Arc::clone(&gate), Arc::clone(&reloads));
        let (fails, endpoint) = (Arc::clone(&reload_fails), endpoint.clone());
        move || {
            while gate.available_permits() == 0 && !gate.is_closed() {
                std::thread::sleep(Duration::from_millis(5));
            }
            reloads.fetch_add(1, Ordering::SeqCst);
            match fails.load(Ordering::SeqCst) {
                true => config::from_text("targets: [{nonsense: 1}]"),
                false => configuration(&endpoint),
            }
        }
    };
    let panicking = Arc::clone(&panics);
    let registry = Registry::new(Options {
        load: Arc::new(load),
        shard: Shard::WHOLE,
        storage: Storage::InMemory,
        clock: Arc::new(move || {
            assert!(
                !panicking.swap(false, Ordering::SeqCst),
                "as the test asked"
            );
            NOW
        }),
        build: Build {
            version: "0.0.0-test",
            revision: "r",
            rustc: "1",
        },
        exemplars: false,
        created_lines: false,
    });
    let registry = Arc::new(registry);
    let listeners = server::bind(&["127.0.0.1:0".parse().unwrap()])
        .await
        .unwrap();
    let address = listeners[0].local_addr().unwrap();
    let (shutdown, told) = oneshot::channel();
    let told = async move {
        let _ = told.await;
    };
    let served = Arc::clone(&registry);
    let task = tokio::spawn(server::run(listeners, served, settings, told));
    Server {
        address,
        registry,
        reloads,
        reload_fails,
        panics,
        endpoint,
        gate,
        shutdown: Some(shutdown),
        task,
        _vendor: vendor,
    }
}

/// A pull at the first scrape, and no other.
fn configuration(endpoint: &str) -> Result<Config, ConfigError> {
    config::from_text(&format!(
        "defaults: {{app_key: k, app_secret: s, user_id: u, endpoint: '{endpoint}',
  min_pull_interval: 1h, request_timeout: 60s, max_requests_per_second: 1000}}
targets: [{{name: a}}, {{name: 'b/c d'}}, {{name: 客服}}, {{name: '<a>'}}]
"
    ))
}

/// The simulated vendor, behind a gate that holds its requests.
async fn vendor(gate: &Arc<Semaphore>) -> (String, JoinSet<()>) {
    let spec = Spec {
        start: NOW - 3600,
        calls_per_day: 1200.0,
        flat: true,
        ..Spec::default()
    };
    let simulator = Arc::new(Simulator::new(spec, Arc::new(|| f64::from(NOW))));
    let behind = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, target) = (front.local_addr().unwrap(), behind.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(simulator::http::run(
        behind,
        simulator,
        std::future::pending::<()>(),
    ));
    let gate = Arc::clone(gate);
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = front.accept().await {
            let gate = Arc::clone(&gate);
            connections.spawn(async move {
                let _ = gate.acquire().await;
                if let Ok(mut server) = TcpStream::connect(target).await {
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    (format!("http://{address}"), tasks)
}

pub(crate) fn with_lifecycle() -> Settings {
    Settings {
        enable_lifecycle: true,
        ..Settings::default()
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
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        let bytes = self.say(request).await;
        Answer::parse(&bytes).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// Sends these bytes on a new connection. Returns what the server sends until it closes that.
    pub(crate) async fn say(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.until_closed().await
    }

    /// The same by a client that says no more.
    pub(crate) async fn say_and_leave(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut client = self.connect().await;
        client.send(bytes).await;
        client.0.shutdown().await.unwrap();
        client.until_closed().await
    }

    /// A scrape that waits for its pull, which [`start_held`] holds.
    pub(crate) async fn begin_scrape(&self) -> Client {
        let others = self.in_flight();
        let mut client = self.connect().await;
        client.request("/metrics").await;
        until(|| self.in_flight() > others).await;
        client
    }

    /// Puts the configuration into force.
    pub(crate) async fn load(&self) {
        let config = configuration(&self.endpoint).unwrap();
        self.registry.start(config).await.unwrap();
    }

    pub(crate) fn open_gate(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Scrapes and probes that are being answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.own(catalog::HANDLER_IN_FLIGHT) as usize
    }

    /// The sum of the series of one of the exporter's own metrics.
    pub(crate) fn own(&self, metric: Metric) -> f64 {
        let mut sum = 0.0;
        own::each(self.registry.metrics(), |name, _, value| {
            if name == metric.name {
                sum += value;
            }
        });
        sum
    }

    /// Scrapes and probes that were answered, by status.
    pub(crate) fn answered(&self) -> BTreeMap<String, usize> {
        let mut answered = BTreeMap::new();
        own::each(self.registry.metrics(), |name, labels, value| {
            if name == "promhttp_metric_handler_requests_total" && value > 0.0 {
                answered.insert(labels[0].1.to_owned(), value as usize);
            }
        });
        answered
    }

    /// Scrapes and probes that came through, answered or not.
    pub(crate) fn scrapes(&self) -> usize {
        self.in_flight() + self.answered().values().sum::<usize>()
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
pub(crate) async fn until(mut happened: impl FnMut() -> bool) {
    patiently(async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) struct Client<S = TcpStream>(pub(crate) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a byte now and then until the server has had enough.
    pub(crate) async fn drip(&mut self) {
        patiently(async {
            while self.0.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    pub(crate) async fn request(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
            .await;
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.request(path).await;
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
