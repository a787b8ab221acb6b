//! One run: a world, an exporter, and events, all drawn from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cec_exporter::metrics::exporter::{Build, ExporterMetrics, InitialLabels};
use cec_exporter::model::{CallId, UnixSeconds};
use cec_exporter::puller::plan::Intervals;
use cec_exporter::puller::state::TargetState;
use cec_exporter::puller::{Clock, Handover, Puller, Settings};
use cec_exporter::simulator::Simulator;
use cec_exporter::simulator::faults::{Answer, CodeName, Fault, Faults};
use cec_exporter::simulator::paging::{Order, Paging, Unit};
use cec_exporter::simulator::spec::Spec;
use cec_exporter::store::{Backend, Changes, FileStore, Key, Store, StoreError};
use fastrand::Rng;
use tokio::time::Instant;

use super::extras::{Extras, ResultKey, is_of_group};
use super::quirks::Quirks;
use super::replay::{Series, counters, replay, series};
use super::vendor::{Log, Vendor};
use crate::support::disk::Disk;

pub(crate) const BASE: u32 = 1_700_000_000;

/// Tracks how many records of the log are committed to disk.
pub(crate) struct Tracked {
    store: FileStore,
    log: Log,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// A commit has succeeded.
    anything: bool,
    /// Records in the last successful commit.
    records: usize,
    /// Calls removed from the queue of results: their result is counted, or they are given up.
    finished: BTreeSet<Key>,
    /// Failed commits since then: each may have taken effect nevertheless.
    doubtful: Vec<(usize, Changes)>,
}

impl Kept {
    /// A commit has taken effect.
    fn took(&mut self, records: usize, changes: &Changes) {
        (self.anything, self.records) = (true, records);
        for (key, value) in &changes.queue {
            match value {
                Some(_) => self.finished.remove(key),
                None => self.finished.insert(*key),
            };
        }
    }
}

impl Store for Tracked {
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let records = self.log.lock().unwrap().len();
        let result = self.store.commit(changes);
        let mut kept = self.kept.lock().unwrap();
        match result {
            Ok(()) => {
                kept.took(records, changes);
                kept.doubtful.clear();
                // Depends only on the seed, so that a run can be repeated. Power may fail during
                // it.
                if records.is_multiple_of(8) {
                    self.store.compact_now();
                }
            }
            Err(_) => kept.doubtful.push((records, changes.clone())),
        }
        result
    }
}

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
    pub(crate) puller: Puller<Vendor, Tracked>,
    last: Series,
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

