//! Panels: names, descriptions, colours, places.

use std::collections::{BTreeMap, BTreeSet};

use super::text;
use crate::support::boards::{self, Board, boards};
use cec_exporter::metrics::catalog;
use cec_exporter::metrics::exporter::UnprovenReason;
use cec_exporter::model::Rejection;

/// Links from elsewhere and from bookmarks hold as long as these stay.
const UIDS: [(&str, &str); 6] = [
    ("contact-centre.json", "cec-contact-centre"),
    ("exporter.json", "cec-exporter"),
    ("pipeline.json", "cec-pipeline"),
    ("quality.json", "cec-quality"),
    ("speech-quality.json", "cec-speech-quality"),
    ("summary.json", "cec-summary"),
];

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

/// The same board in Chinese.
fn in_chinese(board: &Board) -> Board {
    let path = boards::in_repository("dashboards/zh-CN").join(&board.file);
    let source = boards::read(&path);
    Board {
        file: board.file.clone(),
        json: serde_json::from_str(&source).unwrap(),
        source,
    }
}

/// No series is called by its legend as long as that has labels to be filled in.
#[test]
fn overrides_are_for_names_that_series_can_have() {
    for board in boards().into_iter().flat_map(|b| [in_chinese(&b), b]) {
        for panel in board.panels() {
            let overrides = panel["fieldConfig"]["overrides"].as_array();
            for entry in overrides.into_iter().flatten() {
                let name = text(&entry["matcher"]["options"]);
                assert!(!name.contains("{{"), "{}: {name}", board.place(panel));
            }
        }
    }
}

/// Behind the name of a target, where no override knows the whole name.
#[test]
fn reasons_have_chinese_names() {
    let reasons = [
        (
            catalog::REJECTED.name,
            Rejection::ALL.map(|r| r.label().to_owned()).to_vec(),
        ),
        (
            catalog::UNPROVEN.name,
            UnprovenReason::ALL.map(|r| r.label().to_owned()).to_vec(),
        ),
    ];
    let mut seen = 0;
    for board in boards().iter().map(in_chinese) {
        for panel in board.panels() {
            let exprs = panel["targets"].to_string();
            for (_, reasons) in reasons.iter().filter(|(name, _)| exprs.contains(name)) {
                let renamed = panel["transformations"].to_string();
                for reason in reasons {
                    let name = format!("\"(.*) {reason}\"");
                    assert!(renamed.contains(&name), "{}: {reason}", board.place(panel));
                }
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 2);
}

/// Chinese boards are the same with other words.
#[test]
fn the_chinese_boards_ask_the_same() {
    for board in boards() {
        let chinese = in_chinese(&board);
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

/// Grafana takes a text of digits for a number: 007 would be 7, and the 19 digits of an agent's id rounded.
#[test]
fn names_in_tables_are_texts() {
    let mut seen = 0;
    for board in boards() {
        for panel in board.panels().iter().filter(|p| p["type"] == "table") {
            let overrides = panel["fieldConfig"]["overrides"].as_array().unwrap();
            let renamed = panel["transformations"][1]["options"]["renameByName"].as_object();
            let labels = renamed.unwrap().iter();
            let labels = labels.filter(|(label, _)| !label.starts_with("Value"));
            for (label, name) in labels {
                let is_text = overrides.iter().any(|entry| {
                    let properties = entry["properties"].as_array().unwrap();
                    entry["matcher"]["options"] == *name
                        && properties
                            .contains(&serde_json::json!({"id": "unit", "value": "string"}))
                });
                assert!(is_text, "{}: {label}", board.place(panel));
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} labels");
}

/// The cells of a column have its colours, and without a value none.
#[test]
fn cells_without_a_value_have_no_colour() {
    let mut seen = 0;
    for board in boards() {
        for panel in board.panels().iter().filter(|p| p["type"] == "table") {
            let overrides = panel["fieldConfig"]["overrides"].as_array().unwrap();
            let properties = overrides
                .iter()
                .flat_map(|entry| entry["properties"].as_array().unwrap());
            for thresholds in properties.filter(|property| property["id"] == "thresholds") {
                let base = &thresholds["value"]["steps"][0];
                assert_eq!(base["color"], "transparent", "{}", board.place(panel));
                assert!(base["value"].is_null(), "{}", board.place(panel));
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} columns");
}

/// The repository is cloned more often than the pictures are looked at.
#[test]
fn pictures_are_small() {
    for path in boards::files("dashboards/pictures", "") {
        let picture = std::fs::read(&path).unwrap();
        let size = picture.len();
        assert!(picture.starts_with(b"\x89PNG"), "{}", path.display());
        assert!(size <= 300_000, "{}: {size} bytes", path.display());
    }
}
