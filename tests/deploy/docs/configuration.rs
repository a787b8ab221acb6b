//! Keys, variables and examples of the configuration.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;

use cec_exporter::config::{self, Config};
use tempfile::TempDir;

use super::page::{both, code_in, pairs};

/// Loads a configuration as a user would, in a directory where the secret's file is.
fn load(directory: &TempDir, text: &str) -> Result<Config, String> {
    let path = directory.path().join("cec_exporter.yml");
    fs::write(directory.path().join("secret"), "hunter2\n").unwrap();
    fs::write(&path, text.replace("/run/secrets/cec", "secret")).unwrap();
    config::load(Some(&path), &path, &|_| None)
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
    for page in both("configuration") {
        let example = page.code_with("user_id: ");
        let keys = page.table("keys");
        let entries = entries(example);

        // What is required alone gives the same target, so what else is said are the defaults.
        let mut required = "targets:\n- ".to_owned();
        for (key, value) in &entries {
            let row = keys.iter().find(|row| code_in(row[0]) == Some(key));
            let row = row.unwrap_or_else(|| panic!("{}: {key} has no row", page.file));
            match code_in(row[1]) {
                Some(default) => assert_eq!(default, *value, "{}: {key}", page.file),
                None => required.push_str(&format!("{key}: {value}\n  ")),
            }
        }
        assert_eq!(
            load(&directory, example).unwrap().targets,
            load(&directory, &required).unwrap().targets,
            "{}",
            page.file
        );

        // The program's own list of keys is in its message about one that it does not know.
        let message = load(&directory, "targets: [{nonsense: 1}]").unwrap_err();
        let (_, known) = message.split_once("the keys here are ").unwrap();
        let known: BTreeSet<&str> = known.split(", ").collect();
        let told: BTreeSet<&str> = keys.iter().map(|row| code_in(row[0]).unwrap()).collect();
        assert_eq!(told, known, "{}", page.file);
        let mut shown: BTreeSet<&str> = entries.iter().map(|(key, _)| *key).collect();
        // Only one of the two can be there.
        shown.insert("app_secret");
        assert_eq!(shown, known, "{}", page.file);
    }
}

#[test]
fn the_account_of_the_readme_is_a_configuration() {
    let directory = tempfile::tempdir().unwrap();
    for page in &pairs()[0] {
        let example = page.code_with("user_id: ");
        assert!(example.lines().count() <= 10, "{}", page.file);
        let config = load(&directory, example);
        assert_eq!(config.unwrap().targets[0].name, "support", "{}", page.file);
    }
}

#[test]
fn the_example_of_a_mistake_is_answered_as_shown() {
    let directory = tempfile::tempdir().unwrap();
    for page in both("configuration") {
        let example = page.code_with("user_id: ");
        let shown = page.code_with("expected a whole number");
        let message = load(
            &directory,
            &example.replace("page_size: 100", "page_size: 0"),
        )
        .unwrap_err();
        assert_eq!(
            shown.trim(),
            format!("cec_exporter.yml{message}"),
            "{}",
            page.file
        );
    }
}

#[test]
fn the_variables_are_those_that_are_asked_for() {
    // Where there is no configuration file.
    let directory = tempfile::tempdir().unwrap();
    let default = directory.path().join("cec_exporter.yml");
    let asked = RefCell::new(BTreeSet::new());
    let environment = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        match name {
            "CEC_APP_SECRET_FILE" => None,
            name if name.ends_with("ENDPOINT") => Some("https://localhost".to_owned()),
            _ => Some("x".to_owned()),
        }
    };
    config::load(None, &default, &environment).unwrap();
    for page in both("configuration") {
        let rows = page.table("variables");
        let told: BTreeSet<String> = rows
            .iter()
            .map(|row| {
                let (name, key) = (code_in(row[0]).unwrap(), code_in(row[1]).unwrap());
                assert_eq!(name, format!("CEC_{}", key.to_ascii_uppercase()));
                name.to_owned()
            })
            .collect();
        assert_eq!(told, *asked.borrow(), "{}", page.file);
    }
}
