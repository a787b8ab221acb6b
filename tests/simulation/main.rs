//! A whole target in simulated time: ledger, planner, puller and store against the simulated
//! vendor, with faults of every kind, crashes at any await and any sync, late rows, clock steps and
//! full disks. Once the faults end, every metric must equal the ground truth; until then no counter
//! may decrease or exceed it. `optimized/` has these runs, because of how long they take.
//!
//! Runs thousands of seeds. A failure prints its seed; `SIMULATION_SEED=n cargo test --test
//! simulation` runs only that seed.

#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod ledger_properties;
mod oddities;
mod requests;
mod results;

/// Compiled with optimization, unlike the tests: thousands of exporters run here.
extern crate cec_exporter_optimized as cec_exporter;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use cec_exporter::world;

/// Seeds of a normal run.
const SEEDS: u64 = 2000;

#[test]
fn every_metric_equals_the_truth_once_faults_end() {
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

#[test]
fn the_optimized_part_has_the_dependencies_of_the_program() {
    let program = include_str!("../../Cargo.toml");
    let (_, optimized) = include_str!("optimized/Cargo.toml")
        .split_once("[dependencies]\n")
        .unwrap();
    for line in optimized.lines() {
        let line = line.replace(r#", "test-util""#, "");
        assert!(program.lines().any(|own| own == line), "{line}");
    }
}
