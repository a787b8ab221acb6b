//! A month of incidents, as example data for dashboards.

use super::spec::{Scenario, UTC_OFFSET};
use super::status;

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;

/// Scenarios by their start, ascending: a used-up daily quota, a standstill, an outage of the
/// centre, a day on which everyone speaks fast, and days on which a rule is suddenly violated or
/// the scores of a business scenario fall. `now` and the starts are Unix seconds.
pub fn month(now: u32) -> Vec<(u32, Scenario)> {
    let with = |change: fn(&mut Scenario)| {
        let mut scenario = Scenario::default();
        change(&mut scenario);
        scenario
    };
    let fast_and_silent = |it: &mut Scenario| (it.fast_speech, it.long_silence) = (true, true);
    // Midnight of today, local time.
    let midnight = now - (now + UTC_OFFSET) % DAY;
    // Days ago, hour of the start, hours.
    [
        (21, 14, 5, with(|it| it.quota_exhausted = 0.8)),
        (17, 9, 6, with(|it| it.asr_failing = 0.4)),
        (14, 9, 10, with(|it| it.rule_violated = true)),
        (12, 10, 2, with(|it| it.dried_up = true)),
        (8, 9, 9, with(fast_and_silent)),
        (6, 8, 12, with(|it| it.scores_falling = true)),
        (5, 15, 4, with(|it| it.stuck = Some(status::TRANSCRIBING))),
        (3, 9, 10, with(|it| it.rule_violated = true)),
        (2, 13, 1, with(|it| it.dried_up = true)),
        (1, 14, 4, with(|it| it.quota_exhausted = 0.8)),
    ]
    .into_iter()
    .flat_map(|(days_ago, hour, hours, scenario)| {
        let from = midnight.saturating_sub(days_ago * DAY) + hour * HOUR;
        [(from, scenario), (from + hours * HOUR, Scenario::default())]
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_are_in_order_and_in_the_past() {
        let now = 1_790_000_000;
        let month = month(now);
        assert!(month.is_sorted_by_key(|(from, _)| *from));
        assert!(
            month
                .iter()
                .all(|(from, _)| (now - 30 * DAY..now).contains(from))
        );
        assert_eq!(month.last().unwrap().1, Scenario::default());
    }
}
