//! What the README says in its tables and examples is what the program does, in both languages.
//!
//! A comment such as `<!-- metrics -->` in front of a table tells which one it is.

#![allow(clippy::unwrap_used)]

#[path = "support/installed.rs"]
mod installed;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use cec_exporter::cli::Cli;
use cec_exporter::config::{self, Config};
use cec_exporter::metrics::catalog;
use cec_exporter::model::Status;
use cec_exporter::puller::Failure;
use clap::{ArgAction, CommandFactory};
use installed::is_installed;
use tempfile::TempDir;

/// The README in one language, and that language's words for what a cell may say.
struct Readme {
    file: &'static str,
    text: &'static str,
    none: &'static str,
    off: &'static str,
    yes: &'static str,
}

const READMES: [Readme; 2] = [
    Readme {
        file: "README.md",
        text: include_str!("../README.md"),
        none: "none",
        off: "off",
        yes: "yes",
    },
    Readme {
        file: "README.zh-CN.md",
        text: include_str!("../README.zh-CN.md"),
        none: "无",
        off: "关",
        yes: "是",
    },
];

impl Readme {
    /// The rows of the table behind `<!-- name -->`, without its head.
    fn table(&self, name: &str) -> Vec<Vec<&str>> {
        let mark = format!("<!-- {name} -->\n\n");
        let (_, after) = self
            .text
            .split_once(&mark)
            .unwrap_or_else(|| panic!("{}: no table {name}", self.file));
        let rows = after.lines().take_while(|line| line.starts_with('|'));
        rows.skip(2)
            .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
            .collect()
    }

    /// The code blocks, each with its language on its first line.
    fn code(&self) -> Vec<&str> {
        self.text.split("\n```").skip(1).step_by(2).collect()
    }

    /// The only code block that contains this.
    fn code_with(&self, part: &str) -> &str {
        let mut found = self.code().into_iter().filter(|code| code.contains(part));
        let code = found.next().unwrap();
        assert_eq!(
            found.next(),
            None,
            "{}: two code blocks with {part}",
            self.file
        );
        code.split_once('\n').unwrap().1
    }
}

/// The text of a cell that is one piece of code, as most first cells are.
fn code_in(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

#[test]
fn the_metrics_are_those_of_the_catalog() {
    let expected: Vec<_> = catalog::ALL
        .iter()
        .map(|metric| (metric.name, metric.kind.name(), metric.labels.to_vec()))
        .collect();
    for readme in &READMES {
        let rows = readme.table("metrics");
        let (last, rows) = rows.split_last().unwrap();
        assert_eq!(last[0], "`process_*`", "{}", readme.file);
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                let labels = match row[2] == readme.none {
                    true => vec![],
                    false => row[2]
                        .split(", ")
                        .map(|label| code_in(label).unwrap())
                        .collect(),
                };
                (code_in(row[0]).unwrap(), row[1], labels)
            })
            .collect();
        assert_eq!(told, expected, "{}", readme.file);
    }
}

#[test]
fn every_metric_that_is_spoken_of_exists() {
    let known: BTreeSet<&str> = catalog::ALL.iter().map(|metric| metric.name).collect();
    for readme in &READMES {
        // The pieces between back quotes, and the words of the queries.
        let quoted = readme.text.split('`').skip(1).step_by(2);
        let query = readme
            .code_with("histogram_quantile")
            .split(|c: char| !c.is_ascii_lowercase() && c != '_');
        for word in quoted.chain(query) {
            let is_name = word.starts_with("cec_")
                && word != "cec_exporter"
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let name = word.strip_suffix("_bucket").unwrap_or(word);
            assert!(!is_name || known.contains(name), "{}: {word}", readme.file);
        }
    }
}

#[test]
fn the_statuses_are_those_of_the_model() {
    let expected: BTreeSet<_> = Status::documented()
        .map(|status| (status.to_string(), status.number(), status.is_final()))
        .collect();
    for readme in &READMES {
        let rows = readme.table("statuses");
        let told: BTreeSet<_> = rows
            .iter()
            .map(|row| {
                let name = code_in(row[0]).unwrap().to_owned();
                (name, row[1].parse().unwrap(), row[2] == readme.yes)
            })
            .collect();
        assert_eq!(told, expected, "{}", readme.file);
        assert_eq!(rows.len(), told.len(), "{}: a row is twice", readme.file);
    }
}

