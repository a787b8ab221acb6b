//! The measured work.

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cec_exporter::client::tls::Trust;
use cec_exporter::client::token_response::parse_token_response;
use cec_exporter::client::{HttpClient, Report};
use cec_exporter::config::{self, Target};
use cec_exporter::metrics::exporter::{Build, ExporterMetrics};
use cec_exporter::model::{Inspection, Status, UnixSeconds};
use cec_exporter::process;
use cec_exporter::puller::plan::Intervals;
use cec_exporter::puller::state::TargetState;
use cec_exporter::puller::{Handover, Puller, Settings};
use cec_exporter::store::{Backend, NullStore, Store};
use cec_exporter::upstream::{Error, Page, PageRequest, Upstream};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use crate::cost::{Cost, Start, resident};
use crate::{Arguments, Work, typed};

const DAY: UnixSeconds = 86_400;
const DETAILS_PATH: &str = "/apiaccess/CCSQM/rest/ccisqm/v1/appraisecall/details";
/// Concurrent requests of all compared work.
const PARALLEL: usize = 4;

/// Does the work of one measurement, in a child process.
pub(crate) struct Worker {
    endpoint: Url,
    now: UnixSeconds,
    directory: PathBuf,
    page_size: u32,
}

impl Worker {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        Self {
            endpoint: arguments.endpoint.clone().expect("the vendor's address"),
            now: arguments.now.expect("a time"),
            directory: arguments.directory.clone().expect("a directory"),
            page_size: arguments.page_size,
        }
    }

    pub(crate) fn run(&self, work: Work) -> Cost {
        let runtime = process::runtime().expect("a runtime");
        runtime.block_on(async {
            match work {
                Work::OnDisk => self.pull_on_disk().await,
                Work::InMemory => self.pull_in_memory().await,
                Work::Download => self.download(false).await,
                Work::Typed => self.download(true).await,
                Work::Restart => self.restart().await,
            }
        })
    }

    fn ledger(&self) -> Backend {
        Backend::File(self.directory.join("ledger.redb"))
    }

    /// File with the list of requested pages.
    fn page_list(&self) -> PathBuf {
        self.directory.join("asked.json")
    }

    async fn pull_on_disk(&self) -> Cost {
        self.warm_up().await;
        let base = resident("VmRSS");
        let start = Start::now();
        let (state, store) = TargetState::open(self.ledger()).expect("an empty ledger");
        let requests = RequestLog::default();
        let cost = self.pull(base, start, state, store, &requests).await;
        let requests = requests.lock().expect("not poisoned");
        let list = serde_json::to_vec(&*requests).expect("plain numbers");
        fs::write(self.page_list(), list).expect("room in the temporary directory");
        cost
    }

    async fn pull_in_memory(&self) -> Cost {
        self.warm_up().await;
        let base = resident("VmRSS");
        let (state, requests) = (TargetState::default(), RequestLog::default());
        self.pull(base, Start::now(), state, NullStore, &requests)
            .await
    }

    async fn pull(
        &self,
        base: u64,
        start: Start,
        state: TargetState,
        store: impl Store,
        requests: &RequestLog,
    ) -> Cost {
        let puller = self.puller(DAY, state, store, requests);
        while !puller.view().snapshot.progress.complete {
            let view = puller.scrape(far()).await;
            assert_eq!(view.up, Some(true), "{:?}", view.last_error);
        }
        let (cpu, wall) = start.elapsed();
        let calls = puller.view().snapshot.remembered as u64;
        // A pull may free memory shortly after its end.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let cost = Cost::with_memory(calls, (cpu, wall), base);
        puller.stop().await;
        cost
    }

    /// Opens the ledger on disk, then pulls once.
    async fn restart(&self) -> Cost {
        self.warm_up().await;
        let base = resident("VmRSS");
        let start = Start::now();
        let (state, store) = TargetState::open(self.ledger()).expect("what was kept");
        let puller = self.puller(DAY, state, store, &RequestLog::default());
        let (cpu, wall) = start.elapsed();
        let view = puller.scrape(far()).await;
        assert_eq!(view.up, Some(true), "{:?}", view.last_error);
        let cost = Cost::with_memory(view.snapshot.remembered as u64, (cpu, wall), base);
        puller.stop().await;
        cost
    }

    /// Does one small pull into another ledger, so that later measurements exclude what every process
    /// allocates once.
    async fn warm_up(&self) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let backend = Backend::File(directory.path().join("small.redb"));
        let (state, store) = TargetState::open(backend).expect("an empty ledger");
        let puller = self.puller(60, state, store, &RequestLog::default());
        let view = puller.scrape(far()).await;
        assert_eq!(view.up, Some(true), "{:?}", view.last_error);
        puller.stop().await;
    }

    fn puller(
        &self,
        lookback: UnixSeconds,
        state: TargetState,
        store: impl Store,
        requests: &RequestLog,
    ) -> Puller<RecordingClient> {
        let settings = Settings {
            name: "cold".into(),
            intervals: Intervals {
                lookback,
                overlap: 600,
                reconcile_interval: DAY,
            },
            page_size: self.page_size,
            min_pull_interval: Duration::ZERO,
            parallel: PARALLEL,
            max_calls: 5_000_000,
        };
        let metrics = ExporterMetrics::new(Build::default(), 0.0);
        let target_metrics = metrics.target("cold", 0.0);
        let reported = target_metrics.clone();
        let report = Arc::new(move |report| {
            if let Report::Request { api, code, took } = report {
                reported.request(api.label(), &code, took.as_secs_f64());
            }
        });
        let upstream = RecordingClient {
            client: HttpClient::new(
                self.target(),
                &Trust::of_this_machine().expect("defaults"),
                report,
            )
            .expect("the settings are right"),
            requests: Arc::clone(requests),
        };
        let now = self.now;
        let clock = Arc::new(move || now);
        Puller::new(
            settings,
            upstream,
            clock,
            target_metrics,
            Handover::opened(state, Arc::new(store)),
            None,
        )
    }

    fn target(&self) -> Target {
        let text = format!(
            "targets: [{{name: cold, endpoint: '{}', app_key: key, app_secret: secret, user_id: user, \
             request_timeout: 1m, max_concurrent_requests: {PARALLEL}}}]",
            self.endpoint
        );
        let config = config::from_text(&text).expect("a good configuration");
        let mut target = config.targets.into_iter().next().expect("one target");
        target.max_requests_per_second = 1e6;
        target
    }

    /// Downloads the pages that the pull requested, with the same concurrency.
    async fn download(&self, parse: bool) -> Cost {
        let list = fs::read(self.page_list()).expect("what a pull left behind");
        let pages: Vec<RequestedPage> = serde_json::from_slice(&list).expect("what a pull wrote");
        let target = self.target();
        // Configured like the exporter's client, without TLS.
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls())
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(target.request_timeout)
            .pool_max_idle_per_host(PARALLEL)
            .build()
            .expect("a client");
        let post = |url: Url, body: Value| {
            client
                .post(url)
                .header("content-type", "application/json; charset=UTF-8")
                .header("x-token-expire", "3600")
                .header("x-app-key", "key")
                .header("x-userid", "user")
                .body(body.to_string())
        };
        let body = json!({"app_key": "key", "app_secret": "secret"});
        let response = post(target.token_endpoint.clone(), body).send().await;
        let response = response.expect("a response").bytes().await.expect("a body");
        let token = parse_token_response(&response, tokio::time::Instant::now()).expect("a token");
        let token = format!("Bearer {}", token.text);
        let details = target.url(DETAILS_PATH);
        let statuses: Vec<i16> = Status::documented().map(Status::number).collect();
        let fetch = async |page: &RequestedPage| {
            let body = json!({
                "upload_from": page.from,
                "upload_to": page.to,
                "call_types": [0, 2],
                "status": statuses,
                "limit": page.limit,
                "page": page.page,
            });
            let request = post(details.clone(), body).header("authorization", &token);
            let mut response = request.send().await.expect("a response");
            assert_eq!(response.status(), 200);
            let mut body = Vec::new();
            if parse {
                body.reserve(response.content_length().unwrap_or_default() as usize);
            }
            let mut bytes = 0;
            while let Some(piece) = response.chunk().await.expect("the whole body") {
                bytes += piece.len() as u64;
                if parse {
                    body.extend_from_slice(&piece);
                }
            }
            if parse {
                let page: typed::Response = serde_json::from_slice(&body).expect("as documented");
                black_box(&page);
            }
            bytes
        };
        let base = resident("VmRSS");
        let start = Start::now();
        let mut downloads = stream::iter(&pages).map(fetch).buffer_unordered(PARALLEL);
        let mut bytes = 0;
        while let Some(length) = downloads.next().await {
            bytes += length;
        }
        let (cpu, wall) = start.elapsed();
        Cost {
            bytes,
            ..Cost::with_memory(0, (cpu, wall), base)
        }
    }
}

fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// A client that records the requested pages.
struct RecordingClient {
    client: HttpClient,
    requests: RequestLog,
}

type RequestLog = Arc<Mutex<Vec<RequestedPage>>>;

/// A requested page.
#[derive(Serialize, Deserialize)]
struct RequestedPage {
    from: UnixSeconds,
    to: UnixSeconds,
    page: u32,
    limit: u32,
}

impl Upstream for RecordingClient {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        self.requests
            .lock()
            .expect("not poisoned")
            .push(RequestedPage {
                from: request.window.from,
                to: request.window.to,
                page: request.page,
                limit: request.limit,
            });
        self.client.page(request).await
    }

    async fn inspection(&self, call_uuid: &str) -> Result<Inspection, Error> {
        self.client.inspection(call_uuid).await
    }
}

fn far() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(3600)
}
