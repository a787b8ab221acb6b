use proptest::prelude::*;
use serde_json::Value;

use super::*;

const SAMPLE: &str = include_str!("../../../../tests/fixtures/details-response.json");

fn repaired(body: &str) -> Option<Value> {
    repair(body.as_bytes()).map(|text| serde_json::from_str(&text).unwrap())
}

#[test]
fn invalid_tokens_are_replaced() {
    for (bad, good) in [
        (
            r#"[NaN,-Infinity,None,undefined]"#,
            "[false,false,false,false]",
        ),
        (
            r#"[007,+5,.5,5.,1e,-]"#,
            r#"["007","+5",".5","5.","1e","-"]"#,
        ),
        (
            r#"[0,-0.5e+3,1E9,1e999,true,null]"#,
            "[0,-0.5e+3,1E9,1e999,true,null]",
        ),
        ("[\"a\tb\n\"]", r#"["a b "]"#),
        (
            r#"["\d\u12G4\ud800\ud83d\ude00\u0041\"\\"]"#,
            "[\"\\\\d\\\\u12G4\u{fffd}\\ud83d\\ude00\\u0041\\\"\\\\\"]",
        ),
        (r#"{"a":,"b":}"#, r#"{"a":null,"b":null}"#),
        (r#"{,"a":[1,,2,],}"#, r#"{"a":[1,2 ] }"#),
        ("\u{feff} {}\0\n", " {} \n"),
    ] {
        assert_eq!(repair(bad.as_bytes()).as_deref(), Some(good), "{bad}");
    }
    let broken = repair(b"{\"name\":\"\xff\xe5\"}").unwrap();
    assert_eq!(broken, "{\"name\":\"\u{fffd}\u{fffd}\"}");
}

#[test]
fn a_row_with_misplaced_tokens_becomes_a_string_if_its_end_is_certain() {
    let rows = |row: &str| {
        let body = format!(r#"{{"data":[{{"calls":[{{"call_id":1}},{row},{{"call_id":2}}]}}]}}"#);
        repaired(&body).map(|response| response["data"][0]["calls"].clone())
    };
    let mut seen = Vec::new();
    for row in [
        r#"{"staff_name":"a "b" c","call_id":3}"#,
        r#"{"call_id" 3}"#,
        r#"{"call_id":3 "status":2}"#,
        r#"{"call_id"}"#,
        r#"{call_id:3}"#,
        r#"{"x":[1 2]}"#,
    ] {
        let rows = rows(row).unwrap();
        assert_eq!(rows[0]["call_id"], 1, "{row}");
        assert_eq!(rows[2]["call_id"], 2, "{row}");
        seen.push(rows[1].as_str().unwrap().to_owned());
    }
    seen.dedup();
    assert_eq!(seen.len(), 6, "indistinguishable rows: {seen:?}");
    // With an extra quotation mark or a wrong bracket, the end of the row is a guess.
    assert_eq!(rows(r#"{"staff_name":"a"b","call_id":3}"#), None);
    assert_eq!(rows(r#"{"call_id":3]"#), None);
    let two = r#"{"staff_name":"a"b","call_id":3},{"call_id":4},{"x":"c"d","call_id":5}"#;
    assert_eq!(rows(two), None, "good rows were lost with the bad ones");
}

#[test]
fn a_truncated_body_is_not_repaired() {
    let bad = SAMPLE.replacen("164.22", "NaN", 1);
    assert!(repaired(&bad).is_some());
    let end = bad.trim_end().len();
    for length in (0..end).filter(|length| bad.is_char_boundary(*length)) {
        assert_eq!(repair(&bad.as_bytes()[..length]), None, "{length} bytes");
    }
    assert_eq!(repair(b"{}{}"), None);
    assert_eq!(repair(b"<html>"), None);
    assert_eq!(repair("[".repeat(1 << 20).as_bytes()), None);
}

proptest! {
    #[test]
    fn any_input_becomes_valid_json_or_none(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just(":"), Just("\""),
                Just("\\"), Just("\\u"), Just("d800"), Just("\"data\":[{\"calls\":["), Just("NaN"),
                Just("1"), Just("-"), Just("e"), Just("\u{1}"), Just("客"), Just("\"a\":1"),
            ],
            0..60,
        ),
        bytes in proptest::collection::vec(any::<u8>(), 0..20),
        at in 0usize..60,
    ) {
        let mut body = pieces.concat().into_bytes();
        let at = at.min(body.len());
        body.splice(at..at, bytes);
        if let Some(text) = repair(&body) {
            prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");
            prop_assert!(text.len() <= 3 * body.len() + 64 * pieces.len());
        }
    }

    #[test]
    fn valid_json_keeps_its_meaning(at in 0usize..4000, whitespace in "[ \t\r\n]{0,3}") {
        let mut body = SAMPLE.to_owned();
        let at = at.min(body.len());
        if body.is_char_boundary(at) {
            body.insert_str(at, &whitespace);
        }
        if let Ok(value) = serde_json::from_str::<Value>(&body) {
            prop_assert_eq!(repaired(&body), Some(value));
        }
    }
}
