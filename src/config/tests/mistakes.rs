//! A mistake in the structure of the file is one line with its position and what was expected.

use std::path::Path;

use proptest::prelude::*;

use super::super::targets;
use super::{REST, cases, config};

/// Files and their errors after the name of the file.
const MISTAKES: &str = r#"
=> : expected a mapping with keys such as targets, got nothing
# nothing yet
=> : expected a mapping with keys such as targets, got nothing
- a
=> :1:1: expected a mapping with keys such as targets
hunter2
=> :1:1: expected a mapping with keys such as targets
defaults: {}
=> : targets: expected a list of at least one target
targets:
=> :1:8: targets: expected a list of at least one target
targets: []
=> :1:10: targets: expected a list of at least one target
targets: {a: b}
=> :1:10: targets: expected a list: [a, b], or a line with - for each entry
targets:
- app_secret:hunter2
=> :2:3: targets[0]: expected a mapping
targets:
-
=> :2:2: targets[0]: expected a mapping, got nothing
target: []
=> :1:1: target: unknown key; did you mean `targets`?
targets: []
targets: []
=> :2:1: targets: expected only once, but it is already on line 1
targets: []
---
=> :2:4: not valid YAML: only single YAML document expected but multiple found
targets: [
=> :1:10: not valid YAML: unclosed bracket '['
defaults:
  name: a
=> :2:9: defaults.name: expected only in a target: names are unique
defaults:
  page_size: 0
targets: [{}]
=> :2:14: defaults.page_size: expected a whole number from 1 to 10000, got 0
defaults: []
=> :1:11: defaults: expected a mapping
targets: [{name: ''}]
=> :1:18: targets[0].name: expected a name of 1 to 64 bytes without control characters, got ""
targets: [{name: "a\nb"}]
=> :1:18: targets[0].name: expected a name of 1 to 64 bytes without control characters, got "a\nb"
targets: [{name: a}]
=> :1:11: targets[0].endpoint: expected a value, but the key is missing or has no value
targets: [{{REST}}]
=> :1:11: targets[0].name: expected a value, but the key is missing or has no value
targets:
- name: a
  endpoint: http://h
=> :2:3: targets[0].app_key: expected a value, but the key is missing or has no value
targets: [{name: a, {NO_SECRET}, page_size: 1}]
=> :1:11: targets[0].app_secret: expected app_secret or app_secret_file, but the key is missing or has no value
targets: [{name: a, {NO_SECRET}, app_secret: }]
=> :1:11: targets[0].app_secret: expected app_secret or app_secret_file, but the key is missing or has no value
targets: [{name: a, {NO_SECRET}, app_secret: ''}]
=> :1:78: targets[0].app_secret: expected a value, got an empty one
targets: [{name: a, {NO_SECRET}, app_secret: '${EMPTY}'}]
=> :1:78: targets[0].app_secret: expected a value, got an empty one
targets: [{name: a, {NO_SECRET}, app_secret: ' hunter2'}]
=> :1:78: targets[0].app_secret: expected printable ASCII characters only, without spaces around them
targets: [{name: a, {NO_SECRET}, app_secret: [hunter2]}]
=> :1:78: targets[0].app_secret: expected a single value, not a list or a mapping
targets: [{name: a, {NO_SECRET}, app_secret_file: ''}]
=> :1:83: targets[0].app_secret_file: expected the path of a file
targets: [{name: a, {NO_SECRET}, app_secret_file: absent}]
=> :1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file cannot be read: No such file or directory (os error 2)
targets: [{name: a, {NO_SECRET}, app_secret_file: '${SECRET}'}]
=> :1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file cannot be read: No such file or directory (os error 2)
targets: [{name: a, {NO_SECRET}, app_secret_file: empty}]
=> :1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file is empty
targets: [{name: a, {NO_SECRET}, app_secret_file: large}]
=> :1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file is larger than 64 KiB
targets: [{name: a, {NO_SECRET}, app_secret_file: lines}]
=> :1:83: targets[0].app_secret_file: expected the path of a file with a secret, but that file is not one line of printable ASCII without spaces around it
targets:
- {name: a, {REST}}
- {name: a, {REST}}
=> :3:10: targets[1].name: expected a unique name, but targets[0] has the same
targets:
- {name: a, {REST}}
- {name: b, lookback: 5m, overlap: 6m, {REST}}
=> :3:36: targets[1].overlap: expected at most lookback (5m), got 6m
defaults: {lookback: 2h}
targets: [{name: a, overlap: 3h, {REST}}]
=> :2:30: targets[0].overlap: expected at most lookback (2h), got 3h
defaults: {overlap: 2h}
targets:
- {name: a, {REST}}
- {name: b, lookback: 1h, {REST}}
=> :4:23: targets[1].lookback: expected at least overlap (2h), got 1h
defaults: {overlap: 2h, lookback: 1h}
targets:
- {name: a, {REST}}
- {name: b, {REST}}
=> :1:21: defaults.overlap: expected at most lookback (1h), got 2h
targets:
- {name: a, {REST}}
- {name: b, endpoint: x, {REST}}
=> :3:26: targets[1].endpoint: expected only once
targets:
- endpoint: https://h/apiaccess/x
=> :2:13: targets[0].endpoint: expected only scheme, host and port; the exporter adds the paths of the API, got "https://h/apiaccess/x"
"#;

#[test]
fn a_mistake_in_the_whole_is_one_line_too() {
    const NO_SECRET: &str = "endpoint: https://h, app_key: k, user_id: u";
    for (text, expected) in cases(MISTAKES) {
        let text = text
            .replace("{REST}", REST)
            .replace("{NO_SECRET}", NO_SECRET);
        let expected = format!("cec_exporter.yml{expected}");
        assert_eq!(config(&text).unwrap_err(), expected, "{text}");
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
