use serde_json::{Value, json};

use super::super::faults::{Answer, Code, CodeName, Fault, Faults};
use super::super::paging::TotalOf;
use super::super::reply::Delivery;
use super::super::row_faults::WireFaults;
use super::super::spec::Scenario;
use super::bench::{Bench, value};
use super::eventful;

#[test]
fn faults_apply_to_the_configured_number_or_share_of_requests() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    let limited = Fault {
        retry_after_seconds: Some(7),
        delay_ms: 20,
        ..Fault::next(Answer::Http(429), 2)
    };
    let gateway = Fault::next(Answer::Http(502), 1);
    let details = vec![limited, gateway, Fault::share(Answer::Envelope, 0.5)];
    bench.simulator.set_faults(Faults {
        details,
        latency_ms: 5,
        ..Faults::default()
    });
    for _ in 0..2 {
        let reply = bench.page(&bearer, json!({}));
        assert_eq!((reply.status, reply.retry_after_seconds), (429, Some(7)));
        assert_eq!(reply.delay_ms, 25);
    }
    let reply = bench.page(&bearer, json!({}));
    assert_eq!((reply.status, reply.is_html), (502, true));
    for _ in 0..200 {
        let reply = value(&bench.page(&bearer, json!({})));
        let envelope = reply["resultCode"] == "0300028" && reply.get("data").is_none();
        assert_ne!(envelope, reply["data"].is_array());
    }
    let stats = bench.simulator.stats();
    assert!((60..140).contains(&stats.count("details", "envelope")));
    assert_eq!(bench.simulator.faults().details[0].next, 0);
}

#[test]
fn responses_can_be_broken_in_each_way() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    let broken = |answer: Answer| {
        let details = vec![Fault {
            delay_ms: 3,
            ..Fault::next(answer, 1)
        }];
        bench.simulator.set_faults(Faults {
            details,
            ..Faults::default()
        });
        bench.page(&bearer, json!({}))
    };
    let null = value(&broken(Answer::NullData));
    assert!(null.as_object().unwrap().contains_key("data") && null["data"].is_null());
    assert!(null["paging"]["total"].as_u64().unwrap() > 0);
    let none = value(&broken(Answer::NoData));
    assert_eq!(
        none.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["paging"]
    );
    assert_eq!(broken(Answer::CutBody).delivery, Delivery::Cut);
    assert_eq!(broken(Answer::Reset).delivery, Delivery::Reset);
    assert_eq!(broken(Answer::Dribble).delivery, Delivery::Dribble(3));
    assert_eq!(broken(Answer::Slow).delay_ms, 3);
    bench.simulator.set_faults(Faults {
        down: true,
        ..Faults::default()
    });
    assert_eq!(bench.page(&bearer, json!({})).status, 503);
    assert_eq!(bench.token(None).status, 503);
}

#[test]
fn rows_can_have_other_types_and_missing_fields() {
    let bench = Bench::new(eventful());
    let plain = bench.rows(WireFaults::default());
    let count = plain.len();
    assert!(count > 1000);

    for row in bench.rows(WireFaults {
        numbers_as_strings: true,
        ..WireFaults::default()
    }) {
        assert!(
            row.as_object()
                .unwrap()
                .values()
                .all(|field| !field.is_number())
        );
    }
    let wire = WireFaults {
        status_as_string: true,
        call_id_as_number: true,
        ..WireFaults::default()
    };
    for (row, plain) in bench.rows(wire).iter().zip(&plain) {
        assert!(row["status"].is_string() && row["upload_time"].is_number());
        assert!(row["call_id"].is_u64());
        assert_eq!(row["call_uuid"], plain["call_uuid"]);
    }
    let wire = WireFaults {
        null_share: 0.3,
        missing_share: 0.3,
        null_status_share: 0.3,
        no_uuid_share: 0.3,
        ..WireFaults::default()
    };
    let rows = bench.rows(wire.clone());
    assert_eq!(
        rows,
        bench.rows(wire),
        "the same call is written the same way each time"
    );
    let nulls = |name: &str| rows.iter().filter(|row| row[name].is_null()).count();
    for name in ["status", "call_uuid", "left_channel", "staff_id"] {
        assert!(nulls(name) > count / 5, "{name}");
    }
    assert_eq!(
        nulls("call_id") + nulls("upload_time") + nulls("call_type"),
        0
    );
}

#[test]
fn malformed_rows_are_added_to_the_page() {
    let bench = Bench::new(eventful());
    let plain = bench.rows(WireFaults::default());
    let odd = bench.rows(WireFaults {
        malformed_share: 0.2,
        ..WireFaults::default()
    });
    let good = |row: &&Value| {
        row.is_object() && !row["upload_time"].is_null() && !row["call_id"].is_null()
    };
    assert_eq!(
        odd.iter().filter(good).collect::<Vec<_>>(),
        plain.iter().collect::<Vec<_>>()
    );
    let broken = odd.len() - plain.len();
    assert!((plain.len() / 8..plain.len() / 3).contains(&broken));

    let odd = bench.rows(WireFaults {
        bad_measure_share: 1.0,
        ..WireFaults::default()
    });
    let changed = odd
        .iter()
        .zip(&plain)
        .filter(|(odd, plain)| odd != plain)
        .count();
    assert_eq!(changed, plain.len());
}

