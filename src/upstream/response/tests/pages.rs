//! Which responses are a page, an empty window, or an error.

use super::{page, reasons};
use crate::model::{Measures, Rejection};
use crate::upstream::response::{PageRules, ParseError};
use crate::upstream::{Page, Rejected};

fn parse(body: &str, page: u32) -> Result<Page, ParseError> {
    let success_codes = ["OK".to_owned()];
    let rules = PageRules {
        page,
        max_rows: 1000,
        success_codes: &success_codes,
        keep_texts: false,
    };
    rules.parse(body.as_bytes())
}

/// The message of a response that is an error.
fn envelope(body: &str) -> String {
    match parse(body, 1) {
        Err(ParseError::Envelope(error)) => error.to_string(),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn an_empty_window_needs_a_total_of_zero_and_no_error_code() {
    let empty = Page {
        total: Some(0),
        ..Page::default()
    };
    for body in [
        r#"{"data":[],"paging":{"total":0}}"#,
        r#"{"data":null,"paging":{"total":0}}"#,
        r#"{"data":[],"paging":{"total":"0"}}"#,
        r#"{"resultCode":"0","data":[],"paging":{"total":0}}"#,
        r#"{"resultCode":0,"data":[],"paging":{"total":0}}"#,
        r#"{"returnCode":"0408000","returnDesc":"success","data":[],"paging":{"total":0}}"#,
        r#"{"retCode":"0409000","retMsg":"","data":null,"paging":{"total":0}}"#,
        r#"{"errorCode":"0100000","data":[],"paging":{"total":0}}"#,
        r#"{"error_code":200,"data":[],"paging":{"total":0}}"#,
        r#"{"error_code":null,"data":[],"paging":{"total":0}}"#,
        r#"{"resultCode":"OK","data":[],"paging":{"total":0}}"#,
        r#"{"resultCode":"0300012","resultDesc":"no data found"}"#,
        r#"{"resultCode":300012,"data":null}"#,
        r#"{"returnCode":"0300012","data":[],"paging":{"total":0}}"#,
    ] {
        assert_eq!(parse(body, 1), Ok(empty.clone()), "{body}");
    }
}

#[test]
fn an_error_in_the_body_is_never_an_empty_window() {
    for (code, text) in [
        ("resultCode", "resultDesc"),
        ("returnCode", "returnDesc"),
        ("retCode", "retMsg"),
        ("error_code", "error_msg"),
        ("errorCode", "errorMsg"),
    ] {
        for value in ["\"0409028\"", "409028", "\"APIG.0308\"", "-1", "500"] {
            for rest in [
                "",
                r#","data":[]"#,
                r#","data":null"#,
                r#","data":[],"paging":{"total":0}"#,
                r#","data":null,"paging":{"total":0}"#,
                r#","data":[{"calls":[]}],"paging":{"total":0}"#,
            ] {
                let body = format!(r#"{{"{code}":{value},"{text}":"no right"{rest}}}"#);
                let message = envelope(&body);
                let expected = format!("{} no right", value.trim_matches('"'));
                assert!(message.starts_with(&expected), "{body}: {message}");
            }
        }
    }
    for (body, message) in [
        (
            r#"{"data":null,"paging":{"total":5}}"#,
            "no list of calls, though paging.total is 5",
        ),
        (
            r#"{"paging":{"total":0}}"#,
            "no list of calls, though paging.total is 0",
        ),
        (r#"{"data":[]}"#, "an empty list without paging.total"),
        (r#"{"data":null}"#, "neither data nor paging.total"),
        (r#"{}"#, "neither data nor paging.total"),
        (
            r#"{"data":{"calls":[]},"paging":[1]}"#,
            "neither data nor paging.total",
        ),
        (
            r#"{"data":7,"paging":{"total":0}}"#,
            "no list of calls, though paging.total is 0",
        ),
    ] {
        assert_eq!(envelope(body), message, "{body}");
    }
}

#[test]
fn a_second_spelling_without_a_value_hides_no_error() {
    for (fields, expected) in [
        (r#""errorCode":"0300028","error_code":null"#, "0300028"),
        (r#""errorCode":"0300028","error_code":"""#, "0300028"),
        (
            r#""resultCode":"7","resultDesc":"no right","returnCode":"","returnDesc":" ""#,
            "7 no right",
        ),
    ] {
        let body = format!(r#"{{{fields},"data":[],"paging":{{"total":0}}}}"#);
        let message = envelope(&body);
        assert!(message.starts_with(expected), "{body}: {message}");
    }
    let blank = r#"{"resultDesc":""}"#;
    let message = envelope(blank);
    assert!(!message.starts_with(' '), "{message:?}");
}

#[test]
fn usable_rows_outweigh_an_error_code() {
    let row = r#"{"call_uuid":"a","upload_time":5}"#;
    let body = format!(
        r#"{{"returnCode":"0409028","data":[{{"calls":[{row},7]}}],"paging":{{"total":2}}}}"#
    );
    let page = parse(&body, 1).unwrap();
    assert_eq!((page.records.len(), page.unusable()), (1, 1));
    // Unusable rows alone do not.
    assert_eq!(envelope(&body.replace(row, "8")), "0409028");
}

#[test]
fn an_empty_page_is_accepted_with_any_total() {
    for body in [
        r#"{"data":[],"paging":{"total":7}}"#,
        r#"{"resultCode":"0300012","data":null,"paging":{"total":7}}"#,
        r#"{"resultCode":"0300012"}"#,
    ] {
        let page = parse(body, 2).unwrap();
        assert!(page.is_empty(), "{body}");
        assert_ne!(page.total, Some(0), "{body}");
        // On the first page the reader of the list decides which of the two is wrong.
        assert!(parse(body, 1).unwrap().is_empty(), "{body}");
    }
    for body in [
        r#"{"data":[]}"#,
        r#"{"data":null,"paging":{"total":7}}"#,
        r#"{"resultCode":"1","data":[],"paging":{"total":7}}"#,
    ] {
        assert!(
            matches!(parse(body, 2), Err(ParseError::Envelope(_))),
            "{body}"
        );
    }
}

#[test]
fn other_bodies_are_errors_and_are_not_quoted() {
    for body in [
        "",
        "<html>",
        r#"{"data":[{"calls":[{"call_uuid":"Wang Fang""#,
        "[]",
        "null",
        "\"Wang Fang\"",
        "{} Wang Fang",
        "\u{1}Wang",
    ] {
        let result = PageRules::ANY.parse(body.as_bytes());
        assert!(
            matches!(&result, Err(ParseError::Body(text)) if !text.contains("Wang")),
            "{body}: {result:?}"
        );
    }
}

#[test]
fn the_number_of_rows_is_limited() {
    let row = r#"{"call_id":1,"upload_time":5}"#;
    let body = |rows: usize, between: &str| {
        let rows = vec![row; rows].join(between);
        format!(r#"{{"data":[{{"calls":[{rows}]}}],"paging":{{"total":1}}}}"#)
    };
    for between in [",", r#"]},{"calls":["#, ",7,", ",NaN,"] {
        assert!(parse(&body(500, between), 1).is_ok(), "{between}");
        let error = parse(&body(1001, between), 1).unwrap_err();
        let expected = ParseError::Body("it lists more than 1000 calls".into());
        assert_eq!(error, expected, "{between}");
    }
    let groups = format!(r#"{{"data":[{}{{}}]}}"#, "{},".repeat(1000));
    assert!(matches!(parse(&groups, 1), Err(ParseError::Body(_))));
}

#[test]
fn an_invalid_value_costs_only_itself() {
    let good = r#"{"call_uuid":"b","upload_time":6}"#;
    for (field, reasons_of) in [
        (r#""duration":NaN"#, &[Rejection::Measure][..]),
        (r#""duration":-Infinity"#, &[Rejection::Measure]),
        (r#""left_speed":undefined"#, &[Rejection::Measure]),
        (r#""duration":1e999"#, &[Rejection::Measure]),
        (r#""duration":,"x":1"#, &[]),
        (r#""status":NaN"#, &[]),
        ("\"staff_name\":\"a\u{1}\n\tb\"", &[]),
        (r#""staff_name":"\q\u12""#, &[]),
        (r#""staff_name":"\ud800""#, &[]),
        (r#""\ud800":1"#, &[]),
    ] {
        let body = format!(
            r#"{{"data":[{{"calls":[{{"call_uuid":"a","upload_time":5,{field}}},{good}]}}],"paging":{{"total":2}}}}"#
        );
        let page = parse(&body, 1).unwrap_or_else(|error| panic!("{field}: {error:?}"));
        assert_eq!(page.records.len(), 2, "{field}");
        assert_eq!(page.records[0].measures, Measures::default(), "{field}");
        assert_eq!(reasons(&page), reasons_of, "{field}");
        assert_eq!(page.total, Some(2));
    }
    let mut body =
        br#"{"data":[{"calls":[{"call_uuid":"a","upload_time":5,"staff_name":"x"}]}]}"#.to_vec();
    let position = body.iter().position(|byte| *byte == b'x').unwrap();
    for broken in [0xff, 0xe5, 0xc0, 0x80] {
        body[position] = broken;
        assert_eq!(PageRules::ANY.parse(&body).unwrap().records.len(), 1);
    }
    for (row, reason) in [
        (r#"{"call_uuid":NaN,"upload_time":5}"#, Rejection::Identity),
        (
            r#"{"call_uuid":"a","upload_time":NaN}"#,
            Rejection::UploadTime,
        ),
        (r#"{"call_uuid":"a" "upload_time":5}"#, Rejection::Shape),
    ] {
        let page = page(&format!("{row},{good}"));
        assert_eq!(page.records.len(), 1, "{row}");
        assert_eq!(reasons(&page), [reason], "{row}");
    }
}

#[test]
fn each_unusable_row_has_a_stable_fingerprint_of_its_own() {
    let rows = [
        r#"{"upload_time":5,"staff_id":"1"}"#,
        r#"{ "upload_time" : 5 , "staff_id":"2" }"#,
        r#"{"staff_id":"1"}"#,
        r#"{"call_uuid":"a"}"#,
        r#"{"call_uuid":"b"}"#,
        "7",
        "8",
        "null",
        "[1]",
        "1e999",
        r#"{"call_uuid" "c"}"#,
        r#"{"call_uuid" "d"}"#,
        r#"{"call_uuid":"e","upload_time":5,"duration":-1,"left_speed":-1,"right_speed":-1}"#,
    ];
    let fingerprints = |rows: &[&str]| {
        let mut rejected: Vec<Rejected> = page(&rows.join(",")).rejected;
        rejected.sort_by_key(|rejected| rejected.fingerprint);
        rejected
    };
    let first = fingerprints(&rows);
    assert_eq!(first.len(), 12 + 3);
    let distinct: std::collections::HashSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());
    let reversed: Vec<&str> = rows.iter().rev().copied().collect();
    assert_eq!(fingerprints(&reversed), first, "depends on the position");
    let alone: Vec<Rejected> = rows.iter().flat_map(|row| page(row).rejected).collect();
    assert!(
        alone.iter().all(|rejected| first.contains(rejected)),
        "{alone:?}"
    );
    let groups = |data: &str| {
        let body = format!(r#"{{"data":[{data}],"paging":{{"total":1}}}}"#);
        PageRules::ANY.parse(body.as_bytes()).unwrap().rejected
    };
    let two = groups(r#"{"a":1},{"a":2}"#);
    assert_ne!(two[0], two[1]);
    assert_eq!(groups(r#"{"a":2}"#), two[1..]);
}
