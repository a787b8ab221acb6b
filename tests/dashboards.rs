//! The dashboards, held against the list of metrics and against what Grafana needs.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

#[path = "support/boards.rs"]
mod boards;

use std::collections::{BTreeMap, BTreeSet};

use boards::{Board, Used, boards, metrics_in, rules};
use cec_exporter::metrics::catalog::{self, Kind, Metric};
use serde_json::Value;

/// Links from elsewhere and from bookmarks hold as long as these stay.
const UIDS: [(&str, &str); 5] = [
    ("contact-centre.json", "cec-contact-centre"),
    ("exporter.json", "cec-exporter"),
    ("pipeline.json", "cec-pipeline"),
    ("speech-quality.json", "cec-speech-quality"),
    ("summary.json", "cec-summary"),
];

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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The metric of the catalog that a series belongs to.
fn metric_of(series: &str) -> Option<&'static Metric> {
    catalog::ALL.iter().find(|metric| match metric.kind {
        // Native ones have no suffix.
        Kind::Histogram => ["_bucket", "_sum", "_count", ""]
            .iter()
            .any(|suffix| series.strip_suffix(suffix) == Some(metric.name)),
        _ => series == metric.name,
    })
}

fn is_counter(series: &str) -> bool {
    series == "process_cpu_seconds_total"
        || metric_of(series).is_some_and(|metric| metric.kind != Kind::Gauge)
}

/// Every use of a metric on a board, with the place of the query.
fn used_on(board: &Board) -> Vec<(String, Used)> {
    let queries = board.queries().into_iter().chain(board.annotations());
    queries
        .flat_map(|query| {
            let place = query.place;
            let metrics = metrics_in(&query.expr).into_iter();
            metrics.map(move |used| (place.clone(), used))
        })
        .collect()
}

#[test]
fn boards_and_panels_have_names_of_their_own() {
    let boards = boards();
    let uids: Vec<(&str, &str)> = boards
        .iter()
        .map(|board| (&*board.file, text(&board.json["uid"])))
        .collect();
    assert_eq!(uids, UIDS);
    let titles: BTreeSet<&str> = boards.iter().map(|b| text(&b.json["title"])).collect();
    assert_eq!(titles.len(), boards.len(), "two boards of one title");
    for board in &boards {
        let mut ids = BTreeSet::new();
        for item in board.items() {
            let place = board.place(item);
            let id = item["id"].as_u64().unwrap_or_else(|| panic!("{place}: id"));
            assert!(ids.insert(id), "{place}: id {id} is there twice");
        }
        assert!(
            board.json["id"].is_null(),
            "{}: an id of one Grafana",
            board.file
        );
        assert!(
            !text(&board.json["description"]).is_empty(),
            "{}",
            board.file
        );
    }
}

#[test]
fn every_panel_says_what_it_shows() {
    for board in boards() {
        for panel in board.panels() {
            let place = board.place(panel);
            assert!(text(&panel["title"]).len() > 3, "{place}: title");
            if panel["type"] == "text" {
                assert!(text(&panel["options"]["content"]).len() > 200, "{place}");
                continue;
            }
            let description = text(&panel["description"]);
            assert!(
                description.len() > 10 && description.ends_with('.'),
                "{place}: description"
            );
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!text(&defaults["unit"]).is_empty(), "{place}: unit");
            if panel["type"] == "heatmap" {
                let unit = &panel["options"]["yAxis"]["unit"];
                assert!(!text(unit).is_empty(), "{place}: unit of the axis");
            } else {
                // What is not there must not have the colour of something that is.
                let base = &defaults["thresholds"]["steps"][0];
                assert_eq!(base["color"], "text", "{place}: thresholds");
                assert!(base["value"].is_null(), "{place}: thresholds");
            }
            // What is there instead of data must not look like an error; a graph would write it at its axis.
            let has_text = !text(&defaults["noValue"]).is_empty();
            assert_eq!(has_text, panel["type"] != "timeseries", "{place}: noValue");
            assert!(
                !panel["targets"].as_array().unwrap().is_empty(),
                "{place}: no query"
            );
        }
    }
}

