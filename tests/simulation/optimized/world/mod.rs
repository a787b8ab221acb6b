//! One run: a world, an exporter, and events, all drawn from one seed.

mod draw;
mod events;
mod scrape;
mod storage;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cec_exporter::metrics::exporter::ExporterMetrics;
use cec_exporter::metrics::exposition::CallMetrics;
use cec_exporter::model::UnixSeconds;
use cec_exporter::puller::plan::Intervals;
use cec_exporter::puller::{Puller, Settings};
use fastrand::Rng;
use tokio::time::Instant;

pub(crate) use self::scrape::{starting_with, total};
use self::storage::Kept;
use super::extras::{Extras, ResultKey};
use super::quirks::Quirks;
use super::replay::Series;
use super::vendor::Vendor;
use crate::support::disk::Disk;

pub(crate) const BASE: u32 = 1_700_000_000;

pub(crate) struct Run {
    rng: Rng,
    pub(crate) intervals: Intervals,
    settings: Settings,
    /// Permanent quirks of the vendor.
    pub(crate) quirks: Quirks,
    /// Groups and results.
    pub(crate) extras: Extras,
    pub(crate) vendor: Vendor,
    pub(crate) disk: Disk,
    kept: Arc<Mutex<Kept>>,
    pub(crate) metrics: ExporterMetrics,
    /// Error of the exporter's clock in seconds.
    offset: Arc<AtomicI64>,
    /// When the world stops changing, seconds since the base.
    frozen: Arc<AtomicU64>,
    began: Instant,
    pub(crate) puller: Arc<Puller<Vendor>>,
    /// What the last scrape has shown: its metrics, counters, and calls that are missing.
    last_calls: Option<Arc<CallMetrics>>,
    last: Series,
    last_missing: f64,
    pub(crate) last_results: BTreeMap<ResultKey, u64>,
    counted_from: Option<Option<u32>>,
    /// Calls uploaded before this need not be counted.
    pub(crate) start: UnixSeconds,
    pub(crate) first_lookback: UnixSeconds,
    /// The clock was ahead by more than a lookback at the first start.
    is_ahead: bool,
    /// Until when it was ahead.
    pub(crate) ahead_until: UnixSeconds,
    /// No scrape yet since the exporter started.
    is_first: bool,
    /// When call metrics were first exported.
    pub(crate) first_in: Option<UnixSeconds>,
    /// The clock has stepped or the lookback changed, so that calls left early or returned.
    pub(crate) uneven: bool,
    /// The lookback has grown or the clock stepped back: it contains older calls than before.
    pub(crate) grown: bool,
}

/// Runs a seed; panics if anything is not as it must be.
pub fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let run = Run::new(seed);
        // Printed with a failure, and by a run of a single seed.
        println!("{seed}: {:?}", run.quirks);
        run.live().await;
    });
}

impl Run {
    /// Corrects the exporter's clock.
    pub(crate) fn correct_clock(&mut self) {
        self.offset.store(0, Ordering::Relaxed);
        if std::mem::take(&mut self.is_ahead) {
            // Nothing has been counted yet, so the exporter starts over.
            self.ahead_until = (self.vendor.clock)();
            self.start = self.ahead_until - self.intervals.lookback;
            self.first_lookback = self.intervals.lookback;
            self.counted_from = None;
            self.first_in = None;
        }
    }

    /// The time of the world.
    pub(crate) fn vendor_now(&self) -> UnixSeconds {
        self.vendor.simulator.now() as UnixSeconds
    }
}
