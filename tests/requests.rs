//! How many requests a pull costs the vendor.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

#[path = "support/text.rs"]
mod text;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cec_exporter::metrics::exporter::{Build, ExporterMetrics, KnownLabels};
use cec_exporter::model::{
    CallId, CallType, Manual, Measures, Record, Status, UnixSeconds, Window,
};
use cec_exporter::puller::book::Book;
use cec_exporter::puller::plan::{Spans, pages};
use cec_exporter::puller::{Clock, Puller, Settings};
use cec_exporter::store::Nowhere;
use cec_exporter::upstream::{Error, Filter, Page, PageRequest, Upstream};
use tokio::time::Instant;

const BASE: UnixSeconds = 1_700_000_000;
const PAGE_SIZE: u32 = 100;
const PULL_SECONDS: UnixSeconds = 15;

/// A list of calls, served as it is: by upload time, whole pages, an exact total.
#[derive(Default)]
struct List {
    /// Ascending by upload time.
    calls: Vec<(UnixSeconds, Status)>,
    oldest_first: bool,
    requests: Vec<PageRequest>,
}

#[derive(Clone, Default)]
struct Vendor(Arc<Mutex<List>>);

impl Vendor {
    fn with<T>(&self, work: impl FnOnce(&mut List) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }
}

impl Upstream for Vendor {
    async fn page(&self, request: PageRequest) -> Result<Page, Error> {
        Ok(self.with(|list| {
            list.requests.push(request);
            let wanted = |(_, (at, status)): &(usize, &(UnixSeconds, Status))| {
                request.window.contains(*at)
                    && (request.filter == Filter::All || !status.is_final())
            };
            let mut found: Vec<_> = list.calls.iter().enumerate().filter(wanted).collect();
            if !list.oldest_first {
                found.reverse();
            }
            let skipped = ((request.page - 1) * request.limit) as usize;
            let rows = found.iter().skip(skipped).take(request.limit as usize);
            let records = rows.map(|(number, (at, status))| Record {
                id: CallId(*number as u128),
                uploaded: *at,
                call_type: CallType::VOICE,
                status: *status,
                manual: Manual::default(),
                measures: Measures::default(),
            });
            let records = records.collect();
            Page {
                total: Some(found.len() as u64),
                records,
                ..Page::default()
            }
        }))
    }
}

struct Bench {
    vendor: Vendor,
    puller: Puller<Vendor, Nowhere>,
    began: Instant,
    /// Requests of the first pull.
    cold_requests: usize,
}

impl Bench {
    /// An exporter that has read 100,000 final calls of a day, of which `changes` are otherwise.
    async fn new(
        oldest_first: bool,
        changes: impl FnOnce(&mut Vec<(UnixSeconds, Status)>),
    ) -> Self {
        let vendor = Vendor::default();
        vendor.with(|list| {
            let at = |number: u32| BASE - 86_390 + (u64::from(number) * 86_390 / 100_000) as u32;
            list.calls = (0..100_000)
                .map(|number| (at(number), Status::SUCCEEDED))
                .collect();
            list.oldest_first = oldest_first;
            changes(&mut list.calls);
        });
        let began = Instant::now();
        let clock: Clock = Arc::new(move || BASE + began.elapsed().as_secs() as UnixSeconds);
        let settings = Settings {
            name: "t".into(),
            // Reconciling is on its own account: not in the time of these tests.
            spans: Spans {
                lookback: 86_400,
                overlap: 600,
                reconcile_interval: u32::MAX,
            },
            page_size: PAGE_SIZE,
            min_pull_interval: Duration::ZERO,
            parallel: 4,
            max_calls: 5_000_000,
        };
        let build = Build {
            version: "",
            revision: "",
            rustc: "",
        };
        let own =
            ExporterMetrics::new(build, 0.0)
                .unwrap()
                .target("t", &KnownLabels::default(), 0.0);
        let store = Arc::new(Nowhere);
        let puller = Puller::new(settings, vendor.clone(), clock, own, Book::default(), store);
        let mut bench = Self {
            vendor,
            puller,
            began,
            cold_requests: 0,
        };
        bench.cold_requests = bench.pull().await.len();
        let view = bench.puller.view();
        assert!(
            view.progress.complete && view.remembered == 100_000,
            "{view:?}"
        );
        bench
    }

    fn now(&self) -> UnixSeconds {
        BASE + self.began.elapsed().as_secs() as UnixSeconds
    }