#[test]
fn data_come_from_the_source_that_is_chosen() {
    for board in boards() {
        let variables = board.variables();
        let source = variables[0];
        assert_eq!(
            (
                text(&source["name"]),
                text(&source["type"]),
                text(&source["query"])
            ),
            ("datasource", "datasource", "prometheus"),
            "{}: the first variable",
            board.file
        );
        let mut users: Vec<(String, &Value)> = Vec::new();
        for panel in board.panels() {
            users.push((board.place(panel), &panel["datasource"]));
            for target in panel["targets"].as_array().into_iter().flatten() {
                users.push((board.place(panel), &target["datasource"]));
            }
        }
        for variable in variables.iter().filter(|v| v["type"] == "query") {
            users.push((board.file.clone(), &variable["datasource"]));
        }
        for annotation in board.json["annotations"]["list"].as_array().unwrap() {
            users.push((board.file.clone(), &annotation["datasource"]));
        }
        for (place, source) in users {
            assert_eq!(source["uid"], "${datasource}", "{place}");
            assert_eq!(source["type"], "prometheus", "{place}");
        }
    }
}

#[test]
fn boards_lead_to_each_other_with_what_was_chosen() {
    for board in boards() {
        let file = &board.file;
        assert_eq!(board.json["tags"], serde_json::json!(["cec"]), "{file}");
        let link = &board.json["links"][0];
        assert_eq!(link["type"], "dashboards", "{file}");
        assert_eq!(link["tags"], board.json["tags"], "{file}");
        assert_eq!(link["includeVars"], true, "{file}");
        assert_eq!(link["keepTime"], true, "{file}");
    }
}

/// Names after a `$`, but for Grafana's own.
fn variables_in(text: &str) -> BTreeSet<&str> {
    text.split('$')
        .skip(1)
        .map(|rest| rest.trim_start_matches('{'))
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|name| !name.starts_with("__"))
        .collect()
}

#[test]
fn variables_are_there_and_in_use() {
    for board in boards() {
        let file = &board.file;
        let variables = board.variables();
        let there: BTreeSet<&str> = variables.iter().map(|v| text(&v["name"])).collect();
        // The address of the runbooks is used by links.
        let mut in_use = BTreeSet::from(["datasource", "runbooks"]);
        let queries = board.queries();
        for query in &queries {
            in_use.extend(variables_in(&query.expr));
        }
        // What a label is replaced by.
        in_use.remove("1");
        assert_eq!(there, in_use, "{file}");
        for variable in variables.iter().filter(|v| v["type"] == "query") {
            let name = text(&variable["name"]);
            assert_eq!(variable["multi"], true, "{file}: {name}");
            assert_eq!(variable["includeAll"], true, "{file}: {name}");
            assert_eq!(variable["current"]["value"][0], "$__all", "{file}: {name}");
        }
        for variable in &variables {
            assert!(!text(&variable["label"]).is_empty(), "{file}");
            assert!(!text(&variable["description"]).is_empty(), "{file}");
        }
    }
}

