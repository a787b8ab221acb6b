//! A puller of a [`Vendor`] in imaginary time, and what it shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use cec_exporter::metrics::exporter::{Build, ExporterMetrics};
use cec_exporter::model::UnixSeconds;
use cec_exporter::puller::plan::Intervals;
use cec_exporter::puller::state::TargetState;
use cec_exporter::puller::{Clock, Handover, Puller, Settings, View};
use cec_exporter::store::{Changes, FileStore, Store, StoreError};
use cec_exporter::upstream::PageRequest;
use tokio::time::Instant;

use crate::listed::{BASE, Call, List, Vendor, add};
use crate::support::disk::Disk;
use crate::support::own;
use crate::support::samples::Samples;
use crate::support::text::text;

/// The times that most tests have.
pub const SPANS: Intervals = Intervals {
    lookback: 86_400,
    overlap: 600,
    // Comparing is on its own account, where a test does not ask for it.
    reconcile_interval: u32::MAX,
};

/// What a target is configured as. The only place that makes [`Settings`].
pub fn settings(intervals: Intervals, page_size: u32) -> Settings {
    Settings {
        name: "t".into(),
        intervals,
        page_size,
        min_pull_interval: Duration::ZERO,
        parallel: 4,
        max_calls: 5_000_000,
    }
}

/// Counts what a store is given.
#[derive(Default)]
pub struct Given {
    pub commits: AtomicU64,
    pub bytes: AtomicU64,
}

struct Counting {
    store: FileStore,
    given: Arc<Given>,
}

impl Store for Counting {
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let rows = changes.rows.len() * size_of_val(&([0_u8; 20], [0_u8; 8]));
        let bytes = (rows + changes.state.len()) as u64;
        self.given.commits.fetch_add(1, Ordering::Relaxed);
        self.given.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.store.commit(changes)
    }
}

pub struct Bench {
    pub vendor: Vendor,
    puller: Puller<Vendor>,
    settings: Settings,
    clock: Clock,
    /// Seconds by which the exporter's clock is ahead.
    pub ahead: Arc<AtomicI64>,
    disk: Disk,
    pub given: Arc<Given>,
    metrics: ExporterMetrics,
    /// The share of the calls whose result is requested.
    share: Option<f64>,
}

impl Bench {
    /// An exporter that has not pulled yet.
    pub fn new(settings: Settings, list: List) -> Self {
        Self::with_results(settings, list, None)
    }

    /// Like [`Bench::new`], and it requests the results of this share of the calls.
    pub fn with_results(settings: Settings, list: List, share: Option<f64>) -> Self {
        let vendor = Vendor::new(list);
        let ahead = Arc::new(AtomicI64::new(0));
        let clock: Clock = {
            let (began, ahead) = (vendor.began, Arc::clone(&ahead));
            Arc::new(move || {
                let now = i64::from(BASE) + began.elapsed().as_secs() as i64;
                (now + ahead.load(Ordering::Relaxed)) as UnixSeconds
            })
        };
        let metrics = ExporterMetrics::new(Build::default(), 0.0);
        let (disk, given) = (Disk::default(), Arc::default());
        let puller = open(&settings, &vendor, &clock, &disk, &given, &metrics, share);
        Self {
            vendor,
            puller,
            settings,
            clock,
            ahead,
            disk,
            given,
            metrics,
            share,
        }
    }

    /// The process ends and starts again.
    pub async fn restart(&mut self) {
        self.puller.stop().await;
        // Handles of the disk from before write nothing more.
        self.disk.crash(&mut fastrand::Rng::with_seed(1));
        self.puller = open(
            &self.settings,
            &self.vendor,
            &self.clock,
            &self.disk,
            &self.given,
            &self.metrics,
            self.share,
        );
    }

    /// The vendor lists another call.
    pub fn add(&self, call: Call) {
        self.vendor.with(|list| add(&mut list.calls, call));
    }

    /// The vendor lists another call, which has just been uploaded and is final.
    pub fn add_new(&self, id: u128) {
        self.add(Call::done(id, self.vendor.now()));
    }

    /// Time passes, and one scrape. Answers with the requests since the last one.
    pub async fn pull_after(&self, seconds: UnixSeconds) -> Vec<PageRequest> {
        tokio::time::sleep(Duration::from_secs(seconds.into())).await;
        self.pull().await
    }

    /// One scrape. Answers with the requests since the last one.
    pub async fn pull(&self) -> Vec<PageRequest> {
        self.puller
            .scrape(Instant::now() + Duration::from_secs(600))
            .await;
        // What is compared when the scrape is over.
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.vendor.with(|list| std::mem::take(&mut list.requests))
    }

    /// Pulls every 15 seconds; answers with the requests that they made.
    pub async fn pulls(&self, count: u32) -> Vec<PageRequest> {
        let mut requests = Vec::new();
        for _ in 0..count {
            requests.extend(self.pull_after(15).await);
        }
        requests
    }

    /// One scrape that waits no longer than this.
    pub async fn glance(&self, patience: Duration) {
        self.puller.scrape(Instant::now() + patience).await;
    }

    pub fn view(&self) -> View {
        self.puller.view()
    }

    /// The target is up, with everything that can be read.
    pub fn assert_up(&self) {
        let view = self.view();
        assert_eq!(view.up, Some(true), "{:?}", view.last_error);
    }

    /// The call metrics; empty before they are there.
    pub fn samples(&self) -> Samples {
        let calls = self.view().snapshot.calls;
        Samples::parse(&calls.map_or_else(String::new, |calls| text("t", &calls)))
    }

    /// `cec_calls_total`.
    pub fn counted(&self) -> u64 {
        self.samples().sum("cec_calls_total", &[]) as u64
    }

    /// Calls in the lookback in this status.
    pub fn in_status(&self, status: &str) -> u64 {
        self.samples()
            .sum("cec_window_calls", &[("status", status)]) as u64
    }

    /// Calls in the lookback that are no longer listed.
    pub fn missing(&self) -> u64 {
        self.samples().sum("cec_window_missing_calls", &[]) as u64
    }

    /// Calls in the lookback that are listed.
    pub fn listed(&self) -> u64 {
        self.samples().sum("cec_window_calls", &[]) as u64
    }

    /// The sum of the exporter's own metrics whose names begin so, with this label value.
    pub fn own(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let mut sum = 0.0;
        own::each(&self.metrics, |found, labels, value| {
            let has_label = label.is_none_or(|label| labels.contains(&label));
            if found.starts_with(name) && has_label {
                sum += value;
            }
        });
        sum
    }
}

fn open(
    settings: &Settings,
    vendor: &Vendor,
    clock: &Clock,
    disk: &Disk,
    given: &Arc<Given>,
    metrics: &ExporterMetrics,
    share: Option<f64>,
) -> Puller<Vendor> {
    let (book, store) = TargetState::open(disk.backend()).unwrap_or_else(|error| panic!("{error}"));
    let store = Counting {
        store,
        given: Arc::clone(given),
    };
    let own = metrics.target("t", 0.0);
    let clock = Arc::clone(clock);
    let vendor = vendor.clone();
    let mut handover = Handover::opened(book, Arc::new(store));
    handover
        .state
        .count_results(share.map(|share| (share, 200)));
    Puller::new(settings.clone(), vendor, clock, own, handover, None)
}
