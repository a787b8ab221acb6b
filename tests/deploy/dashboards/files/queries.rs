//! What the panels ask for.

use std::collections::BTreeSet;

use cec_exporter::metrics::catalog::{self, Kind};

use super::{metric_of, text, used_on};
use crate::support::boards::{Used, boards, metrics_in, rules};

/// What Prometheus and its client libraries bring.
const FOREIGN: [&str; 7] = [
    "up",
    "ALERTS",
    "ALERTS_FOR_STATE",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

fn is_counter(series: &str) -> bool {
    series == "process_cpu_seconds_total"
        || metric_of(series).is_some_and(|metric| metric.kind != Kind::Gauge)
}

#[test]
fn queries_look_only_at_what_is_chosen() {
    for board in boards() {
        let variables = board.variables();
        let there: BTreeSet<&str> = variables.iter().map(|v| text(&v["name"])).collect();
        for (place, used) in used_on(&board) {
            // Every series may have the label of a cluster; an alert may concern no single one.
            let is_of_the_cluster = used.matchers.contains("cluster=~\"$cluster\"")
                || used.matchers.contains("cluster=~\"$cluster|\"")
                    && used.name.starts_with("ALERTS");
            assert!(
                is_of_the_cluster,
                "{place}: {} ignores the cluster",
                used.name
            );
            let Some(metric) = metric_of(&used.name) else {
                continue;
            };
            for label in ["target", "call_type", "role"] {
                // A panel may be about one type of call, or both sides of it.
                let is_open = used.matchers.contains(&format!("{label}=~\"${label}\""))
                    || used.matchers.contains(&format!("{label}=\""))
                    || used
                        .matchers
                        .contains(&format!("{label}=~\"customer|staff\""));
                assert!(
                    !metric.labels.contains(&label) || !there.contains(label) || is_open
                        // A row of a target is about all of it.
                        || (label == "call_type" && place.ends_with(": Targets"))
                        || (label == "role" && used.matchers.contains("role=")),
                    "{place}: {} ignores the variable {label}",
                    used.name
                );
            }
        }
    }
}

#[test]
fn metrics_and_labels_are_those_of_the_exporter() {
    let recorded: BTreeSet<String> = rules()
        .into_iter()
        .filter(|rule| !rule.is_alert)
        .map(|rule| rule.name)
        .collect();
    let mut all: Vec<(String, Used)> = boards().iter().flat_map(used_on).collect();
    for rule in rules() {
        let used = metrics_in(&rule.expr).into_iter();
        all.extend(used.map(|used| (rule.name.clone(), used)));
    }
    assert!(all.len() > 100, "hardly any metrics found: {}", all.len());
    for (place, used) in all {
        let name = used.name.as_str();
        if FOREIGN.contains(&name) || recorded.contains(name) {
            continue;
        }
        let metric =
            metric_of(name).unwrap_or_else(|| panic!("{place}: there is no metric {name}"));
        for label in used.labels() {
            let is_there = metric.labels.contains(&label)
                || ["job", "cluster"].contains(&label)
                || (label == "le" && name.ends_with("_bucket"));
            assert!(is_there, "{place}: {name} has no label {label}");
        }
    }
}

#[test]
fn every_metric_is_of_use() {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let on_boards = boards().iter().flat_map(used_on).collect::<Vec<_>>();
    let in_rules: Vec<Used> = rules().iter().flat_map(|r| metrics_in(&r.expr)).collect();
    let names = on_boards.iter().map(|(_, used)| used).chain(&in_rules);
    used.extend(
        names
            .filter_map(|used| metric_of(&used.name))
            .map(|m| m.name),
    );
    let all: BTreeSet<&str> = catalog::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(used, all);
}

#[test]
fn counters_are_only_looked_at_through_rates() {
    let mut seen = 0;
    for board in boards() {
        for (place, used) in used_on(&board) {
            if !is_counter(&used.name) {
                continue;
            }
            seen += 1;
            let function = ["rate(", "increase("]
                .iter()
                .any(|function| used.before.ends_with(function));
            let range = [
                "[$__rate_interval]",
                "[$__range]",
                "[15m]",
                "[1h]",
                "[6h]",
                "[1d]",
            ]
            .iter()
            .any(|range| used.after.starts_with(range));
            // Whether a pull has ever failed, and when a process began.
            let is_state =
                used.name == "cec_exporter_pull_failures_total" && used.after.starts_with(") > 0");
            assert!(function && range || is_state, "{place}: {}", used.name);
        }
    }
    assert!(seen > 50);
}

/// Two exporters that pull the same target say the same of its calls. One of them has to be left
/// before anything is summed.
#[test]
fn calls_are_not_counted_once_for_each_exporter() {
    for board in boards() {
        for (place, used) in used_on(&board) {
            let is_call_metric = metric_of(&used.name).is_some_and(|m| {
                m.labels.contains(&"target") && !m.name.starts_with("cec_exporter_")
            });
            if !is_call_metric {
                continue;
            }
            // `max without (job, instance, ...)` or `max by (cluster, target, ...)`, before any sum. Native
            // histograms cannot be compared: they are added up, of which shares and quantiles do not differ.
            let is_native = used.after.starts_with('[')
                && metric_of(&used.name)
                    .is_some_and(|m| m.name == used.name && m.kind == Kind::Histogram);
            let reduced = ["max without (job, instance", "max by (", "min by ("]
                .iter()
                .filter_map(|function| used.before.rfind(function))
                .max();
            let summed = ["sum by (", "sum(", "sum without ("]
                .iter()
                .filter_map(|function| used.before.rfind(function))
                .max();
            let is_count = used.before.trim_end().ends_with("last_over_time(")
                || used.name == "cec_window_seconds";
            assert!(
                is_native || is_count || reduced.is_some() && reduced > summed,
                "{place}: {} is not reduced to one exporter first",
                used.name
            );
        }
    }
}

/// Classic, native, or both: a query of one kind alone would be empty or wrong with the other.
#[test]
fn histograms_are_read_in_each_storage() {
    let mut quantiles = 0;
    for board in boards() {
        for query in board.queries() {
            let place = &query.place;
            for used in metrics_in(&query.expr) {
                let Some(metric) = metric_of(&used.name) else {
                    continue;
                };
                if metric.kind != Kind::Histogram || metric.name == used.name {
                    continue;
                }
                let native = format!("{}{{", metric.name);
                assert!(query.expr.contains(&native), "{place}: {} alone", used.name);
            }
            for call in query.expr.split("histogram_quantile(").skip(1) {
                quantiles += 1;
                let (_, inner) = call.split_once(", ").unwrap();
                assert!(
                    inner.starts_with("sum"),
                    "{place}: no sum within the quantile"
                );
                // Nothing observed is no number.
                assert!(inner.contains(" >= 0"), "{place}");
            }
        }
        for panel in board.panels().iter().filter(|p| p["type"] == "heatmap") {
            let place = board.place(panel);
            let target = &panel["targets"][0];
            assert_eq!(target["format"], "heatmap", "{place}");
            assert_eq!(target["legendFormat"], "{{le}}", "{place}");
        }
    }
    assert!(quantiles > 20);
}

/// "Now" is not the last value of a range: with a long range that is the mean of an hour.
#[test]
fn figures_and_tables_are_instant_queries() {
    for board in boards() {
        for panel in board.panels() {
            let is_instant = ["stat", "table"].contains(&text(&panel["type"]));
            for target in panel["targets"].as_array().into_iter().flatten() {
                assert_eq!(
                    target["instant"] == true,
                    is_instant,
                    "{}",
                    board.place(panel)
                );
            }
        }
    }
}

/// `and` binds more strongly than `or`: what is meant as one condition needs parentheses.
#[test]
fn no_alternative_follows_a_condition_without_parentheses() {
    let mut seen = 0;
    for board in boards() {
        for query in board.queries() {
            // Whether each open parenthesis, and the query itself, has a condition in it.
            let mut conditions = vec![false];
            let code = query.expr.split('"').step_by(2).collect::<String>();
            for word in code
                .replace('(', " ( ")
                .replace(')', " ) ")
                .split_whitespace()
            {
                match word {
                    "(" => conditions.push(false),
                    ")" => drop(conditions.pop()),
                    "and" | "unless" => *conditions.last_mut().unwrap() = true,
                    "or" => {
                        seen += 1;
                        assert_eq!(
                            conditions.last(),
                            Some(&false),
                            "{}: {}",
                            query.place,
                            query.expr
                        );
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(seen > 50, "{seen}");
}
