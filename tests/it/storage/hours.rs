//! Hours of traffic in seconds: calls that are late, slow, sent round again and deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cec_exporter::client::HttpClient;
use cec_exporter::puller::Puller;
use cec_exporter::puller::plan::Intervals;
use cec_exporter::simulator::faults::Faults;
use cec_exporter::simulator::paging::{Order, TotalOf, Unit};
use cec_exporter::simulator::spec::Spec;
use tokio::time::Instant;

use crate::support::PATIENCE;
use crate::support::pulled::puller;
use crate::support::samples::Samples;
use crate::support::simulated::SimulatedVendor;
use crate::support::text::text;
use crate::support::truth::PENDING;

const START: u32 = 1_750_000_000;
const HOUR: u32 = 3600;
const SPANS: Intervals = Intervals {
    lookback: 3 * HOUR,
    overlap: 600,
    reconcile_interval: 1200,
};

/// One clock for the vendor and the puller.
struct Hours {
    now: Arc<AtomicU32>,
    vendor: SimulatedVendor,
    puller: Puller<HttpClient>,
}

impl Hours {
    /// Begins when the lookback is full of calls.
    fn begin(spec: Spec, faults: Faults) -> Self {
        let now = Arc::new(AtomicU32::new(START + SPANS.lookback));
        let clock = Arc::clone(&now);
        let vendor = SimulatedVendor::start(
            spec,
            Arc::new(move || f64::from(clock.load(Ordering::SeqCst))),
        );
        vendor.simulator.set_faults(faults);
        let clock = Arc::clone(&now);
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        let puller = puller("a", &vendor.endpoint, SPANS, clock);
        Self {
            now,
            vendor,
            puller,
        }
    }

    /// The exposition after so many seconds.
    async fn after(&self, seconds: u32) -> Samples {
        self.now.fetch_add(seconds, Ordering::SeqCst);
        let view = self.puller.scrape(Instant::now() + PATIENCE).await;
        assert_eq!((view.up, view.last_error), (Some(true), None));
        // Nobody asks until what is compared in the background has come to rest. A request may
        // be on its way where neither side counts it, so one look is not enough.
        let (mut asked, mut quiet_looks) = (self.vendor.pages(), 0);
        while quiet_looks < 5 {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let is_quiet =
                asked == self.vendor.pages() && self.vendor.simulator.stats().in_flight == 0;
            asked = self.vendor.pages();
            quiet_looks = if is_quiet { quiet_looks + 1 } else { 0 };
        }
        let calls = view.snapshot.calls.unwrap();
        Samples::parse(&text("a", &calls))
    }
}

/// Calls, those that are accounted for, those missing.
fn account(samples: &Samples, call_type: &str) -> (f64, f64, f64) {
    let sum = |name, status: &[(&str, &str)]| {
        samples.sum(name, &[&[("call_type", call_type)], status].concat())
    };
    let pending = PENDING.map(|status| sum("cec_window_calls", &[("status", status)]));
    let known = sum("cec_calls_processed_total", &[])
        + sum("cec_calls_expired_total", &[])
        + pending.iter().sum::<f64>();
    let missing = sum("cec_window_missing_calls", &[]);
    (sum("cec_calls_total", &[]), known, missing)
}

fn spec() -> Spec {
    Spec {
        start: START,
        calls_per_day: 20_000.0,
        flat: true,
        slow_share: 0.05,
        late_share: 0.1,
        late_max_seconds: 500,
        reinspected_share: 0.0,
        deleted_share: 0.03,
        deleted_after_seconds: HOUR,
        ..Spec::default()
    }
}

/// Runs through hours of traffic, then through hours of rest.
async fn live_through(spec: Spec, faults: Faults) {
    let is_final_for_good = spec.reinspected_share == 0.0;
    let hours = Hours::begin(spec, faults);
    let mut last = 0.0;
    for _ in 0..90 {
        let samples = hours.after(60).await;
        let mut calls_of_all = 0.0;
        for call_type in ["voice", "text"] {
            let (calls, known, missing) = account(&samples, call_type);
            calls_of_all += calls;
            // Of the missing ones, some were never final. A call on its second round is pending
            // and was final, and is left out of this.
            if is_final_for_good {
                assert!(
                    known <= calls && calls <= known + missing,
                    "{known} {missing} {calls}"
                );
            }
        }
        assert!(calls_of_all >= last);
        last = calls_of_all;
    }
    hours.vendor.dry_up();
    let mut samples = hours.after(1).await;
    // The last ones are deleted after an hour; then one comparison ends and one is made in full.
    for _ in 0..70 {
        samples = hours.after(120).await;
    }
    let (wrong, deleted) = compare(&hours, &samples);
    let missing = samples.sum("cec_window_missing_calls", &[]);
    assert!(
        missing > 0.0 && missing <= deleted as f64,
        "{missing} of {deleted}"
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    hours.puller.stop().await;
}

/// What the window gauges say that is not so, and how many calls of the window were deleted.
fn compare(hours: &Hours, samples: &Samples) -> (Vec<String>, usize) {
    let now = hours.now.load(Ordering::SeqCst);
    let mut world = hours.vendor.simulator.world();
    let mut wrong = Vec::new();
    for (call_type, kind) in [("voice", 0), ("text", 2)] {
        for (status, code) in [
            ("waiting", 0),
            ("transcribing", 3),
            ("inspecting", 1),
            ("succeeded", 2),
            ("asr_failed", 32),
        ] {
            let truth = world
                .calls(now - SPANS.lookback, now, now)
                .filter(|call| call.is_visible(now))
                .filter(|call| call.call_type() == kind && call.status_at(now) == code)
                .count();
            let labels = [("call_type", call_type), ("status", status)];
            // A text call is never transcribed, and has no series for it.
            let shown = samples.sum("cec_window_calls", &labels);
            if shown != truth as f64 {
                wrong.push(format!("{labels:?}: {shown} instead of {truth}"));
            }
        }
    }
    let deleted = world
        .calls(now - SPANS.lookback, now, now)
        .filter(|call| call.gone_at().is_some_and(|gone| gone <= now))
        .count();
    (wrong, deleted)
}

#[tokio::test]
async fn late_slow_and_deleted_calls_are_where_they_belong() {
    live_through(spec(), Faults::default()).await;
}

#[tokio::test]
async fn the_same_with_the_oldest_first_and_groups_counted() {
    let mut faults = Faults::default();
    faults.paging.order = Order::OldestFirst;
    faults.paging.limit_counts = Unit::Groups;
    faults.paging.end_excluded = true;
    live_through(spec(), faults).await;
}

#[tokio::test]
async fn calls_that_are_sent_round_again_are_followed() {
    let spec = Spec {
        reinspected_share: 0.2,
        ..spec()
    };
    live_through(spec, Faults::default()).await;
}

#[tokio::test]
async fn a_vendor_that_is_a_little_odd_changes_nothing() {
    let mut faults = Faults::default();
    faults.rows.twice_share = 0.01;
    faults.rows.twice_apart = true;
    faults.rows.nan_share = 0.01;
    faults.rows.control_character_share = 0.01;
    faults.rows.broken_utf8_share = 0.01;
    faults.paging.total_off = 1;
    faults.paging.start_excluded = true;
    faults.paging.end_excluded = true;
    live_through(spec(), faults).await;
}

#[tokio::test]
async fn nor_do_a_cap_on_depth_and_a_total_that_lags() {
    let mut faults = Faults::default();
    faults.paging.deepest_row = Some(1000);
    faults.paging.total_counts = TotalOf::Groups;
    faults.paging.total_lag_seconds = 60;
    live_through(spec(), faults).await;
}
