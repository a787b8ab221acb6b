//! Which days to read, and when to sample. Pure.

use serde::{Deserialize, Serialize};

use crate::model::{UnixSeconds, Window, utc};

/// Seconds of a day. Days are those of UTC, as the blocks of Prometheus are.
const DAY: UnixSeconds = 86_400;

/// What a backfill covers. It is stored beside the files, so that a resumed one is the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// First and last upload time, Unix seconds. Without a last one, the history ends when its last day
    /// is read, so that the exporter continues where it ends even if it took several nights.
    pub from: UnixSeconds,
    pub to: Option<UnixSeconds>,
    /// Seconds between samples.
    pub step: UnixSeconds,
    /// Labels added to each series.
    pub labels: Vec<(String, String)>,
}

impl Plan {
    /// The days that remain at `now` after `done`; the first and the last may be parts of a day.
    pub fn days(
        &self,
        done: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> impl Iterator<Item = Window> {
        let first = done.map_or(self.from, |done| done.saturating_add(1));
        let to = self.to.unwrap_or(now);
        // Only the last part of a history without an end leaves the rest of its day out.
        let has_ended = self.to.is_none() && done.is_some() && !first.is_multiple_of(DAY);
        let day = move |from: UnixSeconds| {
            let end = (from - from % DAY).saturating_add(DAY - 1);
            (from <= to && !has_ended).then(|| Window::new(from, end.min(to)))
        };
        std::iter::successors(day(first), move |last| day(last.to.checked_add(1)?))
    }

    /// When to sample within a day: at multiples of the step, at the start of the history, whose
    /// counters are 0, and at its end, where the exporter continues: at that of [`Plan`], or of a part of
    /// a day that is the last one.
    pub fn samples(&self, day: Window) -> impl Iterator<Item = UnixSeconds> {
        let first = day.from.next_multiple_of(self.step);
        let start = (day.from == self.from && first != day.from).then_some(day.from);
        let steps = (first..=day.to).step_by(self.step as usize);
        let is_end = self
            .to
            .map_or(!(day.to + 1).is_multiple_of(DAY), |to| to == day.to);
        let end = (is_end && !day.to.is_multiple_of(self.step)).then_some(day.to);
        start.into_iter().chain(steps).chain(end)
    }
}

/// The name of the file of the day that a time belongs to.
pub fn file_name(time: UnixSeconds) -> String {
    utc(time).strftime("%F.om").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(from: UnixSeconds, to: UnixSeconds) -> Plan {
        Plan {
            from,
            to: Some(to),
            step: 3600,
            labels: Vec::new(),
        }
    }

    #[test]
    fn days_are_whole_days_in_utc_but_for_the_ends() {
        let plan = plan(3 * DAY + 5, 5 * DAY + 7);
        let days: Vec<_> = plan.days(None, 0).map(|day| (day.from, day.to)).collect();
        assert_eq!(
            days,
            [
                (3 * DAY + 5, 4 * DAY - 1),
                (4 * DAY, 5 * DAY - 1),
                (5 * DAY, 5 * DAY + 7)
            ]
        );
        assert_eq!(plan.days(Some(4 * DAY - 1), 0).count(), 2);
        assert_eq!(plan.days(Some(5 * DAY + 7), 0).count(), 0);
    }

    #[test]
    fn without_an_end_the_part_that_is_read_last_is_the_end() {
        let plan = Plan {
            to: None,
            ..plan(3 * DAY + 5, 0)
        };
        let days = |done, now| plan.days(done, now).map(|day| day.to).collect::<Vec<_>>();
        assert_eq!(days(None, 4 * DAY + 7), [4 * DAY - 1, 4 * DAY + 7]);
        assert_eq!(
            days(Some(4 * DAY - 1), 6 * DAY),
            [5 * DAY - 1, 6 * DAY - 1, 6 * DAY]
        );
        assert!(days(Some(6 * DAY), 8 * DAY).is_empty());
        let last = Window::new(6 * DAY, 6 * DAY + 7);
        assert_eq!(
            plan.samples(last).collect::<Vec<_>>(),
            [6 * DAY, 6 * DAY + 7]
        );
    }

    #[test]
    fn samples_are_at_steps_and_at_both_ends() {
        let plan = plan(3 * DAY + 5, 4 * DAY + 7300);
        let samples: Vec<Vec<_>> = plan
            .days(None, 0)
            .map(|d| plan.samples(d).collect())
            .collect();
        assert_eq!(samples[0][..2], [3 * DAY + 5, 3 * DAY + 3600]);
        assert_eq!(samples[0].last(), Some(&(4 * DAY - 3600)));
        assert_eq!(
            samples[1],
            [4 * DAY, 4 * DAY + 3600, 4 * DAY + 7200, 4 * DAY + 7300]
        );
        let day = Window::new(20_000 * DAY, 20_001 * DAY - 1);
        assert_eq!(file_name(day.from), "2024-10-04.om");
    }
}
