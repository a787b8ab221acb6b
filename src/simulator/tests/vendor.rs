use serde_json::{Value, json};

use super::super::Caller;
use super::super::faults::{Faults, TokenFaults};
use super::super::paging::Paging;
use super::super::spec::Spec;
use super::bench::{Bench, value};
use super::eventful;

#[test]
fn a_token_response_has_only_strings_and_the_token_expires() {
    let bench = Bench::new(eventful());
    let token = value(&bench.token(Some("300")));
    assert!(token.as_object().unwrap().values().all(Value::is_string));
    assert_eq!(token["Expires"], "300");
    assert_eq!(token["ApplyType"], "Bearer");
    let bearer = format!("Bearer {}", token["AccessToken"].as_str().unwrap());
    bench.advance(299);
    assert_eq!(bench.page(&bearer, json!({})).status, 200);
    bench.advance(1);
    assert_eq!(bench.page(&bearer, json!({})).status, 401);
    assert_eq!(value(&bench.token(Some("99999")))["Expires"], "3600");
    assert_eq!(bench.simulator.token(None, b"{}").status, 400);
}

#[test]
fn tokens_can_be_revoked_short_lived_limited_and_in_another_format() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    let token = TokenFaults {
        expires_seconds: Some(5),
        expires_in: true,
        tokens_per_minute: Some(2),
        revoke: true,
        ..TokenFaults::default()
    };
    bench.advance(60);
    bench.simulator.set_faults(Faults {
        token,
        ..Faults::default()
    });
    assert_eq!(bench.page(&bearer, json!({})).status, 401);
    let token = value(&bench.token(None));
    assert_eq!(token["expiresIn"], 5);
    assert_eq!(token.get("Expires"), None);
    assert_eq!(bench.page(&bench.bearer(), json!({})).status, 200);
    assert_eq!(bench.token(None).status, 429);
    bench.advance(60);
    assert_eq!(bench.token(None).status, 200);
}

#[test]
fn a_page_has_the_fields_of_the_vendor_sample() {
    let bench = Bench::new(Spec {
        group_max: 1,
        ..eventful()
    });
    let page = value(&bench.page(&bench.bearer(), json!({"status": [2], "call_types": [0]})));
    let sample = r#"["call_id", "call_time", "call_type", "call_uuid", "complain_status",
        "create_time", "duration", "file_name", "inspect_status", "left_channel",
        "left_silence_time", "left_speech_ratio", "left_speed", "review_status", "right_channel",
        "right_silence_time", "right_speech_ratio", "right_speed", "staff_id", "staff_name",
        "status", "upload_time"]"#;
    let fields: Vec<String> = serde_json::from_str(sample).unwrap();
    assert!(page["paging"]["total"].is_u64());
    assert_eq!(page["data"].as_array().unwrap().len(), 100);
    let mut last = u64::MAX;
    for group in page["data"].as_array().unwrap() {
        let row = group["calls"][0].as_object().unwrap();
        assert_eq!(group["call_group_id"], row["call_uuid"]);
        assert_eq!(row["call_id"], row["call_uuid"]);
        let mut names: Vec<&String> = row.keys().filter(|name| *name != "deal").collect();
        names.sort();
        assert_eq!(names, fields.iter().collect::<Vec<_>>());
        let upload = row["upload_time"].as_u64().unwrap();
        assert!(upload <= last);
        last = upload;
        for name in [
            "duration",
            "left_silence_time",
            "left_speech_ratio",
            "left_speed",
        ] {
            // No binary rounding: at most four decimals.
            let text = row[name].to_string();
            assert!(
                text.split('.')
                    .nth(1)
                    .is_none_or(|decimals| decimals.len() <= 4),
                "{text}"
            );
        }
    }
}

#[test]
fn the_error_for_a_bad_request_names_the_field() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    for name in [
        "upload_from",
        "upload_to",
        "call_types",
        "status",
        "limit",
        "page",
    ] {
        let reply = bench.page(&bearer, json!({ name: null }));
        assert_eq!(reply.status, 400);
        assert!(String::from_utf8(reply.body).unwrap().contains(name));
    }
    assert_eq!(bench.page(&bearer, json!({"page": 0})).status, 400);
    assert_eq!(bench.page("Bearer made-up", json!({})).status, 401);
    let nobody = Caller {
        authorization: Some(&bearer),
        user_id: None,
    };
    assert_eq!(bench.simulator.details(nobody, b"{}").status, 400);
    assert_eq!(bench.simulator.stats().count("details", "400"), 8);
    assert_eq!(bench.simulator.stats().total("details"), 9);
}

#[test]
fn an_empty_window_is_a_list_or_null_with_a_total_of_zero() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    let empty = |empty_as_null: bool| {
        let paging = Paging {
            empty_as_null,
            ..Paging::default()
        };
        bench.simulator.set_faults(Faults {
            paging,
            ..Faults::default()
        });
        value(&bench.page(&bearer, json!({"upload_to": 5, "upload_from": 1})))
    };
    assert_eq!(empty(false), json!({"data": [], "paging": {"total": 0}}));
    assert_eq!(empty(true), json!({"data": null, "paging": {"total": 0}}));
}

#[test]
fn limits_can_be_refused_or_clamped_and_requests_rate_limited() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    let paging = Paging {
        refuse_above: Some(50),
        clamp_above: Some(10),
        ..Paging::default()
    };
    bench.simulator.set_faults(Faults {
        paging,
        requests_per_second: Some(2),
        ..Faults::default()
    });
    assert_eq!(bench.page(&bearer, json!({})).status, 400);
    bench.page(&bearer, json!({"limit": 50}));
    assert_eq!(bench.simulator.stats().rows, 10);
    let limited = bench.page(&bearer, json!({"limit": 50}));
    assert_eq!(
        (limited.status, limited.retry_after_seconds),
        (429, Some(1))
    );
    bench.advance(1);
    assert_eq!(bench.page(&bearer, json!({"limit": 50})).status, 200);
    assert_eq!(bench.simulator.stats().peak_details_per_second, 3);
}
