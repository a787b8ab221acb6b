//! The rules of this repository with short times.

use std::path::Path;
use std::time::Duration;

use crate::support::boards::{RULES, file_name, files, read};

/// What is left of each window.
pub(crate) const WINDOW: Duration = Duration::from_secs(12);
/// The windows of the rules. Weeks ago stay weeks ago: that data is made up.
const WINDOWS: [&str; 8] = ["5m", "15m", "30m", "1h", "2h", "6h", "1d", "3d"];
/// Other times in the rules, and what takes their place. The exporter's gauge of the last hour cannot be
/// told of another hour: the calls of a window are counted instead.
const TIMES: [(&str, &str); 5] = [
    ("3600 * ", "12 * "),
    ("(cec_recent_calls)", "(increase(cec_calls_total[12s]))"),
    ("[1w] offset 1d", "[12s] offset 12s"),
    ("interval: \"2m\"", "interval: \"1s\""),
    ("for: \"", "for: \"3s\" # \""),
];
/// Thresholds that are times, in seconds, or calls in a time: 150 in a window, half of those
/// of voice, or else chance would judge. A token lives for 15 s here and is renewed 3 s before its
/// end.
const THRESHOLDS: [(&str, &str); 8] = [
    ("cec:frontier_lag_seconds:threshold", "vector(10)"),
    ("cec:token_left_seconds:threshold", "vector(2)"),
    ("cec:pending_age_seconds:threshold", "vector(15)"),
    // Some calls take longer than the lookback of two minutes.
    ("cec:expired_calls_per_hour:threshold", "vector(40)"),
    ("cec:finished_calls_per_hour:threshold", "vector(150)"),
    // A scenario has some ten results in a window, of which a mean is chance: it is recorded, and not judged.
    ("cec:results_per_day:threshold", "vector(1)"),
    ("cec:score_drop_points:threshold", "vector(100)"),
    ("cec:rule_violations_per_day:threshold", "vector(1000)"),
];

/// Copies the rules with shorter times, and makes sure that nothing else changed unnoticed.
pub(crate) fn rewrite_rules(directory: &Path) {
    for path in files(RULES, ".rules.yml") {
        let mut text = read(&path);
        if file_name(&path) == "thresholds.rules.yml" {
            for (name, value) in THRESHOLDS {
                let parts: Vec<&str> = text.split(&format!("record: {name}\n")).collect();
                assert!(parts.len() > 1, "{name}: no such threshold");
                let changed = parts[1..].iter().map(|rest| {
                    let begin = rest.find("vector(").unwrap();
                    let end = begin + rest[begin..].find(')').unwrap() + 1;
                    format!("{}{value}{}", &rest[..begin], &rest[end..])
                });
                let mut parts = vec![parts[0].to_owned()];
                parts.extend(changed);
                text = parts.join(&format!("record: {name}\n"));
            }
        } else {
            text = shorter(&text);
            for range in text.split('[').skip(1) {
                let is_short = ["12s]", "2h] offset "].iter().any(|r| range.starts_with(r));
                assert!(is_short, "a window of another length: [{range}");
            }
        }
        std::fs::write(directory.join(file_name(&path)), text).unwrap();
    }
}

pub(crate) fn shorter(text: &str) -> String {
    const WEEKS_AGO: &str = "[2h] offset ";
    let parts = text.split(WEEKS_AGO).map(|part| {
        let part = WINDOWS.iter().fold(part.to_owned(), |part, window| {
            part.replace(&format!("[{window}]"), "[12s]")
        });
        TIMES
            .iter()
            .fold(part, |part, (long, short)| part.replace(long, short))
    });
    parts.collect::<Vec<_>>().join(WEEKS_AGO)
}
