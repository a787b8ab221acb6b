//! A scrape, and the assertions that hold at each.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Run;
use crate::extras::is_of_group;
use crate::replay::{Lines, Series, replay, series};
use crate::support::text::text;

impl Run {
    /// Scrapes and checks the result. Restarts after a power failure.
    pub(crate) async fn scrape(&mut self, patience: Duration) {
        if self.is_first && !self.kept.lock().unwrap().anything {
            // The first pull determines which calls are too old to be counted.
            self.first_lookback = self.intervals.lookback;
            self.start = (self.vendor.clock)() - self.intervals.lookback;
        }
        self.is_first = false;
        self.extras.scraped();
        let view = self.puller.scrape(Instant::now() + patience).await;
        if self.disk.is_dead() {
            self.crash().await;
            return;
        }
        let Some(calls) = view.snapshot.calls else {
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
        // Whatever is checked here comes from the tallies alone, and most scrapes find those of the
        // last one: rendering and reading them again would take a tenth of the time of all runs.
        let last = self.last_calls.replace(Arc::clone(&calls));
        if last.is_none_or(|last| last.tallies != calls.tallies) {
            let lines = Lines::of(&text("t", &calls));
            self.check_counters(series(&lines.counters));
            self.last_missing = total(&series(&lines.gauges), "cec_window_missing_calls");
        }
        self.assert_not_above_truth(&self.last, self.last_missing);
        let clock = (self.vendor.clock)();
        // Ignore a success with a clock that was ahead, even if it was corrected before the pull ended.
        let known_to = view.snapshot.progress.known.map(|known| known.to);
        let is_in = view
            .last_success
            .is_none_or(|at| (self.ahead_until..=clock).contains(&at))
            && known_to.is_some_and(|to| to <= clock);
        if is_in && !self.is_ahead {
            self.first_in.get_or_insert(clock);
        }
    }

    /// Checks counters that have changed since the last scrape.
    fn check_counters(&mut self, now: Series) {
        self.extras.assert_sums(&now);
        self.assert_results_plausible(&now);
        // A rule that is renamed continues under another name; sums over names are compared above.
        let lasting = self
            .last
            .iter()
            .filter(|(name, _)| !name.starts_with("cec_call_rules"));
        // Both are in order, and there are thousands of them.
        let mut rest = now.iter().peekable();
        for (name, value) in lasting {
            while rest.next_if(|(other, _)| *other < name).is_some() {}
            let later = rest.next_if(|(other, _)| *other == name);
            let later = later.map_or(0.0, |(_, later)| *later);
            assert!(later >= *value, "{name} went from {value} to {later}");
        }
        let processed =
            total(&now, "cec_calls_processed_total") + total(&now, "cec_calls_expired_total");
        assert!(processed <= total(&now, "cec_calls_total"));
        self.last = now;
    }

    /// Asserts that no exported counter exceeds what was served.
    pub(super) fn assert_not_ahead_of_log(&self) {
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
}

impl Run {
    /// Whether a counter depends only on the records, and on what is the same all the time.
    pub(crate) fn is_replayed(&self, name: &str) -> bool {
        is_replayed(name) && (self.extras.is_constant || !is_of_group(name))
    }
}

/// Whether a counter depends only on the records and not on when the list was read.
fn is_replayed(name: &str) -> bool {
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

/// The series whose names start like this. There are thousands of others.
pub(crate) fn starting_with<'a>(
    series: &'a Series,
    start: &'a str,
) -> impl Iterator<Item = (&'a String, &'a f64)> {
    let from = series.range::<str, _>((Bound::Included(start), Bound::Unbounded));
    from.take_while(move |(name, _)| name.starts_with(start))
}

pub(crate) fn total(series: &Series, name: &str) -> f64 {
    let of_name = |found: &str| {
        let rest = found.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
    };
    starting_with(series, name)
        .filter(|(found, _)| of_name(found))
        .map(|(_, value)| value)
        .sum()
}
