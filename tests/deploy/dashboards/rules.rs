//! The rules of Prometheus: accepted by promtool, documented, and each with its page.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::support::boards::{
    RULES, Rule, file_name, files, in_repository, metrics_in, read, rules, text, yaml,
};
use crate::support::tools::{is_installed, run};

fn alerts() -> Vec<Rule> {
    rules().into_iter().filter(|rule| rule.is_alert).collect()
}

fn is_threshold(rule: &Rule) -> bool {
    rule.file == "thresholds.rules.yml"
}

/// The cells of every table's line that begins with a code, without the marks of the code.
fn table(markdown: &str) -> Vec<Vec<String>> {
    let lines = markdown.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

#[test]
fn promtool_accepts_the_rules_and_the_sample_configuration() {
    if !is_installed("promtool") {
        return;
    }
    run(Command::new("promtool")
        .args(["check", "rules", "--lint=all", "--lint-fatal"])
        .args(files(RULES, ".rules.yml")));
    let config = in_repository(RULES).join("prometheus.yml");
    run(Command::new("promtool")
        .args(["check", "config"])
        .arg(&config));
    let loaded: BTreeSet<String> = yaml(&config)["rule_files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| text(file).to_owned())
        .collect();
    let there = files(RULES, ".rules.yml");
    assert_eq!(loaded, there.iter().map(|path| file_name(path)).collect());
}

#[test]
fn every_alert_says_what_is_wrong_and_leads_to_its_page() {
    for alert in alerts() {
        let name = &alert.name;
        assert!(name.starts_with("Cec"), "{name}");
        let severity = text(&alert.labels["severity"]);
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}: severity {severity}"
        );
        assert!(!alert.hold.is_empty(), "{name}: fires at a single sample");
        for annotation in ["summary", "description"] {
            let said = text(&alert.annotations[annotation]);
            assert!(said.ends_with('.'), "{name}: {annotation}");
            let says_what = said.contains("{{ $labels.") || said.contains("{{ with $labels.");
            assert!(
                says_what,
                "{name}: {annotation} does not say what it is about"
            );
        }
        // The value of these is always the same.
        let has_value = !["CecExporterDown", "CecThresholdMissing"].contains(&&**name);
        let description = text(&alert.annotations["description"]);
        assert_eq!(description.contains("$value"), has_value, "{name}: value");
        let page = format!("runbooks/{name}.md");
        assert_eq!(text(&alert.annotations["runbook_url"]), page, "{name}");
        let path = in_repository(RULES).join(page);
        assert!(path.is_file(), "{name}: there is no {}", path.display());
    }
}

#[test]
fn every_page_belongs_to_an_alert_and_has_its_parts() {
    let names: BTreeSet<String> = alerts().into_iter().map(|rule| rule.name).collect();
    let pages = files(&format!("{RULES}/runbooks"), ".md");
    let titles: BTreeSet<String> = pages
        .iter()
        .map(|path| file_name(path).trim_end_matches(".md").to_owned())
        .collect();
    assert_eq!(titles, names);
    for path in pages {
        let page = read(&path);
        let title = file_name(&path);
        assert!(page.starts_with(&format!("# {}\n", title.trim_end_matches(".md"))));
        let parts: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("## "))
            .collect();
        let wanted = [
            "## What it means",
            "## Who is affected",
            "## What to look at",
            "## What to do",
            "## When it resolves",
        ];
        assert_eq!(parts, wanted, "{title}");
        assert!(page.contains("```promql\n"), "{title}: no query");
        for link in page.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            let target = path.with_file_name(link);
            assert!(target.is_file(), "{title}: {link} leads nowhere");
        }
    }
}

/// Queries of the pages name only what there is; promtool reads their grammar.
#[test]
fn queries_of_the_pages_are_right() {
    let mut groups = String::from("groups:\n- name: pages\n  rules:\n");
    let recorded: BTreeSet<String> = rules().into_iter().map(|rule| rule.name).collect();
    let mut count = 0;
    for path in files(&format!("{RULES}/runbooks"), ".md") {
        let page = read(&path);
        for block in page.split("```promql\n").skip(1) {
            for query in block.split("```").next().unwrap().lines() {
                for used in metrics_in(query) {
                    let name = &used.name;
                    let plain = ["_bucket", "_sum", "_count"]
                        .iter()
                        .find_map(|suffix| name.strip_suffix(suffix))
                        .unwrap_or(name);
                    let is_there = recorded.contains(name)
                        || [
                            "up",
                            "process_start_time_seconds",
                            "process_resident_memory_bytes",
                        ]
                        .contains(&name.as_str())
                        || cec_exporter::metrics::catalog::ALL
                            .iter()
                            .any(|metric| metric.name == plain);
                    assert!(is_there, "{}: {name}", path.display());
                }
                let query = query.replace('\'', "''");
                groups.push_str(&format!("  - record: page:{count}\n    expr: '{query}'\n"));
                count += 1;
            }
        }
    }
    assert!(count > 30, "only {count} queries");
    if !is_installed("promtool") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pages.yml");
    std::fs::write(&file, groups).unwrap();
    run(Command::new("promtool").args(["check", "rules"]).arg(&file));
}

