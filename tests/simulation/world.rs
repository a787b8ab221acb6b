//! One run: a world, an exporter, and what befalls them, all drawn from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cec_exporter::metrics::exporter::{Build, ExporterMetrics, KnownLabels};
use cec_exporter::model::{CallId, CallType, Status, UnixSeconds, Window};
use cec_exporter::puller::book::Book;
use cec_exporter::puller::plan::Spans;
use cec_exporter::puller::{Clock, Puller, Settings};
use cec_exporter::simulator::Simulator;
use cec_exporter::simulator::call::Call;
use cec_exporter::simulator::faults::{Answer, Faults, Trouble};
use cec_exporter::simulator::listing::{Order, Paging, Unit};
use cec_exporter::simulator::spec::Spec;
use cec_exporter::store::{Changes, FileStore, Medium, Store, StoreError};
use fastrand::Rng;
use tokio::time::Instant;

use super::disk::Disk;
use super::replay::{Series, counters, replay, series};
use super::vendor::{Log, Vendor};

const BASE: u32 = 1_700_000_000;

/// Notes how much of the log is behind what the disk holds.
struct Tracked {
    store: FileStore,
    log: Log,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// A commit has worked.
    anything: bool,
    /// Records behind the last commit that worked.
    records: usize,
    /// Commits since then that failed: each may have worked all the same.
    doubtful: Vec<(usize, Vec<u8>)>,
}

impl Store for Tracked {
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let records = self.log.lock().unwrap().len();
        let result = self.store.commit(changes);
        let mut kept = self.kept.lock().unwrap();
        match result {
            Ok(()) => {
                *kept = Kept {
                    anything: true,
                    records,
                    doubtful: Vec::new(),
                }
            }
            Err(_) => kept.doubtful.push((records, changes.state.clone())),
        }
        result
    }
}

struct Run {
    rng: Rng,
    spans: Spans,
    settings: Settings,
    vendor: Vendor,
    disk: Disk,
    kept: Arc<Mutex<Kept>>,
    metrics: ExporterMetrics,
    /// Seconds by which the exporter's clock is off.
    offset: Arc<AtomicI64>,
    /// When the world stands still, seconds since the base.
    frozen: Arc<AtomicU64>,
    began: Instant,
    puller: Puller<Vendor, Tracked>,
    last: Series,
    counted_from: Option<Option<u32>>,
    start: UnixSeconds,
    first_lookback: UnixSeconds,
    /// Nobody has scraped since the exporter started.
    is_first: bool,
    /// When call metrics were first there.
    first_in: Option<UnixSeconds>,
    /// The clock has stepped or the lookback changed, so that calls left early or came again.
    uneven: bool,
    /// The lookback has grown, or the clock gone back: older calls than ever are in it.
    grown: bool,
}

