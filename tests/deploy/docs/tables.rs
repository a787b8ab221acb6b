//! Tables of metrics, statuses, reasons and flags.

use std::collections::BTreeSet;

use cec_exporter::cli::Cli;
use cec_exporter::metrics::catalog;
use cec_exporter::model::Status;
use cec_exporter::puller::FAILURES;
use clap::{ArgAction, CommandFactory};

use super::page::{both, code_in, pairs};

#[test]
fn the_metrics_are_those_of_the_catalog() {
    let expected: Vec<_> = catalog::ALL
        .iter()
        .map(|metric| (metric.name, metric.kind.name(), metric.labels.to_vec()))
        .collect();
    for page in both("metrics") {
        let rows = page.table("metrics");
        let (last, rows) = rows.split_last().unwrap();
        assert_eq!(last[0], "`process_*`", "{}", page.file);
        let told: Vec<_> = rows
            .iter()
            .map(|row| {
                let labels = match row[2] == page.language.none {
                    true => vec![],
                    false => row[2]
                        .split(", ")
                        .map(|label| code_in(label).unwrap())
                        .collect(),
                };
                (code_in(row[0]).unwrap(), row[1], labels)
            })
            .collect();
        assert_eq!(told, expected, "{}", page.file);
        for row in rows {
            assert!(
                row[3].len() > 10,
                "{}: {} has no meaning",
                page.file,
                row[0]
            );
        }
    }
}

#[test]
fn the_readme_names_a_family_for_every_metric() {
    for page in &pairs()[0] {
        let families: Vec<&str> = page.text.split('`').skip(1).step_by(2).collect();
        for metric in catalog::ALL {
            let is_named = families
                .iter()
                .any(|family| match family.strip_suffix('*') {
                    Some(prefix) => !prefix.is_empty() && metric.name.starts_with(prefix),
                    None => *family == metric.name,
                });
            // The lookback as a number, and calls without a processing time, are details.
            let is_detail = [
                "cec_window_seconds",
                "cec_calls_processing_unobserved_total",
            ];
            assert!(
                is_named || is_detail.contains(&metric.name),
                "{}: {}",
                page.file,
                metric.name
            );
        }
    }
}

#[test]
fn every_metric_that_is_mentioned_exists() {
    let known: BTreeSet<&str> = catalog::ALL.iter().map(|metric| metric.name).collect();
    for page in pairs().iter().flatten() {
        // The pieces between back quotes, and the words of the queries.
        let quoted = page.text.split('`').skip(1).step_by(2);
        let queries = page.code().into_iter().filter(|c| c.starts_with("promql"));
        let words =
            queries.flat_map(|query| query.split(|c: char| !c.is_ascii_lowercase() && c != '_'));
        let mut checked = 0;
        for word in quoted.chain(words) {
            let is_name = word.starts_with("cec_")
                && word != "cec_exporter"
                && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let suffixes = ["_bucket", "_sum", "_count"].iter();
            let mut names = suffixes.filter_map(|suffix| word.strip_suffix(suffix));
            let name = names.next().unwrap_or(word);
            // `cec_exporter_` and the like stand for all that begin so.
            let is_prefix = name.ends_with('_');
            if is_name && !is_prefix {
                assert!(known.contains(name), "{}: {word}", page.file);
                checked += 1;
            }
        }
        let has_names = ["README", "metrics", "counting"];
        let must_have = has_names.iter().any(|name| page.file.contains(name));
        assert!(!must_have || checked > 10, "{}: {checked}", page.file);
    }
}

#[test]
fn the_statuses_are_those_of_the_model() {
    let expected: BTreeSet<_> = Status::documented()
        .map(|status| (status.to_string(), status.number(), status.is_final()))
        .collect();
    for page in both("metrics") {
        let rows = page.table("statuses");
        let told: BTreeSet<_> = rows
            .iter()
            .map(|row| {
                let name = code_in(row[0]).unwrap().to_owned();
                (name, row[1].parse().unwrap(), row[2] == page.language.yes)
            })
            .collect();
        assert_eq!(told, expected, "{}", page.file);
        assert_eq!(rows.len(), told.len(), "{}: a row is twice", page.file);
    }
}

#[test]
fn the_reasons_are_those_of_the_puller() {
    for page in both("troubleshooting") {
        let rows = page.table("reasons");
        let told: Vec<_> = rows.iter().map(|row| code_in(row[0]).unwrap()).collect();
        assert_eq!(told, FAILURES, "{}", page.file);
    }
}

#[test]
fn the_flags_are_those_of_the_command_line() {
    let mut cli = Cli::command();
    cli.build();
    for page in both("cli") {
        let flags = |command: &clap::Command, of_all: bool| -> Vec<(String, String)> {
            command
                .get_arguments()
                .filter(|flag| flag.get_id() != "version" && !flag.is_positional())
                .filter(|flag| (flag.is_global_set() || flag.get_id() == "help") == of_all)
                .map(|flag| {
                    let default = match (flag.get_action(), flag.get_default_values()) {
                        (ArgAction::SetTrue, _) => page.language.off.to_owned(),
                        (ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort, _) => {
                            String::new()
                        }
                        (_, []) => page.language.none.to_owned(),
                        (_, defaults) => {
                            let defaults = defaults.iter().map(|one| one.to_str().unwrap());
                            format!("`{}`", defaults.collect::<Vec<_>>().join("`, `"))
                        }
                    };
                    (format!("`--{}`", flag.get_long().unwrap()), default)
                })
                .collect()
        };
        let told = |table: &str| -> Vec<(String, String)> {
            let rows = page.table(&format!("flags: {table}"));
            rows.iter()
                .map(|row| (row[0].to_owned(), row[1].to_owned()))
                .collect()
        };
        assert_eq!(told("serve"), flags(&cli, false), "{}", page.file);
        let commands = page.table("commands");
        for command in cli.get_subcommands() {
            let name = command.get_name();
            let is_told = commands.iter().any(|row| {
                let mut words = code_in(row[0]).unwrap().split(' ');
                words.nth(1) == Some(name)
            });
            assert!(is_told, "{}: {name}", page.file);
            let own = flags(command, false);
            if !own.is_empty() {
                assert_eq!(told(name), own, "{} {name}", page.file);
            }
        }
        assert_eq!(
            commands.len(),
            cli.get_subcommands().count() + 1,
            "{}: a command that does not exist",
            page.file
        );
        let sorted = |mut flags: Vec<_>| {
            flags.sort();
            flags
        };
        assert_eq!(
            sorted(told("global")),
            sorted(flags(&cli, true)),
            "{}",
            page.file
        );
    }
}
