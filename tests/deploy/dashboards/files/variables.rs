//! Variables, data sources and links between the dashboards.

use std::collections::{BTreeMap, BTreeSet};

use cec_exporter::metrics::catalog;
use serde_json::Value;

use super::text;
use crate::support::boards::{Board, boards};

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

/// The addresses of other boards and of itself that a panel leads to.
fn data_links(panel: &Value) -> Vec<&str> {
    let config = &panel["fieldConfig"];
    let overrides = config["overrides"].as_array().into_iter().flatten();
    let properties = overrides.flat_map(|entry| entry["properties"].as_array().unwrap());
    let of_columns = properties.filter(|property| property["id"] == "links");
    let lists = of_columns.map(|property| &property["value"]);
    std::iter::once(&config["defaults"]["links"])
        .chain(lists)
        .flat_map(|links| links.as_array().into_iter().flatten())
        .map(|link| text(&link["url"]))
        .filter(|url| url.starts_with("/d/"))
        .collect()
}

/// Grafana leaves `${name:queryparam}` as a text if there is no such variable.
#[test]
fn links_keep_what_both_boards_can_choose() {
    let boards = boards();
    let names_on = |board: &Board| -> BTreeSet<String> {
        let variables = board.variables().into_iter();
        variables.map(|v| text(&v["name"]).to_owned()).collect()
    };
    let by_uid: BTreeMap<&str, BTreeSet<String>> = boards
        .iter()
        .map(|board| (text(&board.json["uid"]), names_on(board)))
        .collect();
    let (mut seen, mut of_single_boards) = (0, 0);
    for board in &boards {
        let here = names_on(board);
        for panel in board.panels() {
            for url in data_links(panel) {
                let place = format!("{}: {url}", board.place(panel));
                let (uid, query) = url["/d/".len()..].split_once('?').unwrap();
                let there = by_uid
                    .get(uid)
                    .unwrap_or_else(|| panic!("{place}: no board"));
                let mut kept = BTreeSet::new();
                let mut range = Vec::new();
                for part in query.split('&') {
                    if let Some(name) = part.strip_suffix(":queryparam}") {
                        kept.insert(name.trim_start_matches("${").to_owned());
                    } else if let Some(set) = part.strip_prefix("var-") {
                        kept.insert(set.split_once('=').unwrap().0.to_owned());
                    } else {
                        range.push(part.split('=').next().unwrap());
                    }
                }
                let in_both: BTreeSet<String> = here.intersection(there).cloned().collect();
                assert_eq!(kept, in_both, "{place}");
                assert!(
                    range == ["${__url_time_range}"] || range == ["from", "to"],
                    "{place}"
                );
                seen += 1;
                of_single_boards += usize::from(kept.len() > 4);
            }
        }
    }
    assert!(
        seen > 30 && of_single_boards > 5,
        "{seen}, {of_single_boards}"
    );
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