#[test]
fn recorded_names_have_a_level_a_metric_and_operations() {
    for rule in rules().iter().filter(|rule| !rule.is_alert) {
        let parts: Vec<&str> = rule.name.split(':').collect();
        assert_eq!(parts.len(), 3, "{}", rule.name);
        assert!(parts.iter().all(|part| !part.is_empty()), "{}", rule.name);
        if is_threshold(rule) {
            assert_eq!((parts[0], parts[2]), ("cec", "threshold"), "{}", rule.name);
        }
    }
}

/// A number in an alert would be a second place for it.
#[test]
fn alerts_compare_with_thresholds_alone() {
    let thresholds: BTreeSet<String> = rules()
        .into_iter()
        .filter(is_threshold)
        .map(|rule| rule.name)
        .collect();
    let mut in_use = BTreeSet::new();
    for rule in rules() {
        let used = metrics_in(&rule.expr).into_iter().map(|used| used.name);
        // The alert about missing thresholds names all of them.
        if rule.name != "CecThresholdMissing" {
            in_use.extend(used.filter(|name| thresholds.contains(name)));
        }
    }
    for alert in alerts() {
        for right in alert.expr.split(['<', '>', '=']).skip(1) {
            let number: String = right
                .trim_start()
                .chars()
                .take_while(|letter| letter.is_ascii_digit() || *letter == '.')
                .collect();
            assert!(
                number.is_empty() || number == "0",
                "{}: compares with {number}",
                alert.name
            );
        }
    }
    assert_eq!(in_use, thresholds);
}

#[test]
fn the_readme_has_every_threshold_and_every_alert_as_they_are() {
    let readme = table(&read(in_repository(RULES).join("README.md")));
    let rows = |wanted: &str, cells: [usize; 2]| -> BTreeMap<String, [String; 2]> {
        let lines = readme.iter().filter(|line| line[0].starts_with(wanted));
        lines
            .map(|line| (line[0].clone(), cells.map(|cell| line[cell].clone())))
            .collect()
    };
    let documented = rows("cec:", [1, 1]);
    let mut real = BTreeMap::new();
    for rule in rules().into_iter().filter(is_threshold) {
        let value = rule
            .expr
            .strip_prefix("vector(")
            .unwrap()
            .trim_end_matches(')');
        real.insert(rule.name, [value.to_owned(), value.to_owned()]);
    }
    assert_eq!(documented, real);

    let documented = rows("Cec", [1, 3]);
    // Several rules may have one name, with other severities and times.
    let mut real: BTreeMap<String, [Vec<String>; 2]> = BTreeMap::new();
    for rule in alerts() {
        let severity = text(&rule.labels["severity"]).to_owned();
        let of_name = real.entry(rule.name).or_default();
        for (list, value) in of_name.iter_mut().zip([severity, rule.hold]) {
            if !list.contains(&value) {
                list.push(value);
            }
        }
    }
    let real: BTreeMap<String, [String; 2]> = real
        .into_iter()
        .map(|(name, lists)| (name, lists.map(|list| list.join(", "))))
        .collect();
    assert_eq!(documented, real);
}

/// The Chinese files are the same rules with other words.
#[test]
fn the_chinese_rules_differ_in_texts_alone() {
    let chinese = format!("{RULES}/zh-CN");
    for name in ["recording", "thresholds", "alerts"] {
        let load = |directory: &str| {
            let file = in_repository(directory).join(format!("{name}.rules.yml"));
            let mut value = yaml(&file);
            let groups = value["groups"].as_array_mut().unwrap().iter_mut();
            for rule in groups.flat_map(|group| group["rules"].as_array_mut().unwrap().iter_mut()) {
                for text in ["summary", "description"] {
                    if rule["alert"].is_string() {
                        let said = rule["annotations"][text].take();
                        let ends = if directory == RULES { '.' } else { '。' };
                        assert!(said.as_str().unwrap().ends_with(ends), "{rule}");
                    }
                }
            }
            value
        };
        assert_eq!(load(RULES), load(&chinese), "{name}");
    }
    for path in files(&format!("{chinese}/runbooks"), ".md") {
        let page = read(&path);
        let parts: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with("## "))
            .collect();
        let wanted = ["## 含义", "## 影响", "## 查看", "## 处理", "## 何时恢复"];
        assert_eq!(parts, wanted, "{}", path.display());
    }
    let pages = |directory: &str| -> Vec<(String, Vec<String>)> {
        let pages = files(&format!("{directory}/runbooks"), ".md");
        let queries = |path: &std::path::PathBuf| {
            let page = read(path);
            let blocks = page.split("```promql\n").skip(1);
            blocks
                .map(|block| block.split("```").next().unwrap().to_owned())
                .collect()
        };
        pages
            .iter()
            .map(|path| (file_name(path), queries(path)))
            .collect()
    };
    assert_eq!(pages(RULES), pages(&chinese));
}
