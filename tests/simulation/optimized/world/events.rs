//! What happens during a run: faults, crashes, restarts, clock steps, and the calm at its end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cec_exporter::simulator::faults::{Answer, Fault, Faults};
use tokio::time::Instant;

use super::Run;

impl Run {
    pub(super) async fn live(mut self) {
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

    /// Crashes at some await of a pull.
    async fn crash_during_pull(&mut self) {
        if self.is_first {
            return;
        }
        let puller = Arc::clone(&self.puller);
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
        view.up == Some(true)
            && view.snapshot.progress.complete
            && view.snapshot.progress.gap.is_none()
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
