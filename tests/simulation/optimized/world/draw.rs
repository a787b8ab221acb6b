//! Draws a run from its seed: vendor, exporter and clocks, and the faults of a phase.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cec_exporter::metrics::exporter::{Build, ExporterMetrics};
use cec_exporter::model::UnixSeconds;
use cec_exporter::puller::plan::Intervals;
use cec_exporter::puller::{Clock, Settings};
use cec_exporter::simulator::Simulator;
use cec_exporter::simulator::faults::{Answer, CodeName, Fault, Faults};
use cec_exporter::simulator::paging::{Order, Paging, Unit};
use cec_exporter::simulator::spec::Spec;
use fastrand::Rng;
use tokio::time::Instant;

use super::storage::open;
use super::{BASE, Run};
use crate::extras::Extras;
use crate::quirks::Quirks;
use crate::replay::Series;
use crate::support::disk::Disk;
use crate::vendor::{Log, Vendor};

impl Run {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Longer than any outage: calls that leave the lookback during an outage are rightly not
        // counted.
        let lookback = rng.u32(7200..5 * 3600);
        let intervals = Intervals {
            lookback,
            overlap: [0, 30, 300, 600][rng.usize(..4)],
            reconcile_interval: rng.u32(300..1200),
        };
        let settings = Settings {
            name: "t".into(),
            intervals,
            page_size: rng.u32(10..60),
            min_pull_interval: Duration::from_secs([0, 5, 15][rng.usize(..3)]),
            parallel: rng.usize(1..4),
            max_calls: 5_000_000,
        };
        let again = rng.bool();
        let spec = Spec {
            seed,
            start: BASE - lookback - lookback / 4,
            calls_per_day: 86_400.0 / f64::from(lookback) * rng.f64() * 300.0,
            flat: rng.bool(),
            pipeline_speed: [0.5, 1.0, 4.0, 20.0][rng.usize(..4)],
            late_share: [0.0, 0.1][rng.usize(..2)],
            // Possibly later than the overlap: reconciliation finds them.
            late_max_seconds: rng.u32(1..1200),
            deleted_share: [0.0, 0.0, 0.0, 0.05][rng.usize(..4)],
            deleted_after_seconds: lookback,
            reinspected_share: if again { 0.3 } else { 0.0 },
            failures: vec![(9, 0.05), (32, 0.1), (40, 0.05)],
            inspect_share: 0.2,
            // Each agent adds series to each scrape.
            agents: 5,
            ..Spec::default()
        };
        let quirks = Quirks::draw(&mut rng, lookback);
        let began = Instant::now();
        // A day and an hour, a year, or a time zone (a hardware clock in local time).
        let ahead = match rng.u8(..12) {
            0 => [25 * 3600, 365 * 86_400, 8 * 3600][rng.usize(..3)],
            _ => 0,
        };
        let offset = Arc::new(AtomicI64::new(ahead));
        let frozen = Arc::new(AtomicU64::new(u64::MAX));
        let clock: Clock = {
            let offset = Arc::clone(&offset);
            Arc::new(move || {
                let now = i64::from(BASE) + began.elapsed().as_secs() as i64;
                (now + offset.load(Ordering::Relaxed)) as UnixSeconds
            })
        };
        let simulator = {
            let frozen = Arc::clone(&frozen);
            let clock = move || {
                let elapsed = began
                    .elapsed()
                    .as_secs()
                    .min(frozen.load(Ordering::Relaxed));
                f64::from(BASE) + elapsed as f64
            };
            Arc::new(Simulator::new(spec, Arc::new(clock)))
        };
        let vendor = Vendor {
            simulator,
            clock,
            log: Log::default(),
            rng: Arc::new(Mutex::new(rng.fork())),
            slowness_ms: Arc::default(),
            token: Arc::default(),
            rows: quirks.rows.clone(),
            identities: Arc::default(),
            answered: Arc::default(),
        };
        let disk = Disk::default();
        let kept = Arc::default();
        let metrics = ExporterMetrics::new(Build::default(), 0.0);
        let extras = Extras::draw(seed, &vendor);
        let puller = open(&settings, &vendor, &disk, &kept, &metrics, &extras);
        let (start, first_lookback) = (BASE - lookback, lookback);
        let (last, counted_from) = (Series::new(), None);
        let is_ahead = ahead > 0;
        // When a call with a changed upload time leaves the lookback is not determined.
        let uneven = is_ahead || quirks.moves();
        let mut run = Self {
            rng,
            intervals,
            settings,
            quirks,
            extras,
            vendor,
            disk,
            kept,
            metrics,
            offset,
            frozen,
            began,
            puller,
            last_calls: None,
            last,
            last_missing: 0.0,
            last_results: BTreeMap::new(),
            counted_from,
            start,
            first_lookback,
            is_ahead,
            ahead_until: 0,
            is_first: true,
            first_in: None,
            uneven,
            grown: is_ahead,
        };
        run.set_faults(false);
        run
    }

    pub(super) fn set_faults(&mut self, with_errors: bool) {
        let rng = &mut self.rng;
        let mut faults = Faults {
            paging: Paging {
                clamp_above: [None, Some(7), Some(20)][rng.usize(..3)],
                refuse_above: [None, Some(25)][rng.usize(..2)],
                refuse_as_500: rng.u8(..4) == 0,
                limit_counts: [Unit::Calls, Unit::Groups][rng.usize(..2)],
                order: [Order::NewestFirst, Order::OldestFirst][rng.usize(..2)],
                end_excluded: rng.bool(),
                empty_as_null: rng.bool(),
                ..Paging::default()
            },
            ..Faults::default()
        };
        faults.wire.numbers_as_strings = rng.bool();
        faults.wire.malformed_share = [0.0, 0.02][rng.usize(..2)];
        self.quirks.apply(&mut faults);
        if with_errors {
            let answers = [
                Answer::Http(400),
                Answer::Http(403),
                Answer::Http(429),
                Answer::Http(500),
                Answer::Http(503),
                Answer::Envelope,
                Answer::EnvelopeAs(CodeName::ALL[rng.usize(..CodeName::ALL.len())]),
                Answer::EmptyEnvelope(CodeName::ALL[rng.usize(..CodeName::ALL.len())]),
                Answer::BareEmpty,
                Answer::NullData,
                Answer::NoData,
                Answer::CutBody,
                Answer::Reset,
            ];
            for _ in 0..rng.u8(1..4) {
                let answer = answers[rng.usize(..answers.len())];
                let mut fault = Fault::share(answer, rng.f64() * 0.3);
                fault.retry_after_seconds = [None, Some(3), Some(90)][rng.usize(..3)];
                faults.details.push(fault);
            }
        }
        self.vendor.simulator.set_faults(faults);
    }
}
