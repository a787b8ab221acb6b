//! The handover of one puller to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::metrics::exporter::{Build, ExporterMetrics};
use crate::model::{CallId, Inspection, Record};
use crate::puller::plan::Intervals;
use crate::store::NullStore;
use crate::upstream::{Error, ErrorKind, Page, PageRequest};

/// Answers each request for a page by a function.
pub(super) struct Scripted<F>(pub(super) F);

impl<F> Upstream for Scripted<F>
where
    F: Fn(PageRequest) -> Result<Page, Error> + Send + Sync + 'static,
{
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        (self.0)(request)
    }

    async fn inspection(&self, _: &str) -> Result<Inspection, Error> {
        Ok(Inspection::default())
    }
}

/// Answers 429 with `Retry-After: 300`, and counts the requests.
fn rate_limited(requests: Arc<AtomicU32>) -> impl Upstream {
    Scripted(move |_| {
        requests.fetch_add(1, Ordering::SeqCst);
        Err(Error {
            kind: ErrorKind::RateLimit,
            message: "answered 429".into(),
            likely_cause: None,
            retry_after: Some(Duration::from_secs(300)),
        })
    })
}

pub(super) fn settings() -> Settings {
    Settings {
        name: "t".into(),
        intervals: Intervals {
            lookback: 3600,
            overlap: 600,
            reconcile_interval: 600,
        },
        page_size: 100,
        min_pull_interval: Duration::ZERO,
        parallel: 1,
        max_calls: 1000,
    }
}

pub(super) fn metrics() -> TargetMetrics {
    let exporter = ExporterMetrics::new(Build::default(), 0.0);
    exporter.target("t", 0.0)
}

/// Nothing is known yet, and nothing is stored.
fn fresh() -> Handover {
    Handover::opened(TargetState::default(), Arc::new(NullStore))
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_retry_after_of_the_vendor() {
    let (settings, metrics) = (settings(), metrics());
    let clock: Clock = Arc::new(|| 1_700_000_000);
    let requests = Arc::new(AtomicU32::new(0));
    let timeout = Duration::from_secs(10);
    let before = Puller::new(
        settings.clone(),
        rate_limited(Arc::clone(&requests)),
        Arc::clone(&clock),
        metrics.clone(),
        fresh(),
        None,
    );
    before.scrape(Instant::now() + timeout).await;
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    let handover = before.close().await;
    let after = Puller::new(
        settings,
        rate_limited(Arc::clone(&requests)),
        clock,
        metrics,
        handover,
        None,
    );
    let view = after.scrape(Instant::now() + timeout).await;
    // How the last pull went, until the next one.
    let (_, error) = view.last_error.unwrap();
    assert_eq!((view.up, error.kind), (Some(false), ErrorKind::RateLimit));
    assert!(view.last_pull.is_some());
    tokio::time::advance(Duration::from_secs(290)).await;
    after.scrape(Instant::now() + timeout).await;
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    tokio::time::advance(Duration::from_secs(20)).await;
    after.scrape(Instant::now() + timeout).await;
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

/// Lists so many calls, the oldest first, and takes a second for each page.
struct Slow {
    calls: u32,
    in_flight: AtomicU32,
    most: Arc<AtomicU32>,
}

impl Upstream for Slow {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(in_flight, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let listed: Vec<Record> = (0..self.calls)
            .map(|call| Record::succeeded(CallId(call.into()), 1_699_996_500 + call))
            .filter(|record| request.window.contains(record.uploaded))
            .collect();
        let mut pages = listed.chunks(request.limit as usize);
        let records = pages.nth(request.page as usize - 1);
        Ok(Page {
            total: Some(listed.len() as u64),
            groups: records.map_or(0, <[_]>::len) as u32,
            records: records.unwrap_or_default().to_vec(),
            ..Page::default()
        })
    }

    async fn inspection(&self, _: &str) -> Result<Inspection, Error> {
        Ok(Inspection::default())
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_long_gap_is_read_ahead() {
    for (calls, expected) in [(1600, 1), (1700, 4)] {
        let most = Arc::default();
        let vendor = Slow {
            calls,
            in_flight: AtomicU32::new(0),
            most: Arc::clone(&most),
        };
        let settings = Settings {
            parallel: 4,
            max_calls: 10_000,
            ..settings()
        };
        let clock: Clock = Arc::new(|| 1_700_000_000);
        let puller = Puller::new(settings, vendor, clock, metrics(), fresh(), None);
        let view = puller
            .scrape(Instant::now() + Duration::from_secs(100))
            .await;
        assert_eq!(view.snapshot.remembered, calls as usize);
        assert_eq!(most.load(Ordering::SeqCst), expected, "{calls} calls");
    }
}

/// Lists the calls of a first pull on two pages, with a repeated call or a total that is off.
fn doubtful(is_repeated: bool, excess: u64) -> impl Upstream {
    Scripted(move |request: PageRequest| {
        let last = if is_repeated { 149 } else { 150 };
        let calls = (0..150).chain([last]).collect::<Vec<u32>>();
        let records = calls
            .iter()
            .map(|call| Record::succeeded(CallId((*call).into()), 1_699_999_000));
        let before = (request.page - 1) * request.limit;
        let records: Vec<_> = records
            .skip(before as usize)
            .take(request.limit as usize)
            .collect();
        Ok(Page {
            total: Some(calls.len() as u64 + excess),
            groups: records.len() as u32,
            records,
            ..Page::default()
        })
    })
}

#[tokio::test(start_paused = true)]
async fn the_log_says_why_a_list_was_doubted() {
    let repeated = "calls are listed more than once, or the total changed";
    for (is_repeated, excess, finding) in [
        (true, 0, repeated),
        (false, 7, "the vendor's total is off by 7"),
        (true, 7, "the vendor's total is off by 7"),
    ] {
        let (vendor, clock) = (doubtful(is_repeated, excess), Arc::new(|| 1_700_000_000));
        let puller = Puller::new(settings(), vendor, clock, metrics(), fresh(), None);
        puller
            .scrape(Instant::now() + Duration::from_secs(10))
            .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let hints = puller.inner.hints.lock();
        assert_eq!(hints.as_ref().unwrap().warned, finding);
    }
}
