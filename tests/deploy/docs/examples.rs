//! Code blocks: the same in both languages, and taken by Prometheus.

use std::fs;
use std::process::Command;

use super::page::{Page, both, pairs};
use crate::support::tools::is_installed;

/// A code block without its comments, which are in the language of the page.
fn without_comments(code: &str) -> String {
    let lines = code.lines().map(|line| match line.trim_start() {
        comment if comment.starts_with('#') => "",
        _ => line.split(" # ").next().unwrap().trim_end(),
    });
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The code blocks but for diagrams and tables, whose words are in the language of the page.
fn comparable(page: &Page) -> Vec<String> {
    let code = page.code().into_iter();
    let code = code.filter(|code| !code.contains('▶') && !code.starts_with("csv"));
    code.map(without_comments).collect()
}

#[test]
fn both_languages_have_the_same_code() {
    let mut compared = 0;
    for [english, chinese] in pairs() {
        assert_eq!(
            comparable(&english),
            comparable(&chinese),
            "{} and {}",
            english.file,
            chinese.file
        );
        compared += comparable(&english).len();
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn both_languages_have_the_same_tables() {
    for [english, chinese] in pairs() {
        let rows = |page: &Page| -> Vec<usize> {
            let lines = page.text.lines().filter(|line| line.starts_with('|'));
            lines.map(|line| line.matches('|').count()).collect()
        };
        let (mut english, chinese_rows) = (rows(&english), rows(&chinese));
        if chinese.file.contains("web-configuration") {
            // The comparison with the toolkit's own test files, at its end, is in English alone.
            assert!(chinese_rows.len() > 10);
            english.truncate(chinese_rows.len());
        }
        assert_eq!(english, chinese_rows, "{}", chinese.file);
    }
}

#[test]
fn prometheus_takes_the_examples() {
    if !is_installed("promtool") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let check = |what: &str, text: &str| {
        let path = directory.path().join(what);
        fs::write(&path, text).unwrap();
        let mut promtool = Command::new("promtool");
        promtool.arg("check").arg(what);
        if what == "config" {
            promtool.arg("--syntax-only");
        }
        let output = promtool.arg(&path).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}\n{text}");
    };
    // The other language has the same examples.
    let mut configurations = 0;
    for [page, _] in pairs() {
        for code in page.code() {
            if code.contains("scrape_configs:") {
                check("config", code.split_once('\n').unwrap().1);
                configurations += 1;
            }
        }
    }
    assert_eq!(configurations, 5);
    let mut rules = "groups:\n- name: docs\n  rules:\n".to_owned();
    let [metrics, _] = both("metrics");
    let queries = metrics.code_with("histogram_quantile").split("\n\n");
    for (number, query) in queries.enumerate() {
        let query = query.replace('\n', "\n      ");
        rules.push_str(&format!(
            "  - record: docs:query{number}\n    expr: |\n      {query}\n"
        ));
    }
    check("rules", &rules);
}
