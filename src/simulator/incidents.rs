//! A month of incidents, as example data for dashboards.

use super::spec::Scenario;
use super::status;

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;

/// Scenarios by their start, ascending: a used-up daily quota, a standstill, an outage of the
/// centre, a day on which everyone speaks fast, and days on which a rule is suddenly violated or
/// the scores of a business scenario fall. `now` and the starts are Unix seconds,
/// `utc_offset` is in seconds.
pub fn month(now: u32, utc_offset: u32) -> Vec<(u32, Scenario)> {
    let normal = Scenario::default();
    let quota = Scenario {
        quota_exhausted: 0.8,
        ..normal.clone()
    };
    let failing = Scenario {
        asr_failing: 0.4,
        ..normal.clone()
    };
    let standstill = Scenario {
        stuck: Some(status::TRANSCRIBING),
        ..normal.clone()
    };
    let outage = Scenario {
        dried_up: true,
        ..normal.clone()
    };
    let fast = Scenario {
        fast_speech: true,
        long_silence: true,
        ..normal.clone()
    };
    let forgotten = Scenario {
        rule_violated: true,
        ..normal.clone()
    };
    let falling = Scenario {
        scores_falling: true,
        ..normal.clone()
    };
    // Midnight of today, local time.
    let midnight = now - (now + utc_offset) % DAY;
    [
        (21, 14, 5, quota.clone()),
        (17, 9, 6, failing),
        (14, 9, 10, forgotten.clone()),
        (12, 10, 2, outage.clone()),
        (8, 9, 9, fast),
        (6, 8, 12, falling),
        (5, 15, 4, standstill),
        (3, 9, 10, forgotten),
        (2, 13, 1, outage),
        (1, 14, 4, quota),
    ]
    .into_iter()
    .flat_map(|(days_ago, hour, hours, scenario)| {
        let from = midnight.saturating_sub(days_ago * DAY) + hour * HOUR;
        [(from, scenario), (from + hours * HOUR, normal.clone())]
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_are_in_order_and_in_the_past() {
        let now = 1_790_000_000;
        let month = month(now, 8 * HOUR);
        assert!(month.is_sorted_by_key(|(from, _)| *from));
        assert!(
            month
                .iter()
                .all(|(from, _)| (now - 30 * DAY..now).contains(from))
        );
        assert_eq!(month.last().unwrap().1, Scenario::default());
    }
}
