//! What rules and panels say while all is well.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::last_week::WEEK;
use super::now;
use super::queries::{ALL, SOME, ask};
use super::short_rules::shorter;
use super::world::{Database, LOOKS};
use crate::support::boards::{self, Query, boards, rules};
use crate::support::prometheus_server::Prometheus;
use crate::support::shown::filled_with;

/// The comparison of the whole lookback is spread over a minute, which is the least to configure.
const AFTER_A_RECONCILE: &str = "target:cec_exporter_reconcile_lag_seconds:min";

/// How long data may be missing on a busy machine.
const A_GAP: Duration = Duration::from_secs(60);

/// What does not happen in this story. Without their filter of what is above 0, these have data.
const NEVER_HERE: [&str; 3] = [
    "cec_exporter_windows_unproven_total",
    "cec_calls_missing_total",
    "cec_window_missing_calls",
];

/// Whether a panel rightly shows nothing while all is well, or as long as nothing was compared.
fn may_be_empty(query: &Query) -> bool {
    query.expr.trim_end_matches(')').ends_with("> 0")
        || query.expr.contains("ALERTS_FOR_STATE")
        || query
            .expr
            .contains("cec_exporter_reconcile_timestamp_seconds")
        // A value for each full minute, of which there may have been none.
        || query.expr.contains(":1m]")
}

/// Whether something is so, now or soon: a scrape that comes too late leaves a gap.
fn comes_true(is_so: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if begun.elapsed() > A_GAP {
            return false;
        }
        sleep(Duration::from_millis(500));
    }
}

fn has_data(prometheus: &Prometheus, query: &Query, chosen: &[(&str, &str)]) -> bool {
    comes_true(|| !ask(prometheus, query, chosen).is_empty())
}

/// Every query of every board brings data, but for those that may be empty.
pub(crate) fn check_panels(prometheus: &Prometheus) {
    let mut empty = Vec::new();
    for board in boards() {
        for query in board.queries() {
            if may_be_empty(&query) {
                continue;
            }
            for chosen in [ALL, SOME] {
                if !has_data(prometheus, &query, chosen) {
                    empty.push(format!(
                        "{}\n  {}",
                        query.place,
                        filled_with(&query.expr, chosen)
                    ));
                }
            }
        }
        for query in board.annotations() {
            // Nothing fires yet; a week ago something did.
            let expr = filled_with(&query.expr, ALL);
            let found = prometheus.query(&expr, now() - WEEK).unwrap();
            if found.is_empty() {
                empty.push(format!("{}\n  {expr}", query.place));
            }
        }
        for variable in board.variables().iter().filter(|v| v["type"] == "query") {
            let definition = filled_with(variable["definition"].as_str().unwrap(), ALL);
            let (selector, label) = definition
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'))
                .and_then(|rest| rest.rsplit_once(", "))
                .unwrap();
            let values = prometheus.label_values(label, selector).unwrap();
            assert!(!values.is_empty(), "{}: {definition}", board.file);
        }
    }
    assert!(empty.is_empty(), "no data:\n{}", empty.join("\n"));
}

/// The queries that may be empty while all is well, and are.
pub(crate) fn empty_panels(prometheus: &Prometheus) -> Vec<Query> {
    let boards = boards();
    let mut queries: Vec<Query> = boards.iter().flat_map(boards::Board::queries).collect();
    queries.retain(|query| {
        let is_empty = |chosen| ask(prometheus, query, chosen).is_empty();
        may_be_empty(query) && [ALL, SOME].into_iter().any(is_empty)
    });
    queries
}

/// Every recording rule brings data, and no alert but those that are known. Those that need time are left for
/// later.
pub(crate) fn check_rules(database: &Database) -> Vec<Query> {
    let prometheus = database.prometheus;
    let mut later = Vec::new();
    assert_eq!(prometheus.broken_rules(), Vec::<String>::new());
    let mut wrong = Vec::new();
    for rule in rules() {
        let expr = shorter(&rule.expr);
        let has_data = || {
            let found = prometheus.query(&expr, now());
            let found = found.unwrap_or_else(|error| panic!("{}: {error}", rule.name));
            found.iter().any(|series| !series.values.is_empty())
        };
        if rule.name == AFTER_A_RECONCILE {
            if !has_data() {
                later.push(Query {
                    place: rule.name,
                    expr,
                    instant: true,
                });
            }
            continue;
        }
        let mut known = database.all_is_well.iter();
        let has_to = !rule.is_alert || known.any(|(alert, _)| *alert == rule.name);
        let is_recorded =
            || rule.is_alert || !prometheus.query(&rule.name, now()).unwrap().is_empty();
        if !comes_true(|| has_data() == has_to && is_recorded()) {
            wrong.push(rule.name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    later
}

/// Two exporters pull the healthy target. It has as many calls as each says, not twice as many.
pub(crate) fn check_that_nothing_counts_twice(prometheus: &Prometheus) {
    let boards = boards();
    let queries: Vec<Query> = boards.iter().flat_map(boards::Board::queries).collect();
    // Panels leave out the moments after a delay, as there are on a busy machine.
    let value = |expr: &str| {
        for _ in 0..LOOKS {
            let answer = prometheus.query(expr, now()).unwrap();
            if let [one] = &answer[..] {
                return one.values[0];
            }
            sleep(Duration::from_secs(1));
        }
        panic!("no value: {expr}")
    };
    let mut chosen = ALL.to_vec();
    for (name, value) in &mut chosen {
        match *name {
            "target" => *value = "healthy",
            "cluster" => *value = "north",
            _ => {}
        }
    }
    let of_healthy = "cluster=\"north\",target=\"healthy\"";
    for (place, each) in [
        (
            "contact-centre.json: Calls in the lookback",
            format!("max(sum by (instance) (cec_window_calls{{{of_healthy}}}))"),
        ),
        (
            "contact-centre.json: Finished an hour by status",
            format!(
                "3600 * max(sum by (instance) (rate(cec_calls_processed_total{{{of_healthy},status=\"succeeded\"}}[15s])))"
            ),
        ),
    ] {
        // The last one of a panel is that of the calls that succeeded.
        let mut of_place = queries.iter().filter(|query| query.place == place);
        let query = of_place.next_back().unwrap();
        let shown = value(&format!("sum({})", filled_with(&query.expr, &chosen)));
        let each = value(&each);
        assert!(
            each > 0.0 && shown < 1.3 * each,
            "{place}: {shown} of {each}"
        );
    }
}

/// The queries that had no data while all was well have some now.
pub(crate) fn check_later(prometheus: &Prometheus, later: &[Query]) {
    let mut missing = Vec::new();
    for query in later {
        let mut query = query.clone();
        if NEVER_HERE.iter().any(|metric| query.expr.contains(metric)) {
            query.expr = query.expr.strip_suffix("> 0").unwrap().to_owned();
        }
        if !has_data(prometheus, &query, ALL) {
            missing.push(format!("{}\n  {}", query.place, query.expr));
        }
    }
    assert!(missing.is_empty(), "still no data:\n{}", missing.join("\n"));
}
