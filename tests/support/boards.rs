//! The dashboards and rules of this repository, read as data.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) use super::tools::{in_repository, read};

/// Files of a directory with this ending, in order of their names.
pub(crate) fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let directory = in_repository(directory);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no *{ending} in {}", directory.display());
    files
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// A text in JSON; an empty one if there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A dashboard.
pub(crate) struct Board {
    pub(crate) file: String,
    pub(crate) source: String,
    pub(crate) json: Value,
}

/// A query of a panel.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// Board and panel, for messages.
    pub(crate) place: String,
    pub(crate) expr: String,
    /// Asked for one moment instead of a range of time.
    pub(crate) instant: bool,
}

pub(crate) fn boards() -> Vec<Board> {
    let read_board = |path: &PathBuf| {
        let source = read(path);
        let file = file_name(path);
        let json = serde_json::from_str(&source).unwrap_or_else(|error| panic!("{file}: {error}"));
        Board { file, source, json }
    };
    files("dashboards", ".json")
        .iter()
        .map(read_board)
        .collect()
}

impl Board {
    /// Everything on it, with the headings of its rows.
    pub(crate) fn items(&self) -> Vec<&Value> {
        let top = self.json["panels"].as_array().unwrap();
        top.iter()
            .flat_map(|item| {
                let within = item["panels"].as_array().into_iter().flatten();
                std::iter::once(item).chain(within)
            })
            .collect()
    }

    /// What shows data.
    pub(crate) fn panels(&self) -> Vec<&Value> {
        let mut items = self.items();
        items.retain(|item| item["type"] != "row");
        items
    }

    pub(crate) fn place(&self, panel: &Value) -> String {
        format!("{}: {}", self.file, text(&panel["title"]))
    }

    pub(crate) fn queries(&self) -> Vec<Query> {
        let of_panel = |panel: &&Value| {
            let targets = panel["targets"].as_array().cloned().unwrap_or_default();
            let place = self.place(panel);
            targets.into_iter().map(move |target| Query {
                place: place.clone(),
                expr: text(&target["expr"]).to_owned(),
                instant: target["instant"] == true,
            })
        };
        self.panels().iter().flat_map(of_panel).collect()
    }

    /// The events that are drawn into every panel.
    pub(crate) fn annotations(&self) -> Vec<Query> {
        let list = self.json["annotations"]["list"].as_array().unwrap();
        list.iter()
            .map(|annotation| Query {
                place: format!("{}: annotation {}", self.file, text(&annotation["name"])),
                expr: text(&annotation["expr"]).to_owned(),
                instant: false,
            })
            .collect()
    }

    pub(crate) fn variables(&self) -> Vec<&Value> {
        let list = self.json["templating"]["list"].as_array().unwrap();
        list.iter().collect()
    }
}

/// A rule of Prometheus.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) file: String,
    pub(crate) group: String,
    /// Of the alert, or of the series that is recorded.
    pub(crate) name: String,
    pub(crate) is_alert: bool,
    pub(crate) expr: String,
    /// How long before the alert fires.
    pub(crate) hold: String,
    pub(crate) labels: Value,
    pub(crate) annotations: Value,
}

pub(crate) const RULES: &str = "deploy/prometheus";

pub(crate) fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&read(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn rules() -> Vec<Rule> {
    rules_in(RULES)
}

pub(crate) fn rules_in(directory: &str) -> Vec<Rule> {
    let mut rules = Vec::new();
    for path in files(directory, ".rules.yml") {
        let file = yaml(&path);
        for group in file["groups"].as_array().unwrap() {
            for rule in group["rules"].as_array().unwrap() {
                let is_alert = rule["alert"].is_string();
                let name = if is_alert { "alert" } else { "record" };
                rules.push(Rule {
                    file: file_name(&path),
                    group: text(&group["name"]).to_owned(),
                    name: text(&rule[name]).to_owned(),
                    is_alert,
                    expr: text(&rule["expr"]).to_owned(),
                    hold: text(&rule["for"]).to_owned(),
                    labels: rule["labels"].clone(),
                    annotations: rule["annotations"].clone(),
                });
            }
        }
    }
    rules
}

/// A metric as a query names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Used {
    pub(crate) name: String,
    /// What is between its braces.
    pub(crate) matchers: String,
    /// What stands before it, and after it and its braces.
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Used {
    /// The labels that it is chosen by.
    pub(crate) fn labels(&self) -> BTreeSet<&str> {
        let mut labels = BTreeSet::new();
        let mut rest = self.matchers.as_str();
        while let Some(end) = rest.find(['=', '!']) {
            labels.insert(rest[..end].trim_matches([',', ' ', '\n']));
            let value = rest[end..].find('"').unwrap() + end;
            rest = &rest[value + 1 + string_length(&rest[value + 1..])..];
        }
        labels
    }
}

/// The length of a string with its closing quote, after its opening one.
fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (index, letter) in rest.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return index + 1,
            _ => {}
        }
    }
    panic!("a string without an end: {rest}")
}

const WORDS: [&str; 8] = [
    "and", "or", "unless", "bool", "offset", "by", "without", "Inf",
];
/// What a list of labels follows.
const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// The metrics in a query: every name that is no function, no word of the language and no label.
pub(crate) fn metrics_in(expr: &str) -> Vec<Used> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < expr.len() {
        let rest = &expr[at..];
        let first = rest.chars().next().unwrap();
        if first == '"' {
            at += 1 + string_length(&rest[1..]);
        } else if first == '[' {
            at += rest.find(']').unwrap() + 1;
        } else if first.is_ascii_digit() {
            at += rest
                .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.')
                .unwrap_or(rest.len());
        } else if first.is_ascii_alphabetic() || first == '_' || first == '$' {
            let end = rest[1..]
                .find(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter))
                .map_or(rest.len(), |end| end + 1);
            let name = &rest[..end];
            let next = rest[end..].trim_start();
            if GROUPING.contains(&name) && next.starts_with('(') {
                at += rest.find(')').unwrap() + 1;
                continue;
            }
            let (before, mut after) = (&expr[..at], at + end);
            let mut matchers = "";
            if rest[end..].starts_with('{') {
                let close = closing_brace(&rest[end..]);
                matchers = &rest[end + 1..end + close];
                after += close + 1;
            }
            // `max (x)` as well as `max by (target) (x)`.
            let is_function = ["(", "by (", "without ("]
                .iter()
                .any(|after| next.starts_with(after));
            if !is_function && !WORDS.contains(&name) && first != '$' {
                found.push(Used {
                    name: name.to_owned(),
                    matchers: matchers.to_owned(),
                    before: before.to_owned(),
                    after: expr[after..].to_owned(),
                });
            }
            at = after;
        } else {
            at += first.len_utf8();
        }
    }
    found
}

fn closing_brace(text: &str) -> usize {
    let mut at = 1;
    loop {
        match text.as_bytes()[at] {
            b'}' => return at,
            b'"' => at += 1 + string_length(&text[at + 1..]),
            _ => at += 1,
        }
    }
}
