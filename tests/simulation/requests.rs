//! How many requests a pull costs the vendor.

use std::collections::BTreeSet;
use std::time::Duration;

use cec_exporter::model::{UnixSeconds, Window};
use cec_exporter::puller::plan::pages;
use cec_exporter::upstream::PageRequest;

use cec_exporter::bench::{Bench, SPANS, settings};
use cec_exporter::listed::{Call, List, even};

const PAGE_SIZE: u32 = 100;
const PULL_SECONDS: UnixSeconds = 15;

/// An exporter that has read 100,000 final calls of a day, of which `changes` are otherwise; and
/// how many requests that took.
async fn loaded(oldest_first: bool, changes: impl FnOnce(&mut Vec<Call>)) -> (Bench, usize) {
    loaded_in_pages(PAGE_SIZE, oldest_first, changes).await
}

async fn loaded_in_pages(
    page_size: u32,
    oldest_first: bool,
    changes: impl FnOnce(&mut Vec<Call>),
) -> (Bench, usize) {
    let mut calls = even(100_000, 86_400);
    changes(&mut calls);
    let list = List {
        calls,
        oldest_first,
        ..List::default()
    };
    let bench = Bench::new(settings(SPANS, page_size), list);
    let requests = bench.pull().await.len();
    let view = bench.view();
    assert!(
        view.snapshot.progress.complete && view.snapshot.remembered == 100_000,
        "{view:?}"
    );
    (bench, requests)
}

async fn wait() {
    tokio::time::sleep(Duration::from_secs(PULL_SECONDS.into())).await;
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_reads_each_page_about_once() {
    let (_, requests) = loaded(false, |_| {}).await;
    let least = 100_000 / PAGE_SIZE as usize;
    // A slice begins and ends within a page, and the first one finds out how dense the day is.
    assert!(requests <= least + least / 10, "{requests} requests");
}

#[tokio::test(start_paused = true)]
async fn a_steady_pull_costs_one_or_two_requests() {
    for (oldest_first, most) in [(false, 1), (true, 2)] {
        let (bench, _) = loaded(oldest_first, |_| {}).await;
        let mut sweeps = 0;
        for round in 0..50 {
            wait().await;
            add_new(&bench, round, 20);
            let requests = bench.pull().await;
            bench.assert_up();
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
        let view = bench.view();
        let calls = view.snapshot.calls.unwrap();
        let left = calls
            .tallies
            .window()
            .map(|(_, _, count)| count)
            .sum::<u64>();
        assert_eq!(left as usize, view.snapshot.remembered);
    }
}

/// Lists new calls, spread over the time since the last pull.
fn add_new(bench: &Bench, round: u32, calls: u32) {
    let now = bench.vendor.now();
    for number in 0..calls {
        let at = now - PULL_SECONDS + 1 + number * PULL_SECONDS / calls;
        let id = u128::from(round + 1) << 32 | u128::from(number);
        bench.add(Call::done(id, at.min(now)));
    }
}

/// Rows of the pages that were requested.
fn rows(bench: &Bench, requests: &[PageRequest]) -> usize {
    let row_count = |request: &PageRequest| {
        let Window { from, to } = request.window;
        let before = (request.page - 1) as usize * request.limit as usize;
        let listed = bench.vendor.with(|list| {
            let inside = |call: &&Call| (from..=to).contains(&call.at);
            list.calls.iter().filter(inside).count()
        });
        listed.saturating_sub(before).min(request.limit as usize)
    };
    requests.iter().map(row_count).sum()
}

#[tokio::test(start_paused = true)]
async fn a_steady_pull_reads_few_rows_however_large_the_pages_are() {
    for oldest_first in [false, true] {
        let (bench, _) = loaded_in_pages(1000, oldest_first, |_| {}).await;
        let mut counts = Vec::new();
        for round in 0..40 {
            wait().await;
            // Ten times as many at once need whole pages; from then on, as many are expected.
            let new = if round < 20 { 20 } else { 200 };
            add_new(&bench, round, new);
            let requests = bench.pull().await;
            bench.assert_up();
            counts.push(rows(&bench, &requests));
        }
        let total = bench.vendor.with(|list| list.calls.len());
        assert_eq!(bench.counted(), total as u64);
        // Sweeps are few.
        for (of, most) in [(1..20, 80), (22..40, 500)] {
            let mut counts = counts[of].to_vec();
            counts.sort_unstable();
            let median = counts[counts.len() / 2];
            assert!(median <= most, "oldest first: {oldest_first}: {counts:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_appears_late_is_found_at_the_next_pull() {
    for oldest_first in [false, true] {
        let (bench, _) = loaded(oldest_first, |_| {}).await;
        for late in [30, 300, 590] {
            wait().await;
            let at = bench.vendor.now() - late;
            let call = Call::done(1_000_000 + u128::from(late), at);
            bench.add(call);
            bench.pull().await;
        }
        let total = bench.vendor.with(|list| list.calls.len());
        assert_eq!(bench.counted(), total as u64);
    }
}

/// The requests that a planner would need that knows which calls have finished: windows around
/// exactly those, cut in the cheapest way, with the tail read besides.
fn lower_bound(calls: &[Call], finished: &BTreeSet<UnixSeconds>) -> u64 {
    let times: Vec<UnixSeconds> = finished.iter().copied().collect();
    let rows = |window: Window| {
        let from = calls.partition_point(|call| call.at < window.from);
        let to = calls.partition_point(|call| call.at <= window.to);
        (to - from) as u64
    };
    // The least for the first n times: try every beginning of the last window.
    let mut best = vec![0; times.len() + 1];
    for end in 1..=times.len() {
        best[end] = (0..end)
            .map(|start| {
                let window = Window::new(times[start], times[end - 1]);
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
        // Older than the tail, so that nothing but the planner looks for them, and not so old that
        // they leave the lookback.
        pending.insert(rng.usize(2000..98_000));
    }
    let (bench, _) = loaded(false, |calls| {
        for number in &pending {
            calls[*number].status = Call::new(0, 0, 3).status;
        }
    })
    .await;
    let (mut asked, mut needed, mut rounds) = (0, 0, 0);
    while !pending.is_empty() {
        wait().await;
        let finished: Vec<usize> = pending
            .iter()
            .copied()
            .filter(|_| rng.u8(..10) == 0)
            .collect();
        let mut times = BTreeSet::new();
        let bound = bench.vendor.with(|list| {
            for number in &finished {
                pending.remove(number);
                list.calls[*number].status = Call::done(0, 0).status;
                times.insert(list.calls[*number].at);
            }
            lower_bound(&list.calls, &times)
        });
        asked += bench.pull().await.len() as u64;
        needed += bound;
        rounds += 1;
        bench.assert_up();
        let left = bench.in_status("transcribing");
        assert_eq!(
            left,
            pending.len() as u64,
            "{pending:?} after {rounds} {:?}",
            bench.vendor.now()
        );
    }
    let beyond = (asked - needed) as f64 / f64::from(rounds);
    println!("{rounds} pulls, {asked} requests, {needed} needed: {beyond:.2} a pull beyond");
    assert!(
        beyond <= 3.0,
        "{beyond} requests a pull beyond the {needed} needed"
    );
}
