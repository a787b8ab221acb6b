//! A phase without faults, only with the permanent quirks: each call is counted within the promised
//! time.

use std::time::Duration;

use cec_exporter::simulator::faults::Faults;
use tokio::time::Instant;

use super::replay::{Lines, series};
use super::world::{Run, total};

/// Seconds between two scrapes.
const PULL: u32 = 30;

impl Run {
    /// Pulls during two reconciliations, then checks that each call is counted in time.
    pub(crate) async fn steady(&mut self) {
        self.end_faults();
        self.scrape(Duration::ZERO).await;
        self.crash().await;
        let interval = self.intervals.reconcile_interval;
        // A row that is late by less than the overlap is found when the overlap is next read
        // completely; any other by reconciliation, whose slices have at least a page.
        let tail_bound = self.intervals.overlap / 2 + 5 * PULL;
        let reconcile_bound = 2 * interval + 10 * PULL;
        let settled = reconcile_bound / PULL;
        for pull in 0..settled + 20 {
            tokio::time::sleep(Duration::from_secs(PULL.into())).await;
            let view = self
                .puller
                .scrape(Instant::now() + Duration::from_secs(25))
                .await;
            // Reconciliation continues after the scrape.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if pull < settled {
                continue;
            }
            assert_eq!(view.up, Some(true), "{:?}", view.last_error);
            let text =
                crate::support::text::text("t", &view.snapshot.calls.expect("the lookback is in"));
            let counted = total(&series(&Lines::of(&text).counters), "cec_calls_total") as u64;
            let least = self.due(tail_bound, reconcile_bound);
            assert!(counted >= least, "{counted} counted, {least} due");
        }
        self.scrape(Duration::from_secs(25)).await;
    }

    /// Number of calls that must have been counted by now.
    fn due(&self, tail_bound: u32, reconcile_bound: u32) -> u64 {
        let now = self.vendor_now();
        let mut world = self.vendor.simulator.world();
        let blocked = self.quirks.blocked(&mut world, now);
        let first_in = self
            .first_in
            .map_or(u32::MAX, |at| at - self.first_lookback);
        let is_due = |lateness: u32, visible: u32| {
            let bound = match lateness <= self.intervals.overlap {
                true => tail_bound,
                false => reconcile_bound,
            };
            visible.saturating_add(bound) <= now
        };
        let calls = world.calls(self.start, now, now);
        let due = calls.filter(|call| {
            let visible = call.visible_at();
            // A deleted call may never have been read.
            call.gone_at().is_none()
                && is_due(visible - call.upload_time(), visible)
                && self.is_certainly_in_time(call, first_in)
                && self.quirks.is_readable(call, now, &blocked)
        });
        due.count() as u64
    }

    /// Removes all faults except the permanent quirks, and corrects disk and clocks.
    pub(crate) fn end_faults(&mut self) {
        let mut well = Faults {
            paging: self.vendor.simulator.faults().paging,
            ..Faults::default()
        };
        self.quirks.apply(&mut well);
        self.vendor.simulator.set_faults(well);
        self.disk.set_full(false);
        *self.vendor.slowness_ms.lock().unwrap() = 0;
        self.correct_clock();
    }
}