pub(crate) fn run(seed: u64) {
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
    fn new(seed: u64) -> Self {
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
        let metrics = ExporterMetrics::new(Build::default(), 0.0).unwrap();
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
            last,
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

    async fn live(mut self) {
        let steps_clock = self.rng.u8(..4) == 0;
        let mut full_for = 0;
        for _ in 0..self.rng.usize(10..40) {
            let what = self.rng.u8(..20);
            match what {
                0 | 1 => self.set_faults(true),
                2 | 3 => self.set_faults(false),
                4 => {
                    let out = Faults {
                        down: true,
                        ..Faults::default()
                    };
                    self.vendor.simulator.set_faults(out);
                    tokio::time::sleep(Duration::from_secs(self.rng.u64(..1500))).await;
                    self.set_faults(false);
                }
                5 => self.vendor.simulator.revoke_tokens(),
                6 => self.disk.set_full(true),
                7 => self.disk.set_full(false),
                8 => self.disk.crash_at_sync(self.rng.u64(1..6), self.rng.bool()),
                9 | 10 => self.crash_during_pull().await,
                11 => self.restart().await,
                12 if self.is_ahead => self.correct_clock(),
                12 if steps_clock && self.is_up_to_date() => {
                    let step = self.rng.i64(-900..900) + self.rng.i64(-3..4) * 600;
                    self.offset.store(step, Ordering::Relaxed);
                    self.uneven = true;
                    self.grown |= step < 0;
                }
                13 if steps_clock => self.correct_clock(),
                14 => *self.vendor.slowness_ms.lock().unwrap() = self.rng.u64(..3000),
                15 => *self.vendor.slowness_ms.lock().unwrap() = 0,
                16 => {
                    // The vendor refuses the next requests.
                    let mut faults = self.vendor.simulator.faults();
                    let next = self.rng.u32(1..20);
                    faults.details = vec![Fault::next(Answer::Http(400), next)];
                    self.vendor.simulator.set_faults(faults);
                }
                _ => {}
            }
            for _ in 0..self.rng.u8(1..6) {
                tokio::time::sleep(Duration::from_millis(self.rng.u64(..60_000))).await;
                let patience = Duration::from_millis(self.rng.u64(..10_000));
                self.scrape(patience).await;
            }
            if self.rng.u8(..6) == 0 {
                self.assert_not_ahead_of_log();
            }
            full_for = if self.disk.is_full() { full_for + 1 } else { 0 };
            if full_for > 2 {
                self.disk.set_full(false);
            }
        }
        // Takes many pulls, so not in every run.
        if !self.uneven && self.rng.u8(..4) == 0 {
            self.steady().await;
        }
        self.calm().await;
        self.compare();
    }

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

    fn set_faults(&mut self, with_errors: bool) {
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

    /// Scrapes and checks the result. Restarts after a power failure.
    pub(crate) async fn scrape(&mut self, patience: Duration) {
        if self.is_first && !self.kept.lock().unwrap().anything {
            // The first pull determines which calls are too old to be counted.
            self.first_lookback = self.intervals.lookback;
            self.start = (self.vendor.clock)() - self.intervals.lookback;
        }
        self.is_first = false;
        let view = self.puller.scrape(Instant::now() + patience).await;
        if self.disk.is_dead() {
            self.crash().await;
            return;
        }
        let Some(calls) = view.calls else {
            assert!(self.last.is_empty(), "exported metrics disappeared");
            return;
        };
        // Stays the same from the first export on, including restarts.
        assert!(calls.counted_from.is_some());
        let before = self.counted_from.replace(calls.counted_from);
        // Until something is counted, a clock step back moves it.
        self.start = self.start.min(calls.counted_from.unwrap_or(self.start));
        let nothing = total(&self.last, "cec_calls_total") == 0.0;
        assert!(before.is_none_or(|before| before == calls.counted_from || nothing));
        let text = crate::support::text::text("t", &calls);
        self.assert_not_above_truth(&series(&text));
        self.extras.assert_sums(&series(&text));
        self.assert_results_plausible(&text);
        let now = counters(&text);
        // A rule that is renamed continues under another name; sums over names are compared below.
        let lasting = self
            .last
            .iter()
            .filter(|(name, _)| !name.starts_with("cec_call_rules"));
        for (name, value) in lasting {
            let later = now.get(name).copied().unwrap_or_default();
            assert!(later >= *value, "{name} went from {value} to {later}");
        }
        let processed =
            total(&now, "cec_calls_processed_total") + total(&now, "cec_calls_expired_total");
        assert!(processed <= total(&now, "cec_calls_total"));
        let clock = (self.vendor.clock)();
        // Ignore a success with a clock that was ahead.
        let is_in = view
            .last_success
            .is_none_or(|at| (self.ahead_until..=clock).contains(&at));
        if is_in && !self.is_ahead {
            self.first_in.get_or_insert(clock);
        }
        self.last = now;
    }

    /// Crashes at some await of a pull.
    async fn crash_during_pull(&mut self) {
        if self.is_first {
            return;
        }
        let puller = self.puller.clone();
        let scrape = tokio::spawn(async move {
            puller
                .scrape(Instant::now() + Duration::from_secs(60))
                .await;
        });
        for _ in 0..self.rng.u8(..30) {
            tokio::task::yield_now().await;
        }
        if self.rng.bool() {
            tokio::time::sleep(Duration::from_millis(self.rng.u64(..5000))).await;
        }
        self.crash().await;
        scrape.abort();
    }

    pub(crate) async fn crash(&mut self) {
        self.puller.stop().await;
        self.disk.crash(&mut self.rng);
        self.reopen();
    }

    /// A clean restart, perhaps with another lookback.
    async fn restart(&mut self) {
        self.puller.stop().await;
        self.disk.set_full(false);
        if self.rng.u8(..4) == 0 && self.is_up_to_date() {
            self.uneven = true;
            let before = self.intervals.lookback;
            self.intervals.lookback = self.rng.u32(7200..5 * 3600);
            self.grown |= self.intervals.lookback > before;
            self.settings.intervals = self.intervals;
        }
        self.disk.crash(&mut self.rng);
        self.reopen();
    }

    /// No unread call could leave the lookback if the clock steps or the lookback shrinks: such a
    /// call would rightly never be counted.
    fn is_up_to_date(&self) -> bool {
        let view = self.puller.view();
        view.up == Some(true) && view.progress.complete && view.progress.gap.is_none()
    }

    /// Restarts from the disk; truncates the log to what was committed.
    fn reopen(&mut self) {
        let mut kept = self.kept.lock().unwrap();
        if !kept.doubtful.is_empty() {
            let disk = self.disk.clone();
            let medium = Backend::Other("disk".into(), Box::new(move || disk.open()));
            let (_, found) = FileStore::open(medium, |_, _| {}).unwrap();
            let doubtful = std::mem::take(&mut kept.doubtful);
            if let Some((records, changes)) = doubtful
                .into_iter()
                .rfind(|(_, changes)| found.as_ref() == Some(&changes.state))
            {
                kept.took(records, &changes);
            }
        }
        self.vendor.log.lock().unwrap().truncate(kept.records);
        drop(kept);
        self.is_first = true;
        self.puller = open(
            &self.settings,
            &self.vendor,
            &self.disk,
            &self.kept,
            &self.metrics,
            &self.extras,
        );
    }

    /// The calls whose result is counted or that are given up, as committed.
    pub(crate) fn finished_results(&self) -> BTreeSet<CallId> {
        let kept = self.kept.lock().unwrap();
        let id = |key: &Key| CallId(u128::from_be_bytes(*key.last_chunk().unwrap()));
        kept.finished.iter().map(id).collect()
    }

    /// Asserts that no exported counter exceeds what was served.
    fn assert_not_ahead_of_log(&self) {
        if self.uneven {
            return;
        }
        let log = self.vendor.log.lock().unwrap();
        let now = (self.vendor.clock)();
        let (most, _) = replay(
            &log,
            self.start,
            now.saturating_sub(self.intervals.lookback),
            &self.extras,
        );
        for (name, value) in self.last.iter().filter(|(name, _)| self.is_replayed(name)) {
            let most = most.get(name).copied().unwrap_or_default();
            assert!(
                *value <= most,
                "{name} is {value}, but at most {most} can be"
            );
        }
    }

    /// Ends all faults and stops the world until the whole lookback has been reconciled.
    async fn calm(&mut self) {
        self.end_faults();
        self.frozen
            .store(self.began.elapsed().as_secs(), Ordering::Relaxed);
        // A crash may be scheduled for the next sync.
        self.scrape(Duration::ZERO).await;
        self.crash().await;
        let mut left = 3 * u64::from(self.intervals.reconcile_interval) + 200;
        while left > 0 {
            let step = left.min(60);
            left -= step;
            tokio::time::sleep(Duration::from_secs(step)).await;
            self.puller
                .scrape(Instant::now() + Duration::from_secs(50))
                .await;
            // Reconciliation continues after the scrape.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        self.scrape(Duration::from_secs(50)).await;
    }
}

impl Run {
    /// Whether a counter depends only on the records, and on what is the same all the time.
    pub(crate) fn is_replayed(&self, name: &str) -> bool {
        is_replayed(name) && (self.extras.is_constant || !is_of_group(name))
    }
}

/// Whether a counter depends only on the records and not on when the list was read.
pub(crate) fn is_replayed(name: &str) -> bool {
    ![
        "cec_call_processing_seconds",
        "cec_call_listing_delay_seconds",
        "cec_calls_missing_total",
        "cec_calls_processing_unobserved_total",
        "cec_call_score",
        "cec_call_rules_total",
    ]
    .iter()
    .any(|own| name.starts_with(own))
}

pub(crate) fn total(series: &Series, name: &str) -> f64 {
    let of_name = |found: &str| {
        let rest = found.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
    };
    series
        .iter()
        .filter(|(found, _)| of_name(found))
        .map(|(_, value)| value)
        .sum()
}

fn open(
    settings: &Settings,
    vendor: &Vendor,
    disk: &Disk,
    kept: &Arc<Mutex<Kept>>,
    metrics: &ExporterMetrics,
    extras: &Extras,
) -> Puller<Vendor, Tracked> {
    let handle = disk.clone();
    let medium = Backend::Other("disk".into(), Box::new(move || handle.open()));
    let (book, store) = TargetState::open(medium).unwrap_or_else(|error| panic!("{error}"));
    let store = Tracked {
        store,
        log: Arc::clone(&vendor.log),
        kept: Arc::clone(kept),
    };
    let own = metrics.target("t", &InitialLabels::default(), 0.0);
    let clock = Arc::clone(&vendor.clock);
    let mut handover = Handover::opened(book, Arc::new(store));
    extras.enable(&mut handover);
    Puller::resume(settings.clone(), vendor.clone(), clock, own, handover)
}
