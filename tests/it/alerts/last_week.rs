//! What an exporter would have reported a week ago.

use std::fmt::Write;
use std::path::Path;

use super::cases::CASES;
use super::now;
use super::short_rules::WINDOW;
use super::world::CALLS;
use crate::support::prometheus_server::create_blocks;

pub(crate) const WEEK: f64 = 604_800.0;

/// Puts into the database what an exporter would have said a week ago, around this time of day:
/// the series of today, with counters that grow.
pub(crate) fn imagine_last_week(metrics: &str, directory: &Path) {
    // Long enough for a busy machine. Two samples within each 15 seconds.
    let (begin, steps, step) = (now() - WEEK - 180.0, 200, 6.0);
    let end = begin + f64::from(steps) * step;
    let mut text = String::new();
    let mut add = |series: &str, value: f64, growth: f64| {
        for number in 0..steps {
            let passed = f64::from(number) * step;
            let (time, value) = (begin + passed, value + growth * passed);
            let _ = writeln!(text, "{series} {value} {time:.3}");
        }
    };
    let instance = "cluster=\"north\",instance=\"last-week\",job=\"cec_exporter\"";
    let of_calls = [
        "cec_call",
        "cec_team_call",
        "cec_recent_calls{",
        "cec_window_seconds{",
        "cec_exporter_folded_teams{",
    ];
    for line in metrics
        .lines()
        .filter(|line| of_calls.iter().any(|name| line.starts_with(name)))
    {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let series = series.replace("{", &format!("{{{instance},"));
        let value: f64 = value.parse().unwrap();
        // As fast as if all had come within the last two minutes; they did.
        let is_counter = line.starts_with("cec_call") || line.starts_with("cec_team");
        add(&series, value, if is_counter { value / 120.0 } else { 0.0 });
    }
    for case in CASES {
        let series = format!(
            "target:cec_recent_calls:sum{{cluster=\"north\",target=\"{}\"}}",
            case.target
        );
        add(&series, f64::from(CALLS) * WINDOW.as_secs_f64(), 0.0);
    }
    for severity in ["critical", "warning", "info"] {
        let labels = "alertname=\"CecTargetDown\",alertstate=\"firing\",target=\"healthy\"";
        add(
            &format!("ALERTS{{{labels},severity=\"{severity}\"}}"),
            1.0,
            0.0,
        );
    }
    // It was restarted and reloaded at every step, and did not read the list.
    add(&format!("cec_exporter_build_info{{{instance}}}"), 1.0, 0.0);
    for changed in [
        "process_start_time_seconds",
        "cec_exporter_config_last_reload_success_timestamp_seconds",
    ] {
        add(&format!("{changed}{{{instance}}}"), end - 600.0, 1.0);
    }
    add(
        &format!("cec_exporter_frontier_timestamp_seconds{{{instance},target=\"healthy\"}}"),
        end - 3600.0,
        0.0,
    );
    text.push_str("# EOF\n");
    let file = directory.join("last-week.txt");
    std::fs::write(&file, text).unwrap();
    create_blocks(&file, &directory.join("tsdb"));
}