#[test]
fn queries_look_only_at_what_is_chosen() {
    for board in boards() {
        let variables = board.variables();
        let there: BTreeSet<&str> = variables.iter().map(|v| text(&v["name"])).collect();
        for (place, used) in used_on(&board) {
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
            let range = ["[$__rate_interval]", "[$__range]", "[1h]", "[1d]", "[15m]"]
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

/// What one colour means on one board it means on all of them.
#[test]
fn each_status_type_and_role_has_one_colour() {
    let mut colours: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for board in boards() {
        for panel in board.panels() {
            let overrides = panel["fieldConfig"]["overrides"].as_array();
            for entry in overrides.into_iter().flatten() {
                for property in entry["properties"].as_array().unwrap() {
                    if property["id"] == "color" {
                        let colour = text(&property["value"]["fixedColor"]).to_owned();
                        let name = text(&entry["matcher"]["options"]).to_owned();
                        colours.entry(name).or_default().insert(colour);
                    }
                }
            }
            // A graph by status has all of them.
            let source = panel.to_string();
            if panel["type"] == "timeseries" && source.contains("\"{{status}}\"") {
                for status in cec_exporter::model::Status::documented() {
                    assert!(
                        source.contains(&format!("\"options\":\"{status}\"")),
                        "{}: {status}",
                        board.place(panel)
                    );
                }
            }
        }
    }
    assert!(colours.len() > 20, "{colours:?}");
    for (name, of) in &colours {
        assert_eq!(of.len(), 1, "{name}: {of:?}");
    }
    let of = |name: &str| colours[name].first().unwrap().clone();
    assert_eq!(of("succeeded"), "green");
    assert!(
        ["waiting", "transcribing", "inspecting"]
            .iter()
            .all(|status| of(status).contains("blue"))
    );
}

/// Chinese boards are the same with other words.
#[test]
fn the_chinese_boards_ask_the_same() {
    for board in boards() {
        let path = boards::in_repository("dashboards/zh-CN").join(&board.file);
        let source = boards::read(&path);
        let chinese = Board {
            file: board.file.clone(),
            json: serde_json::from_str(&source).unwrap(),
            source,
        };
        let exprs = |board: &Board| -> Vec<String> {
            let queries = board.queries().into_iter().chain(board.annotations());
            queries.map(|query| query.expr).collect()
        };
        assert_eq!(exprs(&board), exprs(&chinese), "{}", board.file);
        assert_eq!(
            chinese.json["uid"],
            format!("{}-zh", text(&board.json["uid"]))
        );
        for panel in chinese.panels() {
            let description = text(&panel["description"]);
            assert!(
                description.ends_with('。'),
                "{}: {description}",
                chinese.place(panel)
            );
        }
        // They lead to each other, not to the English ones.
        assert_eq!(chinese.json["tags"], serde_json::json!(["cec-zh"]));
    }
}

/// A limit between two bounds would silently count nothing.
#[test]
fn limits_to_choose_from_are_bounds_of_the_histograms() {
    let bounds = BTreeMap::from([
        ("fast", catalog::SPEED.bounds),
        ("slow", catalog::SPEED.bounds),
    ]);
    // Those of the configuration as well.
    assert!(catalog::PROCESSING_TIME.bounds.contains(&1800.0));
    assert!(catalog::SPEED.bounds.contains(&300.0));
    let mut seen = 0;
    for board in boards() {
        for query in board.queries() {
            for (name, _) in bounds
                .iter()
                .filter(|(name, _)| query.expr.contains(&format!("le=~\"${name}")))
            {
                // Prometheus 3 writes whole bounds with a decimal.
                let pattern = format!("le=~\"${name}(\\\\.0)?\"");
                assert!(query.expr.contains(&pattern), "{}: {name}", query.place);
            }
        }
        for variable in board.variables() {
            let Some(bounds) = bounds.get(text(&variable["name"])) else {
                continue;
            };
            for option in variable["options"].as_array().unwrap() {
                seen += 1;
                let value: f64 = text(&option["value"]).parse().unwrap();
                assert!(bounds.contains(&value), "{value}: no bound");
            }
        }
    }
    assert!(seen > 10, "only {seen} choices");
    let speeds = boards();
    let speech = speeds
        .iter()
        .find(|b| b.file == "speech-quality.json")
        .unwrap();
    let defaults: Vec<(&str, &str)> = speech
        .variables()
        .iter()
        .filter(|v| v["type"] == "custom")
        .map(|v| (text(&v["name"]), text(&v["current"]["value"])))
        .collect();
    assert_eq!(defaults, [("fast", "300"), ("slow", "120")]);
}

#[test]
fn colours_are_those_of_the_theme() {
    for board in boards() {
        for sign in ["\"#", "rgb(", "rgba(", "hsl("] {
            assert!(!board.source.contains(sign), "{}: {sign}", board.file);
        }
    }
}

#[test]
fn panels_lie_side_by_side() {
    for board in boards() {
        // A collapsed row has its panels below itself; they come into view when it is opened.
        let top = board.json["panels"].as_array().unwrap();
        let within = top.iter().filter_map(|row| row["panels"].as_array());
        for group in std::iter::once(top).chain(within) {
            let mut taken: BTreeMap<(u64, u64), String> = BTreeMap::new();
            for item in group {
                let place = board.place(item);
                let at = |key: &str| item["gridPos"][key].as_u64().unwrap();
                assert!(at("x") + at("w") <= 24, "{place}: too wide");
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        let other = taken.insert((x, y), place.clone());
                        assert!(other.is_none(), "{place} lies over {other:?}");
                    }
                }
            }
        }
        // What is open fits into two or three screens.
        let open = top.iter().filter(|item| item["type"] != "row");
        assert!(open.count() <= 18, "{}: too much is open", board.file);
    }
}