pub(crate) fn run(seed: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async { Run::new(seed).live().await });
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Longer than all that keeps calls from being read at a time: what an outage longer than
        // the lookback swallows is not counted, and not by mistake.
        let lookback = rng.u32(7200..5 * 3600);
        let spans = Spans {
            lookback,
            overlap: [0, 30, 300, 600][rng.usize(..4)],
            reconcile_interval: rng.u32(300..1200),
        };
        let settings = Settings {
            name: "t".into(),
            spans,
            page_size: rng.u32(10..60),
            min_pull_interval: Duration::from_secs([0, 5, 15][rng.usize(..3)]),
            parallel: rng.usize(1..4),
        };
        let again = rng.bool();
        let spec = Spec {
            seed,
            start: BASE - lookback - lookback / 4,
            calls_per_day: 86_400.0 / f64::from(lookback) * rng.f64() * 300.0,
            flat: rng.bool(),
            pipeline_speed: [0.5, 1.0, 4.0, 20.0][rng.usize(..4)],
            late_share: [0.0, 0.1][rng.usize(..2)],
            // Later than the overlap too: the comparison of the lookback finds them.
            late_max_seconds: rng.u32(1..1200),
            deleted_share: [0.0, 0.0, 0.0, 0.05][rng.usize(..4)],
            deleted_after_seconds: lookback,
            reinspected_share: if again { 0.3 } else { 0.0 },
            failures: vec![(9, 0.05), (32, 0.1), (40, 0.05)],
            inspect_share: 0.2,
            ..Spec::default()
        };
        let began = Instant::now();
        let offset = Arc::new(AtomicI64::new(0));
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
        };
        let disk = Disk::default();
        let kept = Arc::default();
        let build = Build {
            version: "",
            revision: "",
            rustc: "",
        };
        let metrics = ExporterMetrics::new(build, 0.0).unwrap();
        let puller = open(&settings, &vendor, &disk, &kept, &metrics);
        let (start, first_lookback) = (BASE - lookback, lookback);
        let (last, uneven, counted_from) = (Series::new(), false, None);
        let mut run = Self {
            rng,
            spans,
            settings,
            vendor,
            disk,
            kept,
            metrics,
            offset,
            frozen,
            began,
            puller,
            last,
            counted_from,
            start,
            first_lookback,
            is_first: true,
            first_in: None,
            uneven,
            grown: false,
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
                9 | 10 => self.pull_the_plug().await,
                11 => self.restart().await,
                12 if steps_clock && self.is_up_to_date() => {
                    let step = self.rng.i64(-900..900) + self.rng.i64(-3..4) * 600;
                    self.offset.store(step, Ordering::Relaxed);
                    self.uneven = true;
                    self.grown |= step < 0;
                }
                13 if steps_clock => self.offset.store(0, Ordering::Relaxed),
                14 => *self.vendor.slowness_ms.lock().unwrap() = self.rng.u64(..3000),
                15 => *self.vendor.slowness_ms.lock().unwrap() = 0,
                _ => {}
            }
            for _ in 0..self.rng.u8(1..6) {
                tokio::time::sleep(Duration::from_millis(self.rng.u64(..60_000))).await;
                let patience = Duration::from_millis(self.rng.u64(..10_000));
                self.scrape(patience).await;
            }
            if self.rng.u8(..6) == 0 {
                self.never_ahead();
            }
            full_for = if self.disk.is_full() { full_for + 1 } else { 0 };
            if full_for > 2 {
                self.disk.set_full(false);
            }
        }
        self.calm().await;
        self.compare();
    }

    fn set_faults(&mut self, troubled: bool) {
        let rng = &mut self.rng;
        let mut faults = Faults {
            paging: Paging {
                clamp_above: [None, Some(7), Some(20)][rng.usize(..3)],
                refuse_above: [None, Some(25)][rng.usize(..2)],
                limit_counts: [Unit::Calls, Unit::Groups][rng.usize(..2)],
                order: [Order::NewestFirst, Order::OldestFirst][rng.usize(..2)],
                end_excluded: rng.bool(),
                empty_as_null: rng.bool(),
            },
            ..Faults::default()
        };
        faults.wire.numbers_as_strings = rng.bool();
        faults.wire.malformed_share = [0.0, 0.02][rng.usize(..2)];
        if troubled {
            let answers = [
                Answer::Http(400),
                Answer::Http(403),
                Answer::Http(429),
                Answer::Http(500),
                Answer::Http(503),
                Answer::Envelope,
                Answer::NullData,
                Answer::NoData,
                Answer::CutBody,
                Answer::Reset,
            ];
            for _ in 0..rng.u8(1..4) {
                let answer = answers[rng.usize(..answers.len())];
                let mut trouble = Trouble::share(answer, rng.f64() * 0.3);
                trouble.retry_after_seconds = [None, Some(3), Some(90)][rng.usize(..3)];
                faults.details.push(trouble);
            }
        }
        self.vendor.simulator.set_faults(faults);
    }

    /// Scrapes, and checks what was published; goes on after a crash that the disk has had.
    async fn scrape(&mut self, patience: Duration) {
        if self.is_first && !self.kept.lock().unwrap().anything {
            // The first pull of all says what is too old to be counted.
            self.first_lookback = self.spans.lookback;
            self.start = (self.vendor.clock)() - self.spans.lookback;
        }
        self.is_first = false;
        let view = self.puller.scrape(Instant::now() + patience).await;
        if self.disk.is_dead() {
            self.crash().await;
            return;
        }
        let Some(calls) = view.calls else {
            assert!(self.last.is_empty(), "what was published is gone");
            return;
        };
        // From the first that is published on, through every restart.
        assert!(calls.counted_from.is_some());
        let before = self.counted_from.replace(calls.counted_from);
        assert!(before.is_none_or(|before| before == calls.counted_from));
        let now = counters(&crate::text::text("t", &calls));
        for (name, value) in &self.last {
            let later = now.get(name).copied().unwrap_or_default();
            assert!(later >= *value, "{name} went from {value} to {later}");
        }
        let processed =
            total(&now, "cec_calls_processed_total") + total(&now, "cec_calls_expired_total");
        assert!(processed <= total(&now, "cec_calls_total"));
        self.first_in.get_or_insert((self.vendor.clock)());
        self.last = now;
    }

    /// A crash at some wait of a pull.
    async fn pull_the_plug(&mut self) {
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

    async fn crash(&mut self) {
        self.puller.stop().await;
        self.disk.crash(&mut self.rng);
        self.reopen();
    }

    /// A clean end and a new start, perhaps with another lookback.
    async fn restart(&mut self) {
        self.puller.stop().await;
        self.disk.set_full(false);
        if self.rng.u8(..4) == 0 && self.is_up_to_date() {
            self.uneven = true;
            let before = self.spans.lookback;
            self.spans.lookback = self.rng.u32(7200..5 * 3600);
            self.grown |= self.spans.lookback > before;
            self.settings.spans = self.spans;
        }
        self.disk.crash(&mut self.rng);
        self.reopen();
    }

    /// Nothing is unread that could leave the lookback when the clock steps or the lookback
    /// shrinks: such a call would rightly never be counted.
    fn is_up_to_date(&self) -> bool {
        let view = self.puller.view();
        view.up == Some(true) && view.progress.complete && view.progress.gap.is_none()
    }

    /// Goes on from what the disk holds; the log is cut to what is behind it.
    fn reopen(&mut self) {
        let mut kept = self.kept.lock().unwrap();
        if !kept.doubtful.is_empty() {
            let disk = self.disk.clone();
            let medium = Medium::Other("disk".into(), Box::new(move || disk.open()));
            let (_, found) = FileStore::open(medium, |_, _| {}).unwrap();
            let doubtful = std::mem::take(&mut kept.doubtful);
            if let Some((records, _)) = doubtful
                .into_iter()
                .rfind(|(_, state)| found.as_ref() == Some(state))
            {
                kept.records = records;
                kept.anything = true;
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
        );
    }

    /// No counter that was published may be ahead of what was served.
    fn never_ahead(&self) {
        if self.uneven {
            return;
        }
        let log = self.vendor.log.lock().unwrap();
        let now = (self.vendor.clock)();
        let (most, _) = replay(&log, self.start, now.saturating_sub(self.spans.lookback));
        for (name, value) in self.last.iter().filter(|(name, _)| is_replayed(name)) {
            let most = most.get(name).copied().unwrap_or_default();
            assert!(
                *value <= most,
                "{name} is {value}, but at most {most} can be"
            );
        }
    }

    /// The vendor is well, the disk has room, clocks are right, and the world stands still until
    /// the whole lookback has been compared.
    async fn calm(&mut self) {
        let paging = self.vendor.simulator.faults().paging;
        self.vendor.simulator.set_faults(Faults {
            paging,
            ..Faults::default()
        });
        self.disk.set_full(false);
        *self.vendor.slowness_ms.lock().unwrap() = 0;
        self.offset.store(0, Ordering::Relaxed);
        self.frozen
            .store(self.began.elapsed().as_secs(), Ordering::Relaxed);
        // A crash may be waiting at the next sync.
        self.scrape(Duration::ZERO).await;
        self.crash().await;
        let mut left = 3 * u64::from(self.spans.reconcile_interval) + 200;
        while left > 0 {
            let step = left.min(60);
            left -= step;
            tokio::time::sleep(Duration::from_secs(step)).await;
            self.puller
                .scrape(Instant::now() + Duration::from_secs(50))
                .await;
            // Time for the comparison, which goes on after the scrape.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        self.scrape(Duration::from_secs(50)).await;
    }

    fn compare(&mut self) {
        let view = self.puller.view();
        assert_eq!(view.up, Some(true), "{:?}", view.last_error);
        let calls = view.calls.expect("the lookback is in");
        let text = crate::text::text("t", &calls);
        let now = (self.vendor.clock)();
        let cutoff = now - self.spans.lookback;
        let log = self.vendor.log.lock().unwrap();
        let mut world = self.vendor.simulator.world();
        let vendor_now = BASE + self.frozen.load(Ordering::Relaxed) as u32;

        let counted = counters(&text);
        let (expected, distinct) = replay(&log, self.start, cutoff);
        let counted_calls = total(&counted, "cec_calls_total") as u64;
        // What left the lookback before it was ever read is not counted when the lookback grows
        // back over it, although it is served then.
        let read_in_time = self.first_in.unwrap() - self.first_lookback;
        let (_, least) = replay(&log, self.start.max(read_in_time), cutoff);
        let least = if self.grown { least } else { distinct };
        assert!(
            (least..=distinct).contains(&counted_calls),
            "{counted_calls} counted, {least} to {distinct} distinct calls served"
        );
        if !self.uneven {
            for name in expected.keys().chain(counted.keys()) {
                if is_replayed(name) {
                    assert_eq!(counted.get(name), expected.get(name), "{name}");
                }
            }
            // Every processing time that could be told was observed, or counted as not.
            let processing = "cec_call_processing_seconds_count";
            let unobserved = total(&counted, "cec_calls_processing_unobserved_total");
            assert_eq!(
                total(&counted, processing) + unobserved,
                total(&expected, processing)
            );
        }
        if world.spec().deleted_share == 0.0 {
            // Before the first lookback was in, its older end had moved on.
            let first_in = self.first_in.unwrap() - self.first_lookback;
            // What was listed late and had almost left the lookback by then may have been missed.
            let edge = BASE - self.first_lookback / 2;
            let (mut sure, mut perhaps) = (0, 0);
            let listed = |call: &Call<'_>| call.visible_at() <= vendor_now;
            for call in world
                .calls(self.start, vendor_now, vendor_now)
                .filter(listed)
            {
                let is_sure = call.upload_time() >= edge
                    || (call.visible_at() <= BASE && call.upload_time() >= first_in);
                *(if is_sure { &mut sure } else { &mut perhaps }) += 1;
            }
            let possible = sure..=sure + perhaps;
            assert!(
                possible.contains(&distinct),
                "{distinct} counted, the world has had {possible:?}"
            );
        }

        let mut expected = Series::new();
        let mut there = BTreeSet::new();
        for call in world
            .calls(cutoff, now, vendor_now)
            .filter(|c| c.is_visible(vendor_now))
        {
            let call_type = CallType::from_number(call.call_type().into());
            let status = Status::from_number(call.status_at(vendor_now).into());
            there.insert(CallId::parse(&call.uuid()).unwrap());
            let labels = format!("{{call_type=\"{call_type}\",status=\"{status}\"}}");
            *expected
                .entry(format!("cec_window_calls{labels}"))
                .or_default() += 1.0;
            if !status.is_final() {
                let name = format!("cec_oldest_pending_call_timestamp_seconds{labels}");
                let at = f64::from(call.upload_time());
                let oldest = expected.entry(name).or_insert(at);
                *oldest = oldest.min(at);
            }
            let manual = call.manual_at(vendor_now);
            for (kind, state) in [
                ("sampled", manual.inspect),
                ("reviewed", manual.review),
                ("appealed", manual.complain),
            ] {
                if state >= 0 {
                    let labels = format!("{{call_type=\"{call_type}\",state=\"{state}\"}}");
                    let name = format!("cec_window_{kind}_calls{labels}");
                    *expected.entry(name).or_default() += 1.0;
                }
            }
        }
        let mut gone = BTreeSet::new();
        // A call that was forgotten early and then deleted is not known to be gone.
        let remembered = log
            .iter()
            .filter(|(_, record)| !self.uneven && record.uploaded >= cutoff);
        for (_, record) in remembered {
            if !there.contains(&record.id) && gone.insert(record.id) {
                let call_type = record.call_type;
                let name = format!("cec_window_missing_calls{{call_type=\"{call_type}\"}}");
                *expected.entry(name).or_default() += 1.0;
            }
        }
        if let Some(to) = view.progress.frontier().filter(|_| !self.uneven) {
            let hour = Window {
                from: to - 3599,
                to,
            };
            let recent = log
                .iter()
                .filter(|(_, record)| hour.contains(record.uploaded));
            let recent: BTreeMap<CallId, CallType> = recent
                .map(|(_, record)| (record.id, record.call_type))
                .collect();
            for call_type in recent.values() {
                let name = format!("cec_recent_calls{{call_type=\"{call_type}\"}}");
                *expected.entry(name).or_default() += 1.0;
            }
        }
        let uneven = ["missing", "recent"];
        let uneven = |name: &str| self.uneven && uneven.iter().any(|part| name.contains(part));
        let gauges: Series = series(&text)
            .into_iter()
            .filter(|(name, value)| *value != 0.0 && !counted.contains_key(name))
            .filter(|(name, _)| !uneven(name))
            .collect();
        for name in expected.keys().chain(gauges.keys()) {
            assert_eq!(gauges.get(name), expected.get(name), "{name}");
        }
    }
}

/// Whether a counter follows from the records alone, and not from when the list was read.
fn is_replayed(name: &str) -> bool {
    ![
        "cec_call_processing_seconds",
        "cec_call_listing_delay_seconds",
        "cec_calls_missing_total",
        "cec_calls_processing_unobserved_total",
    ]
    .iter()
    .any(|own| name.starts_with(own))
}

fn total(series: &Series, name: &str) -> f64 {
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
) -> Puller<Vendor, Tracked> {
    let handle = disk.clone();
    let medium = Medium::Other("disk".into(), Box::new(move || handle.open()));
    let (book, store) = Book::open(medium).unwrap_or_else(|error| panic!("{error}"));
    let store = Tracked {
        store,
        log: Arc::clone(&vendor.log),
        kept: Arc::clone(kept),
    };
    let own = metrics.target("t", &KnownLabels::default(), 0.0);
    let clock = Arc::clone(&vendor.clock);
    Puller::new(
        settings.clone(),
        vendor.clone(),
        clock,
        own,
        book,
        Arc::new(store),
    )
}
