//! The handover of one puller to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::metrics::exporter::{Build, ExporterMetrics};
use crate::model::{CallId, Inspection, Record};
use crate::puller::plan::Intervals;
use crate::store::NullStore;
use crate::upstream::{Error, ErrorKind, Page, PageRequest};

/// Answers 429 with `Retry-After: 300`, and counts the requests.
struct RateLimited(Arc<AtomicU32>);

impl Upstream for RateLimited {
    async fn page(&self, _: PageRequest) -> Result<Page, Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(Error {
            kind: ErrorKind::RateLimit,
            message: "answered 429".into(),
            likely_cause: None,
            retry_after: Some(Duration::from_secs(300)),
        })
    }

    async fn inspection(&self, _: &str) -> Result<Inspection, Error> {
        Ok(Inspection::default())
    }
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

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_retry_after_of_the_vendor() {
    let (settings, metrics) = (settings(), metrics());
    let clock: Clock = Arc::new(|| 1_700_000_000);
    let requests = Arc::new(AtomicU32::new(0));
    let timeout = Duration::from_secs(10);
    let before = Puller::new(
        settings.clone(),
        RateLimited(Arc::clone(&requests)),
        Arc::clone(&clock),
        metrics.clone(),
        TargetState::default(),
        Arc::new(NullStore),
    );
    before.scrape(Instant::now() + timeout).await;
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    let handover = before.close().await;
    let after = Puller::resume(
        settings,
        RateLimited(Arc::clone(&requests)),
        clock,
        metrics,
        handover,
    );
    after.scrape(Instant::now() + timeout).await;
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
        let state = TargetState::default();
        let puller = Puller::new(
            settings,
            vendor,
            clock,
            metrics(),
            state,
            Arc::new(NullStore),
        );
        let view = puller
            .scrape(Instant::now() + Duration::from_secs(100))
            .await;
        assert_eq!(view.remembered, calls as usize);
        assert_eq!(most.load(Ordering::SeqCst), expected, "{calls} calls");
    }
}
