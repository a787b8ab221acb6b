//! Reads the calls of one day.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::daily_window::DailyWindow;
use crate::metrics::exporter::{Build, ExporterMetrics, TargetMetrics};
use crate::model::{CallId, Inspection, Record, Window};
use crate::puller::plan::Intervals;
use crate::puller::state::TargetState;
use crate::puller::{Handover, Puller, Settings};
use crate::store::NullStore;
use crate::upstream::{Error, Page, PageRequest, Upstream};

/// Pulls of one day that may fail in a row. With the puller's backoff that is about ten minutes.
const MAX_FAILURES: usize = 20;
/// Time between two looks at a pull.
const POLL: Duration = Duration::from_millis(200);
/// How often a day is read if windows of it cannot be read.
const MAX_READINGS: usize = 3;

/// The calls of a day in the order of their upload, and the number of windows that could not be
/// read. The error is a line for people.
pub(super) async fn day<U: Upstream>(
    settings: &Settings,
    upstream: Arc<U>,
    between: Option<DailyWindow>,
    day: Window,
) -> Result<(Vec<Record>, usize), String> {
    let records = Arc::new(Mutex::new(HashMap::new()));
    let mut skipped = 0;
    for _ in 0..MAX_READINGS {
        let recording = RecordingUpstream {
            upstream: Arc::clone(&upstream),
            between,
            records: Arc::clone(&records),
        };
        skipped = read(settings, recording, day).await?;
        if skipped == 0 {
            break;
        }
    }
    let mut records: Vec<Record> = records.lock().drain().map(|(_, record)| record).collect();
    records.retain(|record| day.contains(record.uploaded));
    records.sort_unstable_by_key(|record| (record.uploaded, record.id));
    Ok((records, skipped))
}

/// Reads a day once. Returns the number of windows that could not be read.
async fn read<U: Upstream>(
    settings: &Settings,
    upstream: RecordingUpstream<U>,
    day: Window,
) -> Result<usize, String> {
    // The puller's clock stands at the end of the day, and its lookback is the day.
    let settings = Settings {
        intervals: Intervals {
            lookback: day.to - day.from,
            ..settings.intervals
        },
        min_pull_interval: Duration::ZERO,
        ..settings.clone()
    };
    let puller = Puller::new(
        settings,
        upstream,
        Arc::new(move || day.to),
        scratch_metrics(),
        Handover::opened(TargetState::default(), Arc::new(NullStore)),
        None,
    );
    let mut failures = 0;
    let mut last_pull = None;
    loop {
        let deadline = Instant::now() + Duration::from_secs(3600);
        let view = puller.scrape(deadline).await;
        if view.snapshot.calls.is_some() {
            puller.stop().await;
            return Ok(view.snapshot.skipped.len());
        }
        // Until the backoff has passed, a scrape returns the view of the last pull.
        let is_new = view.last_pull != last_pull;
        last_pull = view.last_pull;
        if let (true, Some(false), Some((_, failure))) = (is_new, view.up, &view.last_error) {
            failures += 1;
            if failures >= MAX_FAILURES || failure.kind.is_permanent() {
                return Err(failure.to_string());
            }
        }
        sleep(POLL).await;
    }
}

/// Passes pages on and keeps their records.
struct RecordingUpstream<U> {
    upstream: Arc<U>,
    between: Option<DailyWindow>,
    records: Arc<Mutex<HashMap<CallId, Record>>>,
}

impl<U: Upstream> Upstream for RecordingUpstream<U> {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        if let Some(window) = self.between {
            window.wait().await;
        }
        let page = self.upstream.page(request).await?;
        let mut records = self.records.lock();
        // As the ledger does.
        for (uuid, call_id) in &page.renamed {
            let is_same = |record: &Record| !record.has_uuid;
            if !records.contains_key(uuid) && records.get(call_id).is_some_and(is_same) {
                records.remove(call_id);
            }
        }
        records.extend(
            page.records
                .iter()
                .map(|record| (record.id, record.clone())),
        );
        drop(records);
        Ok(page)
    }

    async fn inspection(&self, call_uuid: &str) -> Result<Inspection, Error> {
        self.upstream.inspection(call_uuid).await
    }
}

/// The puller counts into metrics that nobody scrapes.
fn scratch_metrics() -> TargetMetrics {
    let exporter = ExporterMetrics::new(Build::default(), 0.0);
    exporter.target("", 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists a call per second. The bounds of a window are exclusive.
    struct Exclusive;

    impl Upstream for Exclusive {
        async fn page(&self, request: PageRequest) -> Result<Page, Error> {
            let times = request.window.from + 1..request.window.to;
            let total = Some(times.len() as u64);
            let (limit, page) = (request.limit as usize, request.page as usize);
            let times = times.skip(limit * (page - 1)).take(limit);
            let records: Vec<_> = times
                .map(|at| Record::succeeded(CallId(at.into()), at))
                .collect();
            Ok(Page {
                total,
                groups: records.len() as u32,
                records,
                ..Page::default()
            })
        }

        async fn inspection(&self, _: &str) -> Result<Inspection, Error> {
            Ok(Inspection::default())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_has_the_calls_of_its_first_and_its_last_second() {
        let settings = Settings {
            name: "a".into(),
            intervals: Intervals {
                lookback: 86_400,
                overlap: 600,
                reconcile_interval: 3600,
            },
            page_size: 100,
            min_pull_interval: Duration::ZERO,
            parallel: 1,
            max_calls: 10_000,
        };
        let window = Window::new(1_700_000_000, 1_700_000_299);
        let (records, skipped) = day(&settings, Arc::new(Exclusive), None, window)
            .await
            .unwrap();
        let times: Vec<_> = records.iter().map(|record| record.uploaded).collect();
        assert_eq!(times, Vec::from_iter(window.from..=window.to));
        assert_eq!(skipped, 0);
    }
}