#[test]
fn the_reasons_are_those_of_the_puller() {
    for readme in &READMES {
        let rows = readme.table("reasons");
        let told: Vec<_> = rows.iter().map(|row| code_in(row[0]).unwrap()).collect();
        assert_eq!(told, Failure::LABELS, "{}", readme.file);
    }
}

#[test]
fn the_flags_are_those_of_the_command_line() {
    let mut cli = Cli::command();
    cli.build();
    for readme in &READMES {
        let flags = |command: &clap::Command, of_all: bool| -> Vec<(String, String)> {
            command
                .get_arguments()
                .filter(|flag| flag.get_id() != "version" && !flag.is_positional())
                .filter(|flag| (flag.is_global_set() || flag.get_id() == "help") == of_all)
                .map(|flag| {
                    let default = match (flag.get_action(), flag.get_default_values()) {
                        (ArgAction::SetTrue, _) => readme.off.to_owned(),
                        (ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort, _) => {
                            String::new()
                        }
                        (_, []) => readme.none.to_owned(),
                        (_, defaults) => format!("`{}`", defaults[0].to_str().unwrap()),
                    };
                    (format!("`--{}`", flag.get_long().unwrap()), default)
                })
                .collect()
        };
        let told = |table: &str| -> Vec<(String, String)> {
            let rows = readme.table(&format!("flags: {table}"));
            rows.iter()
                .map(|row| (row[0].to_owned(), row[1].to_owned()))
                .collect()
        };
        assert_eq!(told("serve"), flags(&cli, false), "{}", readme.file);
        let commands = readme.table("commands");
        for command in cli.get_subcommands() {
            let name = command.get_name();
            let shown = format!("`cec_exporter {name}");
            let is_told = commands.iter().any(|row| row[0].starts_with(&shown));
            assert!(is_told, "{}: {name}", readme.file);
            let own = flags(command, false);
            if !own.is_empty() {
                assert_eq!(told(name), own, "{} {name}", readme.file);
            }
        }
        let sorted = |mut flags: Vec<_>| {
            flags.sort();
            flags
        };
        assert_eq!(
            sorted(told("global")),
            sorted(flags(&cli, true)),
            "{}",
            readme.file
        );
    }
}

/// Loads a configuration as a user would, in a directory where the secret's file is.
fn load(directory: &TempDir, text: &str) -> Result<Config, String> {
    let path = directory.path().join("cec_exporter.yml");
    fs::write(directory.path().join("secret"), "hunter2\n").unwrap();
    fs::write(&path, text.replace("/run/secrets/cec", "secret")).unwrap();
    config::load(Some(&path), &|_| None)
        .map_err(|error| error.to_string().replace(path.to_str().unwrap(), ""))
}

/// The keys and values of the target in an example, without comments.
fn entries(yaml: &str) -> Vec<(&str, &str)> {
    let (_, target) = yaml.split_once("\n  - ").unwrap();
    let lines = target
        .lines()
        .map(|line| line.split(" #").next().unwrap().trim());
    lines.map(|line| line.split_once(": ").unwrap()).collect()
}

#[test]
fn the_example_of_a_configuration_has_every_key_with_its_default() {
    let directory = tempfile::tempdir().unwrap();
    for readme in &READMES {
        let example = readme.code_with("user_id: ");
        let keys = readme.table("keys");
        let entries = entries(example);

        // What is required alone gives the same target, so what else is said are the defaults.
        let mut required = "targets:\n- ".to_owned();
        for (key, value) in &entries {
            let row = keys.iter().find(|row| code_in(row[0]) == Some(key));
            let row = row.unwrap_or_else(|| panic!("{}: {key} has no row", readme.file));
            match code_in(row[1]) {
                Some(default) => assert_eq!(default, *value, "{}: {key}", readme.file),
                None => required.push_str(&format!("{key}: {value}\n  ")),
            }
        }
        assert_eq!(
            load(&directory, example).unwrap().targets,
            load(&directory, &required).unwrap().targets,
            "{}",
            readme.file
        );

        // The program's own list of keys is in its message about one that it does not know.
        let message = load(&directory, "targets: [{nonsense: 1}]").unwrap_err();
        let (_, known) = message.split_once("the keys here are ").unwrap();
        let known: BTreeSet<&str> = known.split(", ").collect();
        let told: BTreeSet<&str> = keys.iter().map(|row| code_in(row[0]).unwrap()).collect();
        assert_eq!(told, known, "{}", readme.file);
        let mut shown: BTreeSet<&str> = entries.iter().map(|(key, _)| *key).collect();
        // Only one of the two can be there.
        shown.insert("app_secret");
        assert_eq!(shown, known, "{}", readme.file);
    }
}

