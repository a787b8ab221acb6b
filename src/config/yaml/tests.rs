use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::config::tests::cases;

/// Positions and texts of a mapping of values.
fn scalars(text: &str) -> Vec<String> {
    let map: BTreeMap<String, Scalar> = parse(text, "a").unwrap();
    let show = |(key, value): (String, Scalar)| match value {
        Some(value) => {
            let at = position(&value).unwrap();
            format!("{key} {}:{} {}", at.line, at.column, value.value)
        }
        None => format!("{key} null"),
    };
    map.into_iter().map(show).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    #[expect(dead_code)]
    list: Option<Vec<Item>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    #[expect(dead_code)]
    number: Scalar,
    #[expect(dead_code)]
    numbers: List,
}

fn error(text: &str) -> String {
    let error = parse::<Root>(text, "list").err().unwrap();
    error.in_file(std::path::Path::new("f")).to_string()
}

#[test]
fn values_keep_the_text_that_was_written() {
    for written in [
        "1",
        "1611917095665261978",
        "161191709566526197812345678901234567890123456789",
        "0012",
        "1.10",
        "-7",
        "0x1f",
        "1_000",
        ".inf",
        "1e999",
        "true",
        "yes",
        "1h30m",
    ] {
        for after in ["", "\n", " # comment\n", "\r\nb: 2\r\n"] {
            let file = format!("a: {written}{after}");
            assert_eq!(scalars(&file)[0], format!("a 1:4 {written}"), "{file:?}");
        }
    }
    let quoted = "{a: 'x',b: \"y\", c: ~, d: , e: '~', f: !!str 8}";
    let expected = [
        "a 1:5 x", "b 1:12 y", "c null", "d null", "e 1:31 ~", "f 1:45 8",
    ];
    assert_eq!(scalars(quoted), expected);
    assert_eq!(scalars("\u{feff}a: 1\n"), ["a 1:4 1"]);
}

#[test]
fn aliases_and_merges_stand_where_they_are_defined() {
    assert_eq!(scalars("价: &b 17\nc: *b\n"), ["c 1:7 17", "价 1:7 17"]);
    let map: BTreeMap<String, BTreeMap<String, Scalar>> =
        parse("a: &m {q: 007}\nb:\n  <<: *m\n  r: 2\n", "a").unwrap();
    let merged = map["b"]["q"].as_ref().unwrap();
    assert_eq!(merged.value, "007");
    assert_eq!(
        position(merged),
        Some(Position {
            line: 1,
            column: 11
        })
    );
}

#[test]
fn thousands_of_targets_may_share_a_key_or_a_mapping() {
    let shared = "&m {q: 7}\n".to_owned();
    let merging: String = (0..9000).map(|n| format!("t{n}: {{<<: *m}}\n")).collect();
    let map: BTreeMap<String, BTreeMap<String, Scalar>> =
        parse(&format!("t: {shared}{merging}"), "t").unwrap();
    assert_eq!(map["t8999"]["q"].as_ref().unwrap().value, "7");
}

#[test]
fn a_mistake_is_named_by_its_path() {
    for (text, expected) in cases(
        r#"
- a
=> 1:1: expected a mapping with keys such as list
hunter2
=> 1:1: expected a mapping with keys such as list
list: hunter2
=> 1:7: list: expected a list: [a, b], or a line with - for each entry
list: {a: b}
=> 1:7: list: expected a list: [a, b], or a line with - for each entry
list: [hunter2]
=> 1:8: list[0]: expected a mapping
list: [[hunter2]]
=> 1:8: list[0]: expected a mapping
list:
- number: [hunter2]
=> 2:11: list[0].number: expected a single value, not a list or a mapping
list:
- number: {hunter2: 1}
=> 2:11: list[0].number: expected a single value, not a list or a mapping
list: [{}, {numbers: [1, [hunter2]]}]
=> 1:26: list[1].numbers[1]: expected a single value, not a list or a mapping
list: [{numbers: [~]}]
=> 1:19: list[0].numbers[0]: expected a single value, got nothing
list: [{number: !!int 9}]
=> 1:23: list[0].number: expected a single value, got a tag that changes its type
list: [{numbers: hunter2}]
=> 1:18: list[0].numbers: expected a list: [a, b], or a line with - for each entry
list: [{}, {numbr: hunter2}]
=> 1:13: list[1].numbr: unknown key; did you mean `number`?
lisst: []
=> 1:1: lisst: unknown key; did you mean `list`?
number:hunter2: 1
=> 1:1: unknown key; the keys here are list
list:
- number: 1
- number: 1
  numbers: []
  number: hunter2
=> 5:3: list[1].number: expected only once, but it is already on line 3
list: [{number: 1, number: hunter2}]
=> 1:20: list[0].number: expected only once
"#,
    ) {
        assert_eq!(error(&text), format!("f:{expected}"), "{text}");
    }
}

#[test]
fn a_syntax_error_shows_no_secret() {
    for (text, expected) in cases(
        r#"
list: *hunter2
=> 1:7: not valid YAML: reference to unknown value
list: "hunter2
=> 1:7: not valid YAML: unclosed quote
list: 'hunter2' hunter2
=> 1:17: not valid YAML: invalid trailing content after single-quoted scalar
list:
- number: b: hunter2
=> 2:12: not valid YAML: mapping values are not allowed in this context; check the indentation of this line and the one before, and put a value that holds a colon and a space in quotes
list: !h!hunter2 b
=> 1:7: not valid YAML: the handle wasn't declared
"#,
    ) {
        assert_eq!(error(&text), format!("f:{expected}"), "{text}");
    }
}

#[test]
fn a_wrong_indentation_is_called_that() {
    for (text, line) in [
        ("list:\n  - number: a\n\tnumbers: b\n", 3),
        ("list:\n\t- number: a\n", 2),
        ("list:\n  - number: a\n  \tnumbers: b\n", 3),
    ] {
        let error = error(text);
        assert!(
            error.starts_with(&format!("f:{line}:")),
            "{text:?}: {error}"
        );
        assert!(
            error.contains("a tab in the indentation; expected spaces"),
            "{error}"
        );
    }
    for text in [
        "list:\n  - number: a\n     numbers: b\n",
        "list:\n  - number: a\n   numbers: b\n",
        "list:\n  - number: 7\n numbers: []\n",
    ] {
        let error = error(text);
        assert!(
            error.contains("; check the indentation of this line"),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn an_alias_bomb_is_an_error() {
    type Nested = BTreeMap<String, serde::de::IgnoredAny>;
    let mut file = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..10 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(",");
        file.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
    }
    assert!(parse::<Nested>(&file, "a").is_err());
    assert!(parse::<Nested>(&format!("a: {}", "[".repeat(100_000)), "a").is_err());
}
