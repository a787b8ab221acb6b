//! The whole loop of a target in imaginary time: ledger, planner, puller and store against the
//! simulated vendor, with faults of every kind, crashes at any wait and any sync, late rows, clocks
//! that step, disks that fill up. After calm every figure must be the truth, and at no moment
//! before may a counter have gone down or been ahead of it.
//!
//! Thousands of seeds run each time. A failure names its seed; `SIMULATION_SEED=n cargo test --test
//! simulation` runs that one alone.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod disk;
mod odd;
mod replay;
mod steady;
#[path = "../support/text.rs"]
mod text;
mod truth;
mod vendor;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many seeds a normal run has.
const SEEDS: u64 = 2000;

#[test]
fn after_calm_every_figure_is_the_truth() {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        world::run(seed.parse().expect("SIMULATION_SEED is a number"));
        return;
    }
    let seeds: u64 = std::env::var("SIMULATION_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let failed: Vec<u64> = std::thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds || failed.len() >= 3 {
                    return failed;
                }
                if catch_unwind(AssertUnwindSafe(|| world::run(seed))).is_err() {
                    eprintln!("failed: SIMULATION_SEED={seed} cargo test --test simulation");
                    failed.push(seed);
                }
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(
        failed.is_empty(),
        "failed with SIMULATION_SEED = {failed:?}"
    );
}