    /// One pull; answers with the requests that it made.
    async fn pull(&self) -> Vec<PageRequest> {
        self.vendor.with(|list| list.requests.clear());
        let view = self
            .puller
            .scrape(Instant::now() + Duration::from_secs(600))
            .await;
        assert_eq!(view.up, Some(true), "{:?}", view.last_error);
        self.vendor.with(|list| std::mem::take(&mut list.requests))
    }
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_reads_each_page_about_once() {
    let bench = Bench::new(false, |_| {}).await;
    let least = 100_000 / PAGE_SIZE as usize;
    // A slice begins and ends within a page, and the first one finds out how dense the day is.
    assert!(
        bench.cold_requests <= least + least / 10,
        "{} requests",
        bench.cold_requests
    );
}

#[tokio::test(start_paused = true)]
async fn a_steady_pull_costs_one_or_two_requests() {
    for (oldest_first, most) in [(false, 1), (true, 2)] {
        let bench = Bench::new(oldest_first, |_| {}).await;
        let mut sweeps = 0;
        for round in 0..50 {
            tokio::time::advance(Duration::from_secs(PULL_SECONDS.into())).await;
            let now = bench.now();
            // 20 new calls a pull, spread over the time since the last one.
            bench.vendor.with(|list| {
                for number in 0..20 {
                    let at = now - PULL_SECONDS + 1 + number * PULL_SECONDS / 20;
                    list.calls.push((at.min(now), Status::SUCCEEDED));
                }
            });
            let requests = bench.pull().await;
            // The first pull learns in which order the list comes.
            // Every half overlap, the overlap is read to its end.
            if round > 0 && requests.len() > most {
                sweeps += 1;
                let rows = 100_000 * 900 / 86_400 + 20 * 300 / PULL_SECONDS;
                assert!(
                    requests.len() <= most + pages(rows.into(), PAGE_SIZE.into()) as usize,
                    "oldest first: {oldest_first}: {requests:#?}"
                );
            }
        }
        assert!(sweeps <= 50 * PULL_SECONDS / 300, "{sweeps} sweeps");
        assert_eq!(bench.vendor.with(|list| list.calls.len()), 101_000);
        let view = bench.puller.view();
        let calls = view.calls.unwrap();
        let left = calls
            .tallies
            .window()
            .map(|(_, _, count)| count)
            .sum::<u64>();
        assert_eq!(left as usize, view.remembered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_appears_late_is_found_at_the_next_pull() {
    for oldest_first in [false, true] {
        let bench = Bench::new(oldest_first, |_| {}).await;
        for late in [30, 300, 590] {
            tokio::time::advance(Duration::from_secs(PULL_SECONDS.into())).await;
            let at = bench.now() - late;
            bench.vendor.with(|list| {
                // At its place in the order, with an identity of its own at the end.
                list.calls.push((at, Status::SUCCEEDED));
            });
            bench.pull().await;
        }
        let total = bench.vendor.with(|list| list.calls.len());
        assert_eq!(counted(&bench), total);
    }
}

fn counted(bench: &Bench) -> usize {
    let calls = bench.puller.view().calls.unwrap();
    let text = text::text("t", &calls);
    let line = text
        .lines()
        .find(|line| line.starts_with("cec_calls_total{"))
        .unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The requests that a planner would need that knows which calls have finished: windows around
/// exactly those, cut in the cheapest way, with the tail read besides.
fn lower_bound(calls: &[(UnixSeconds, Status)], finished: &BTreeSet<UnixSeconds>) -> u64 {
    let times: Vec<UnixSeconds> = finished.iter().copied().collect();
    let rows = |window: Window| {
        let from = calls.partition_point(|(at, _)| *at < window.from);
        let to = calls.partition_point(|(at, _)| *at <= window.to);
        (to - from) as u64
    };
    // The least for the first n times: try every beginning of the last window.
    let mut best = vec![0; times.len() + 1];
    for end in 1..=times.len() {
        best[end] = (0..end)
            .map(|start| {
                let window = Window {
                    from: times[start],
                    to: times[end - 1],
                };
                best[start] + pages(rows(window), PAGE_SIZE.into())
            })
            .min()
            .unwrap();
    }
    1 + best[times.len()]
}

#[tokio::test(start_paused = true)]
async fn scattered_pending_calls_cost_little_more_than_knowing_which_have_finished() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut pending = BTreeSet::new();
    while pending.len() < 60 {
        // Older than the tail, so that nothing but the planner looks for them.
        pending.insert(rng.usize(..98_000));
    }
    let bench = Bench::new(false, |calls| {
        for number in &pending {
            calls[*number].1 = Status::from_number(3);
        }
    })
    .await;
    let (mut asked, mut needed, mut rounds) = (0, 0, 0);
    while !pending.is_empty() {
        tokio::time::advance(Duration::from_secs(PULL_SECONDS.into())).await;
        let finished: Vec<usize> = pending
            .iter()
            .copied()
            .filter(|_| rng.u8(..10) == 0)
            .collect();
        let mut times = BTreeSet::new();
        let bound = bench.vendor.with(|list| {
            for number in &finished {
                pending.remove(number);
                list.calls[*number].1 = Status::SUCCEEDED;
                times.insert(list.calls[*number].0);
            }
            lower_bound(&list.calls, &times)
        });
        asked += bench.pull().await.len() as u64;
        needed += bound;
        rounds += 1;
        let calls = bench.puller.view().calls.unwrap();
        let left: u64 = calls
            .tallies
            .window()
            .filter(|(_, place, _)| place.to_string() == "transcribing")
            .map(|(_, _, count)| count)
            .sum();
        assert_eq!(left, pending.len() as u64);
    }
    let beyond = (asked - needed) as f64 / f64::from(rounds);
    println!("{rounds} pulls, {asked} requests, {needed} needed: {beyond:.2} a pull beyond");
    assert!(
        beyond <= 3.0,
        "{beyond} requests a pull beyond the {needed} needed"
    );
}
