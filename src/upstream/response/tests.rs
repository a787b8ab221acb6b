use super::*;
use crate::model::{
    CallId, CallType, ManualStates, Measure, Measures, Record, Rejection, Role, Speech, Status,
};

mod pages;

fn page(calls: &str) -> Page {
    let body = format!(r#"{{"data":[{{"calls":[{calls}]}}],"paging":{{"total":1}}}}"#);
    PageRules::ANY.parse(body.as_bytes()).unwrap()
}

fn reasons(page: &Page) -> Vec<Rejection> {
    let rejected = page.rejected.iter();
    rejected.map(|rejected| rejected.reason).collect()
}

fn record(fields: &str) -> Record {
    let page = page(&format!(
        r#"{{"call_uuid":"a","upload_time":1622633782,{fields}}}"#
    ));
    assert_eq!(page.rejected, [], "{fields}");
    page.records.into_iter().next().unwrap()
}

fn units(value: f64) -> Option<Measure> {
    Measure::from_units(value)
}

#[test]
fn every_field_of_the_vendor_sample_is_parsed() {
    let page = PageRules::ANY
        .parse(include_bytes!(
            "../../../tests/fixtures/details-response.json"
        ))
        .unwrap();
    assert_eq!(
        (page.total, page.records.len(), page.groups),
        (Some(6), 6, 6)
    );
    assert_eq!(
        page.records[0],
        Record {
            id: CallId(0x3b9cd7a9_d38c_4aa0_a35d_77f6abb9f497),
            has_uuid: true,
            uploaded: 1622633782,
            call_type: CallType::VOICE,
            status: Status::SUCCEEDED,
            manual: ManualStates([Some(0), None, None]),
            measures: Measures {
                duration: units(164.22),
                channels: [
                    Speech {
                        role: Role::Customer,
                        speed: units(241.552),
                        silence: units(88.46),
                        ratio: units(0.4613),
                    },
                    Speech {
                        role: Role::Staff,
                        speed: units(165.169),
                        silence: units(110.82),
                        ratio: units(0.3252),
                    },
                ],
            },
            staff_id: None,
            written_id: None,
        }
    );
}

#[test]
fn numbers_and_strings_are_interchangeable() {
    let call = record(
        r#""call_type":"2","status":"31","duration":"88.5","left_speed":null,
           "inspect_status":"1","complain_status":-1"#,
    );
    assert_eq!(call.call_type, CallType::TEXT);
    assert_eq!(call.status, Status::from_number(31));
    assert_eq!(call.measures.duration, units(88.5));
    assert_eq!(call.measures.channels[0], Speech::default());
    assert_eq!(call.manual, ManualStates([Some(1), None, None]));
    let page = page(r#"{"call_uuid":null,"call_id":17,"upload_time":"1622633782"}"#);
    assert_eq!(page.records[0].id, CallId::parse("17").unwrap());
    assert_eq!(page.records[0].uploaded, 1622633782);
}

#[test]
fn a_placeholder_is_no_identity() {
    let nil = "00000000-0000-0000-0000-000000000000";
    let row = |uuid: &str, call_id: &str| {
        page(&format!(
            r#"{{"call_uuid":"{uuid}","call_id":"{call_id}","upload_time":5}}"#
        ))
    };
    for placeholder in ["null", "NULL", " - ", nil] {
        let id = row(placeholder, "17").records[0].id;
        assert_eq!(id, CallId::parse("17").unwrap(), "{placeholder}");
    }
    assert_eq!(row("null", "-").rejected[0].reason, Rejection::Identity);
    // It may be the first of numbered calls.
    assert_eq!(row(nil, "").records[0].id, CallId(0));
}

#[test]
fn an_invalid_status_or_type_is_unknown_and_an_undocumented_one_keeps_its_number() {
    for (fields, call_type, status) in [
        (r#""x":0"#, "unknown", "unknown"),
        (r#""call_type":null,"status":null"#, "unknown", "unknown"),
        (r#""call_type":"","status":[2]"#, "unknown", "unknown"),
        (r#""call_type":-5,"status":1e999"#, "unknown", "unknown"),
        (r#""call_type":7,"status":77"#, "unknown_7", "unknown_77"),
        (r#""call_type":0.0,"status":2.0"#, "voice", "succeeded"),
        (
            r#""call_type":0.5,"status":99999999999999999999"#,
            "unknown",
            "unknown",
        ),
    ] {
        let call = record(fields);
        assert_eq!(
            (call.call_type.to_string(), call.status.to_string()),
            (call_type.to_string(), status.to_string()),
            "{fields}"
        );
    }
}

#[test]
fn an_unusable_row_does_not_affect_its_neighbours() {
    let good = r#"{"call_uuid":"a","upload_time":5}"#;
    let without_identity = [
        r#"{"upload_time":5}"#,
        r#"{"call_uuid":"","call_id":null,"upload_time":5}"#,
        r#"{"call_uuid":{},"upload_time":5}"#,
    ];
    let without_time = [
        r#"{"call_uuid":"b"}"#,
        r#"{"call_uuid":"b","upload_time":null}"#,
        r#"{"call_uuid":"b","upload_time":0}"#,
        r#"{"call_uuid":"b","upload_time":-5}"#,
        r#"{"call_uuid":"b","upload_time":"soon"}"#,
        r#"{"call_uuid":"b","upload_time":1622633782000}"#,
        r#"{"call_uuid":"b","upload_time":1e999}"#,
    ];
    let without_fields = ["null", "7", r#""row""#, "true", "[{}]"];
    for (reason, rows) in [
        (Rejection::Identity, &without_identity[..]),
        (Rejection::UploadTime, &without_time),
        (Rejection::Shape, &without_fields),
    ] {
        for bad in rows {
            let page = page(&format!("{good},{bad},{good}"));
            assert_eq!(page.records.len(), 2, "{bad}");
            assert_eq!(page.unusable(), 1, "{bad}");
            assert_eq!(reasons(&page), [reason], "{bad}");
        }
    }
    for group in [
        "null",
        "3",
        "[]",
        "{}",
        r#"{"calls":null}"#,
        r#"{"calls":{"a":1}}"#,
    ] {
        let body = format!(r#"{{"data":[{group},{{"calls":[{good}]}}],"paging":{{"total":2}}}}"#);
        let page = PageRules::ANY.parse(body.as_bytes()).unwrap();
        assert_eq!((page.records.len(), page.unusable()), (1, 1), "{group}");
    }
}

#[test]
fn an_invalid_measure_is_rejected_and_its_record_is_kept() {
    for bad in [
        "-0.1",
        "1e999",
        "-1e999",
        r#""NaN""#,
        r#""inf""#,
        r#""long""#,
        "{}",
        "true",
        "1e10",
    ] {
        let page = page(&format!(
            r#"{{"call_uuid":"a","upload_time":5,"duration":{bad},"left_silence_time":3}}"#
        ));
        assert_eq!(reasons(&page), [Rejection::Measure], "{bad}");
        assert_eq!(page.unusable(), 0);
        assert_eq!(page.records[0].measures.duration, None);
        assert_eq!(page.records[0].measures.channels[0].silence, units(3.0));
    }
}

#[test]
fn either_channel_may_be_the_customer() {
    let call = record(
        r#""left_channel":"staff","left_speed":1,"right_channel":"Customer","right_speed":2"#,
    );
    let roles = call.measures.channels.map(|side| (side.role, side.speed));
    assert_eq!(
        roles,
        [(Role::Staff, units(1.0)), (Role::Customer, units(2.0))]
    );
    for (name, role) in [
        ("客户", Role::Customer),
        ("CUSTOMER ", Role::Customer),
        ("座席", Role::Staff),
        ("坐席", Role::Staff),
        ("Agent", Role::Staff),
        ("STAFF", Role::Staff),
        ("客", Role::Unknown),
    ] {
        let call = record(&format!(r#""right_channel":"{name}""#));
        assert_eq!(call.measures.channels[1].role, role, "{name}");
    }
    let call = record(r#""left_channel":3,"left_speed":1"#);
    assert_eq!(call.measures.channels[0].role, Role::Unknown);
}

#[test]
fn a_missing_total_is_not_zero() {
    let page = PageRules::ANY
        .parse(br#"{"data":[{"calls":[{"call_uuid":"a","upload_time":5}]}]}"#)
        .unwrap();
    assert_eq!(page.total, None);
}

#[test]
fn identities_are_kept_as_text_where_they_are_needed() {
    const UUID: &str = "3b9cd7a9-d38c-4aa0-a35d-77f6abb9f497";
    let record = |fields: &str, keep_texts| {
        let body = format!(
            r#"{{"data":[{{"calls":[{{"upload_time":1622633782,{fields}}}]}}],"paging":{{"total":1}}}}"#
        );
        let rules = PageRules {
            page: 1,
            max_rows: 1,
            success_codes: &[],
            keep_texts,
        };
        let page = rules.parse(body.as_bytes()).unwrap();
        let record = &page.records[0];
        [&record.staff_id, &record.written_id].map(|text| text.as_deref().map(str::to_owned))
    };
    let uuid = format!(r#""call_uuid":"{UUID}""#);
    for (staff_id, kept) in [
        (r#""1600226440112042215""#, Some("1600226440112042215")),
        ("1600226440112042215", Some("1600226440112042215")),
        (r#"" 007 ""#, Some("007")),
        (r#""  ""#, None),
        ("null", None),
        ("[7]", None),
    ] {
        let fields = format!(r#"{uuid},"staff_id":{staff_id}"#);
        assert_eq!(record(&fields, true)[0].as_deref(), kept, "{staff_id}");
        assert_eq!(record(&fields, false), [None, None]);
    }
    let upper = UUID.to_uppercase();
    let long = "x".repeat(257);
    for (fields, kept) in [
        (uuid.clone(), None),
        (format!(r#""call_uuid":"{upper}""#), Some(&*upper)),
        (r#""call_uuid":" call 7 ""#.to_owned(), Some("call 7")),
        (r#""call_id":7"#.to_owned(), Some("7")),
        (format!(r#"{uuid},"call_id":"7""#), None),
        (format!(r#""call_uuid":"{long}""#), None),
    ] {
        assert_eq!(record(&fields, true)[1].as_deref(), kept, "{fields}");
    }
}
