//! A mistake in the structure of the file is one line with its position and what was expected.

use std::path::Path;

use proptest::prelude::*;

use super::super::targets;
use super::{REST, config};

#[test]
fn a_mistake_in_the_whole_is_one_line_too() {
    let secret = |entry: &str| {
        format!("targets: [{{name: a, endpoint: https://h, app_key: k, user_id: u, {entry}}}]")
    };
    let two = |second: &str| format!("targets:\n- {{name: a, {REST}}}\n- {{{second}, {REST}}}");
    for (text, expected) in [
        (
            String::new(),
            ": expected a mapping with keys such as targets, got nothing",
        ),
        (
            "# nothing yet\n".to_owned(),
            ": expected a mapping with keys such as targets, got nothing",
        ),
        (
            "- a\n".to_owned(),
            ":1:1: expected a mapping with keys such as targets",
        ),
        (
            "hunter2".to_owned(),
            ":1:1: expected a mapping with keys such as targets",
        ),
        (
            "defaults: {}".to_owned(),
            ": targets: expected a list of at least one target",
        ),
        (
            "targets:".to_owned(),
            ":1:8: targets: expected a list of at least one target",
        ),
        (
            "targets: []".to_owned(),
            ":1:10: targets: expected a list of at least one target",
        ),
        (
            "targets: {a: b}".to_owned(),
            ":1:10: targets: expected a list: [a, b], or a line with - for each entry",
        ),
        (
            "targets:\n- app_secret:hunter2".to_owned(),
            ":2:3: targets[0]: expected a mapping",
        ),
        (
            "targets:\n-".to_owned(),
            ":2:2: targets[0]: expected a mapping, got nothing",
        ),
        (
            "target: []".to_owned(),
            ":1:1: target: unknown key; did you mean `targets`?",
        ),
        (
            "targets: []\ntargets: []".to_owned(),
            ":2:1: targets: expected only once, but it is already on line 1",
        ),
        (
            "targets: []\n---\n".to_owned(),
            ":2:4: not valid YAML: only single YAML document expected but multiple found",
        ),
        (
            "targets: [\n".to_owned(),
            ":1:10: not valid YAML: unclosed bracket '['",
        ),
        (
            "defaults:\n  name: a".to_owned(),
            ":2:9: defaults.name: expected only in a target: names are unique",
        ),
        (
            "defaults:\n  page_size: 0\ntargets: [{}]".to_owned(),
            ":2:14: defaults.page_size: expected a whole number from 1 to 10000, got 0",
        ),
        (
            "defaults: []".to_owned(),
            ":1:11: defaults: expected a mapping",
        ),
        (
            "targets: [{name: ''}]".to_owned(),
            ":1:18: targets[0].name: expected a name of 1 to 64 bytes without control characters, got \"\"",
        ),
        (
            "targets: [{name: \"a\\nb\"}]".to_owned(),
            ":1:18: targets[0].name: expected a name of 1 to 64 bytes without control characters, got \"a\\nb\"",
        ),
        (
            "targets: [{name: a}]".to_owned(),
            ":1:11: targets[0].endpoint: expected a value, but the key is missing or has no value",
        ),
        (
            format!("targets: [{{{REST}}}]"),
            ":1:11: targets[0].name: expected a value, but the key is missing or has no value",
        ),
        (
            secret("page_size: 1"),
            ":1:11: targets[0].app_secret: expected app_secret or app_secret_file, but the key is missing or has no value",
        ),
        (
            secret("app_secret: "),
            ":1:11: targets[0].app_secret: expected app_secret or app_secret_file, but the key is missing or has no value",
        ),
        (
            secret("app_secret: ''"),
            ":1:78: targets[0].app_secret: expected a value, got an empty one",
        ),
        (
            secret("app_secret: '${EMPTY}'"),
            ":1:78: targets[0].app_secret: expected a value, got an empty one",
        ),
        (
            secret("app_secret: ' hunter2'"),
            ":1:78: targets[0].app_secret: expected printable ASCII characters only, without spaces around them",
        ),
        (
            secret("app_secret: [hunter2]"),
            ":1:78: targets[0].app_secret: expected a single value, not a list or a mapping",
        ),
        (
            secret("app_secret_file: ''"),
            ":1:83: targets[0].app_secret_file: expected the path of a file",
        ),
        (
            secret("app_secret_file: absent"),
            ":1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file cannot be read: No such file or directory (os error 2)",
        ),
        (
            secret("app_secret_file: '${SECRET}'"),
            ":1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file cannot be read: No such file or directory (os error 2)",
        ),
        (
            secret("app_secret_file: empty"),
            ":1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file is empty",
        ),
        (
            secret("app_secret_file: large"),
            ":1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file is larger than 64 KiB",
        ),
        (
            secret("app_secret_file: lines"),
            ":1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file is not one line of printable ASCII without spaces around it",
        ),
        (
            two("name: a"),
            ":3:10: targets[1].name: expected a unique name, but targets[0] has the same",
        ),
        (
            two("name: b, lookback: 5m, overlap: 6m"),
            ":3:36: targets[1].overlap: expected at most lookback (5m), got 6m",
        ),
        (
            format!(
                "defaults: {{overlap: 2h}}\n{}",
                two("name: b, lookback: 1h")
            ),
            ":4:23: targets[1].lookback: expected at least overlap (2h), got 1h",
        ),
        (
            format!(
                "defaults: {{overlap: 2h, lookback: 1h}}\n{}",
                two("name: b")
            ),
            ":1:21: defaults.overlap: expected at most lookback (1h), got 2h",
        ),
        (
            two("name: b, endpoint: x"),
            ":3:26: targets[1].endpoint: expected only once",
        ),
        (
            "targets:\n- endpoint: https://h/apiaccess/x".to_owned(),
            ":2:13: targets[0].endpoint: expected only scheme, host and port; the exporter adds the paths of the API, got \"https://h/apiaccess/x\"",
        ),
    ] {
        assert_eq!(
            config(&text).unwrap_err(),
            format!("cec_exporter.yml{expected}"),
            "{text}"
        );
    }
}