#[test]
fn faults_and_scenarios_are_parsed_strictly() {
    let faults = br#"{"details": [{"answer": {"http": 429}, "next": 3, "retry_after_seconds": 2},
        {"answer": "cut_body", "share": 0.1}], "paging": {"clamp_above": 50, "order":
        "oldest_first", "limit_counts": "groups"}, "wire": {"status_as_string": true}}"#;
    let parsed = Faults::parse(faults).unwrap();
    assert_eq!(
        Faults::parse(&serde_json::to_vec(&parsed).unwrap()).unwrap(),
        parsed
    );
    for (bad, why) in [
        (r#"{"dwon": true}"#, "dwon"),
        (
            r#"{"details": [{"answer": {"http": 200}}]}"#,
            "details[0].answer.http",
        ),
        (
            r#"{"details": [{"answer": "reset", "share": 1.5}]}"#,
            "details[0].share",
        ),
        (r#"{"wire": {"null_share": -1}}"#, "wire.null_share"),
        (r#"{"paging": {"clamp_above": 0}}"#, "paging.clamp_above"),
    ] {
        let error = Faults::parse(bad.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    assert!(Scenario::parse(br#"{"stuck": 3, "asr_failing": 0.5}"#).is_ok());
    assert!(Scenario::parse(br#"{"stuck": 2}"#).is_err());
    assert!(Scenario::parse(br#"{"asr_failing": 2}"#).is_err());
}

#[test]
fn codes_are_sent_by_each_name_with_an_empty_list_or_a_page() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    let with = |faults: Faults| {
        bench.simulator.set_faults(faults);
        value(&bench.page(&bearer, json!({"upload_from": 1, "upload_to": 5})))
    };
    for name in CodeName::ALL {
        let (code, text) = name.names();
        let answer = |answer| Faults {
            details: vec![Fault::next(answer, 1)],
            ..Faults::default()
        };
        let error = with(answer(Answer::EnvelopeAs(name)));
        assert!(error[code].is_string() && error[text].is_string() && error.get("data").is_none());
        let empty = with(answer(Answer::EmptyEnvelope(name)));
        assert_eq!(empty["data"], json!([]));
        assert_eq!(
            (&empty["paging"]["total"], &empty[code]),
            (&json!(0), &error[code])
        );
        for value in [json!("0409000"), json!(200)] {
            let success = Some(Code {
                name,
                code: value.clone(),
            });
            let page = with(Faults {
                success,
                ..Faults::default()
            });
            assert_eq!((&page[code], &page["paging"]["total"]), (&value, &json!(0)));
        }
    }
    let bare = Fault::next(Answer::BareEmpty, 1);
    let bare = with(Faults {
        details: vec![bare],
        ..Faults::default()
    });
    assert_eq!(bare, json!({"data": []}));
}

#[test]
fn row_faults_are_parsed_strictly() {
    let json = br#"{"rows": {"twice_share": 0.1}, "paging": {"total_counts": "groups"},
        "details": [{"answer": {"empty_envelope": "gateway_code"}, "share": 1}],
        "success": {"name": "return_code", "code": "0409000"}, "clock_skew_seconds": -5}"#;
    let faults = Faults::parse(json).unwrap();
    assert_eq!(faults.rows.twice_share, 0.1);
    assert_eq!(faults.paging.total_counts, TotalOf::Groups);
    assert_eq!(
        faults.details[0].answer,
        Answer::EmptyEnvelope(CodeName::GatewayCode)
    );
    for (bad, why) in [
        (r#"{"rows": {"twice_share": 2}}"#, "rows.twice_share"),
        (r#"{"rows": {"thrice_share": 0}}"#, "thrice_share"),
        (
            r#"{"success": {"name": "result_code", "code": []}}"#,
            "success.code",
        ),
    ] {
        let error = Faults::parse(bad.as_bytes()).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn the_documentation_names_every_fault() {
    for page in [
        include_str!("../../../docs/simulator.md"),
        include_str!("../../../docs/simulator.zh-CN.md"),
    ] {
        let faults = serde_json::to_value(Faults::default()).unwrap();
        for (name, value) in faults.as_object().unwrap() {
            match value.as_object() {
                None => assert!(page.contains(&format!("`{name}`")), "{name}"),
                Some(inner) => {
                    for key in inner.keys() {
                        assert!(page.contains(&format!("`{name}.{key}`")), "{name}.{key}");
                    }
                }
            }
        }
    }
}