#[test]
fn the_example_of_a_mistake_is_answered_as_shown() {
    let directory = tempfile::tempdir().unwrap();
    for readme in &READMES {
        let example = readme.code_with("user_id: ");
        let shown = readme.code_with("expected a whole number");
        let message = load(
            &directory,
            &example.replace("page_size: 100", "page_size: 0"),
        )
        .unwrap_err();
        assert_eq!(
            shown.trim(),
            format!("cec_exporter.yml{message}"),
            "{}",
            readme.file
        );
    }
}

#[test]
fn the_variables_are_those_that_are_asked_for() {
    // Where there is no configuration file.
    let directory = tempfile::tempdir().unwrap();
    std::env::set_current_dir(directory.path()).unwrap();
    let asked = RefCell::new(BTreeSet::new());
    let environment = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        match name {
            "CEC_APP_SECRET_FILE" => None,
            name if name.ends_with("ENDPOINT") => Some("https://localhost".to_owned()),
            _ => Some("x".to_owned()),
        }
    };
    config::load(None, &environment).unwrap();
    for readme in &READMES {
        let rows = readme.table("variables");
        let told: BTreeSet<String> = rows
            .iter()
            .map(|row| {
                let (name, key) = (code_in(row[0]).unwrap(), code_in(row[1]).unwrap());
                assert_eq!(name, format!("CEC_{}", key.to_ascii_uppercase()));
                name.to_owned()
            })
            .collect();
        assert_eq!(told, *asked.borrow(), "{}", readme.file);
    }
}

#[test]
fn both_languages_have_the_same_code() {
    let [english, chinese] = READMES.each_ref().map(Readme::code);
    assert!(english.len() > 10);
    assert_eq!(english, chinese);
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in [
        "README.md",
        "README.zh-CN.md",
        "CHANGELOG.md",
        "deploy/README.md",
        "deploy/RELEASING.md",
        "deploy/compose/README.md",
        "deploy/docker/README.md",
        "deploy/helm/cec-exporter/README.md",
        "deploy/kubernetes/README.md",
        "deploy/systemd/README.md",
        "dashboards/README.md",
        "docs/ARCHITECTURE.md",
        "docs/counting.md",
        "docs/counting.zh-CN.md",
        "docs/versions.md",
    ] {
        let path = root.join(file);
        let text = fs::read_to_string(&path).unwrap();
        let links = text.split("](").skip(1);
        let links = links.map(|link| link.split_once(')').unwrap().0);
        let pictures = [" src=\"", " srcset=\""]
            .into_iter()
            .flat_map(|attribute| text.split(attribute).skip(1))
            .map(|link| link.split_once('"').unwrap().0);
        for link in links.chain(pictures) {
            if link.starts_with("https://") {
                continue;
            }
            let (to, heading) = link.split_once('#').unwrap_or((link, ""));
            let to = match to {
                "" => path.clone(),
                to => path.parent().unwrap().join(to),
            };
            assert!(to.exists(), "{file}: {link}");
            if !heading.is_empty() {
                let text = fs::read_to_string(to).unwrap();
                let mut anchors = text.lines().filter_map(anchor);
                assert!(anchors.any(|found| found == heading), "{file}: {link}");
            }
        }
    }
}

/// What leads to a heading, if a line is one.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    Some(kept.collect::<String>().to_lowercase())
}

#[test]
fn prometheus_takes_the_examples() {
    if !is_installed("promtool", "prometheus") {
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
    let [readme, _] = &READMES;
    let mut configurations = 0;
    for code in readme.code() {
        if code.contains("scrape_configs:") {
            check("config", code.split_once('\n').unwrap().1);
            configurations += 1;
        }
    }
    assert_eq!(configurations, 2);
    let mut rules = "groups:\n- name: readme\n  rules:\n".to_owned();
    for query in readme.code_with("histogram_quantile").split("\n\n") {
        let query = query.replace('\n', "\n      ");
        rules.push_str(&format!(
            "  - record: readme:query\n    expr: |\n      {query}\n"
        ));
    }
    // Each record may be there once for a set of labels.
    for number in 0..rules.matches("readme:query\n").count() {
        rules = rules.replacen("readme:query\n", &format!("readme:query{number}\n"), 1);
    }
    check("rules", &rules);
}