/// `config` asserts that no error shows it.
#[test]
fn a_secret_in_broken_yaml_is_not_shown() {
    for value in [
        "!!int hunter2",
        "!hunter2 x",
        "&hunter2",
        "*hunter2",
        "{hunter2: 1}",
        "[hunter2",
        "\"hunter2\\q\"",
        "'hunter2",
        "hunter2: x",
        "@hunter2",
        "`hunter2`",
        "%hunter2",
        "|hunter2",
        "? hunter2",
        "hunter2\n  x",
        "\thunter2",
    ] {
        // A bare `hunter2: x` is an unknown key, which is shown.
        let is_key = ["hunter2: x", "? hunter2"].contains(&value);
        let keys = ["app_secret: ", "app_secret:", "app_secret ", ""];
        for key in &keys[..if is_key { 3 } else { 4 }] {
            let text =
                format!("targets:\n- name: a\n  app_key: k\n  {key}{value}\n  page_size: 0\n");
            assert!(config(&text).is_err(), "{text}");
        }
    }
    for text in [
        "hunter2",
        "targets: hunter2",
        "defaults: hunter2",
        "defaults: [hunter2]",
    ] {
        assert!(config(text).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn damage_is_answered_with_one_line_without_the_secret(
        at in 0..200_usize,
        damage in prop::sample::select("\t\n:{}[]-&*!|>'\"%@`#,?$ x0".chars().collect::<Vec<_>>()),
    ) {
        let good = format!("defaults: &d\n  page_size: 7\ntargets:\n  - <<: *d\n    name: a\n    {}\n",
            REST.replace(", ", "\n    "));
        let at = at % good.len();
        let damaged = format!("{}{damage}{}", &good[..at], &good[at + 1..]);
        if let Err(error) = targets::parse(&damaged, Path::new(""), &|_| None) {
            let error = error.to_string();
            prop_assert!(!error.contains('\n') && !error.contains("hunter2"), "{}", error);
        }
    }
}
