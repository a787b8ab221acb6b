//! What is a page, what is an empty window, and what is neither.

use super::{page, reasons};
use crate::model::{Measures, Rejection};
use crate::upstream::response::{PageRules, Unreadable, parse_page};
use crate::upstream::{Page, Rejected};

fn read(body: &str, page: u32) -> Result<Page, Unreadable> {
    let success_codes = ["OK".to_owned()];
    let rules = PageRules {
        page,
        max_rows: 1000,
        success_codes: &success_codes,
    };
    rules.read(body.as_bytes()).map(|reading| reading.page)
}

/// The message of an answer that is an error.
fn envelope(body: &str) -> String {
    match read(body, 1) {
        Err(Unreadable::Envelope(error)) => error.to_string(),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn an_empty_window_is_one_only_where_all_agree() {
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
        assert_eq!(read(body, 1), Ok(empty.clone()), "{body}");
    }
}

#[test]
fn an_error_inside_is_never_an_empty_window() {
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
                let told = envelope(&body);
                let told_code = value.trim_matches('"');
                assert!(
                    told.starts_with(&format!("{told_code} no right")),
                    "{body}: {told}"
                );
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
fn a_page_with_rows_is_a_page_whatever_code_stands_beside_it() {
    let row = r#"{"call_uuid":"a","upload_time":5}"#;
    let body = format!(
        r#"{{"returnCode":"0409028","data":[{{"calls":[{row},7]}}],"paging":{{"total":2}}}}"#
    );
    let page = read(&body, 1).unwrap();
    assert_eq!((page.records.len(), page.unusable()), (1, 1));
    // Rows of which none can be used are no proof against an error.
    assert_eq!(envelope(&body.replace(row, "8")), "0409028");
}

#[test]
fn beyond_the_last_page_a_list_is_empty_whatever_its_total_is() {
    for body in [
        r#"{"data":[],"paging":{"total":7}}"#,
        r#"{"resultCode":"0300012","data":null,"paging":{"total":7}}"#,
        r#"{"resultCode":"0300012"}"#,
    ] {
        let page = read(body, 2).unwrap();
        assert!(page.is_empty(), "{body}");
        assert_ne!(page.total, Some(0), "{body}");
        // The first page alone does not tell whether a total is wrong, or the list.
        assert!(read(body, 1).unwrap().is_empty(), "{body}");
    }
    for body in [
        r#"{"data":[]}"#,
        r#"{"data":null,"paging":{"total":7}}"#,
        r#"{"resultCode":"1","data":[],"paging":{"total":7}}"#,
    ] {
        assert!(
            matches!(read(body, 2), Err(Unreadable::Envelope(_))),
            "{body}"
        );
    }
}

#[test]
fn what_is_no_answer_is_told_apart_and_not_quoted() {
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
        let answer = parse_page(body.as_bytes());
        assert!(
            matches!(&answer, Err(Unreadable::Body(text)) if !text.contains("Wang")),
            "{body}: {answer:?}"
        );
    }
}

#[test]
fn more_rows_than_allowed_are_not_kept() {
    let row = r#"{"call_id":1,"upload_time":5}"#;
    let body = |rows: usize, between: &str| {
        let rows = vec![row; rows].join(between);
        format!(r#"{{"data":[{{"calls":[{rows}]}}],"paging":{{"total":1}}}}"#)
    };
    for between in [",", r#"]},{"calls":["#, ",7,", ",NaN,"] {
        assert!(read(&body(500, between), 1).is_ok(), "{between}");
        let error = read(&body(1001, between), 1).unwrap_err();
        let told = Unreadable::Body("it lists more than 1000 calls".into());
        assert_eq!(error, told, "{between}");
    }
    let groups = format!(r#"{{"data":[{}{{}}]}}"#, "{},".repeat(1000));
    assert!(matches!(read(&groups, 1), Err(Unreadable::Body(_))));
}

#[test]
fn a_value_that_is_not_json_costs_only_itself() {
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
        let page = read(&body, 1).unwrap_or_else(|error| panic!("{field}: {error:?}"));
        assert_eq!(page.records.len(), 2, "{field}");
        assert_eq!(page.records[0].measures, Measures::default(), "{field}");
        assert_eq!(reasons(&page), reasons_of, "{field}");
        assert_eq!(page.total, Some(2));
    }
    let mut body =
        br#"{"data":[{"calls":[{"call_uuid":"a","upload_time":5,"staff_name":"x"}]}]}"#.to_vec();
    let place = body.iter().position(|byte| *byte == b'x').unwrap();
    for broken in [0xff, 0xe5, 0xc0, 0x80] {
        body[place] = broken;
        assert_eq!(parse_page(&body).unwrap().records.len(), 1);
    }
    let id = page(r#"{"call_uuid":NaN,"upload_time":5},{"call_uuid":"b","upload_time":6}"#);
    assert_eq!(
        (id.records.len(), reasons(&id)),
        (1, vec![Rejection::Identity])
    );
    let time = page(r#"{"call_uuid":"a","upload_time":NaN},{"call_uuid":"b","upload_time":6}"#);
    assert_eq!(
        (time.records.len(), reasons(&time)),
        (1, vec![Rejection::UploadTime])
    );
    let row = page(r#"{"call_uuid":"a" "upload_time":5},{"call_uuid":"b","upload_time":6}"#);
    assert_eq!(
        (row.records.len(), reasons(&row)),
        (1, vec![Rejection::Shape])
    );
}

#[test]
fn each_unusable_row_has_a_fingerprint_of_its_own_that_does_not_change() {
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
    let prints = |rows: &[&str]| {
        let mut prints: Vec<Rejected> = page(&rows.join(",")).rejected;
        prints.sort_by_key(|rejected| rejected.fingerprint);
        prints
    };
    let first = prints(&rows);
    assert_eq!(first.len(), 12 + 3);
    let distinct: std::collections::HashSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), first.len());
    let turned: Vec<&str> = rows.iter().rev().copied().collect();
    assert_eq!(prints(&turned), first, "it depends on the place");
    let alone: Vec<Rejected> = rows.iter().flat_map(|row| page(row).rejected).collect();
    assert!(
        alone.iter().all(|rejected| first.contains(rejected)),
        "{alone:?}"
    );
    let groups = |data: &str| {
        let body = format!(r#"{{"data":[{data}],"paging":{{"total":1}}}}"#);
        parse_page(body.as_bytes()).unwrap().rejected
    };
    let two = groups(r#"{"a":1},{"a":2}"#);
    assert_ne!(two[0], two[1]);
    assert_eq!(groups(r#"{"a":2}"#), two[1..]);
}
