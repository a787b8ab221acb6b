use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::super::args::SimulateArgs;
use super::super::faults::{Answer, Fault, Faults, TokenFaults, WireFaults};
use super::super::listing::Paging;
use super::super::reply::{Delivery, Reply};
use super::super::spec::{Scenario, Spec};
use super::super::{Caller, Simulator};
use super::{DAY, START, eventful};

/// A vendor whose clock is turned by hand.
pub(super) struct Bench {
    pub(super) simulator: Simulator,
    time: Arc<AtomicU32>,
}

impl Bench {
    pub(super) fn new(spec: Spec) -> Self {
        let time = Arc::new(AtomicU32::new(START + DAY));
        let clock = Arc::clone(&time);
        let simulator = Simulator::new(
            spec,
            Arc::new(move || f64::from(clock.load(Ordering::Relaxed))),
        );
        Self { simulator, time }
    }

    pub(super) fn wait(&self, seconds: u32) {
        self.time.fetch_add(seconds, Ordering::Relaxed);
    }

    fn token(&self, expire: Option<&str>) -> Reply {
        self.simulator
            .token(expire, br#"{"app_key": "k", "app_secret": "s"}"#)
    }

    pub(super) fn bearer(&self) -> String {
        let token = value(&self.token(Some("600")));
        format!("Bearer {}", token["AccessToken"].as_str().unwrap())
    }

    pub(super) fn page(&self, bearer: &str, change: Value) -> Reply {
        let mut body = json!({
            "upload_from": START, "upload_to": START + DAY, "call_types": [0, 2],
            "status": [0, 1, 2, 3, 9, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40],
            "limit": 100, "page": 1, "staff_id": null,
        });
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let caller = Caller {
            authorization: Some(bearer),
            user_id: Some("1"),
        };
        self.simulator.details(caller, body.to_string().as_bytes())
    }

    fn rows(&self, wire: WireFaults) -> Vec<Value> {
        self.simulator.set_faults(Faults {
            wire,
            ..Faults::default()
        });
        let page = value(&self.page(&self.bearer(), json!({"limit": 5000})));
        let groups = page["data"].as_array().unwrap();
        groups
            .iter()
            .flat_map(|group| group["calls"].as_array().unwrap().clone())
            .collect()
    }
}

pub(super) fn value(reply: &Reply) -> Value {
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    serde_json::from_slice(&reply.body).unwrap()
}

#[test]
fn a_token_is_all_strings_and_holds_for_its_time() {
    let bench = Bench::new(eventful());
    let token = value(&bench.token(Some("300")));
    assert!(token.as_object().unwrap().values().all(Value::is_string));
    assert_eq!(token["Expires"], "300");
    assert_eq!(token["ApplyType"], "Bearer");
    let bearer = format!("Bearer {}", token["AccessToken"].as_str().unwrap());
    bench.wait(299);
    assert_eq!(bench.page(&bearer, json!({})).status, 200);
    bench.wait(1);
    assert_eq!(bench.page(&bearer, json!({})).status, 401);
    assert_eq!(value(&bench.token(Some("99999")))["Expires"], "3600");
    assert_eq!(bench.simulator.token(None, b"{}").status, 400);
}

#[test]
fn tokens_can_be_revoked_short_spelt_otherwise_and_scarce() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    let token = TokenFaults {
        expires_seconds: Some(5),
        expires_in: true,
        tokens_per_minute: Some(2),
        revoke: true,
        ..TokenFaults::default()
    };
    bench.wait(60);
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
    bench.wait(60);
    assert_eq!(bench.token(None).status, 200);
}

#[test]
fn a_page_looks_like_the_vendors() {
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
            // No trace of binary rounding: at most four decimals.
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
fn a_bad_request_is_told_what_is_wrong() {
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
fn faults_befall_as_many_requests_as_asked() {
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
fn answers_can_be_broken_in_each_way() {
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
fn limits_are_refused_or_clamped_and_requests_rationed() {
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
    bench.wait(1);
    assert_eq!(bench.page(&bearer, json!({"limit": 50})).status, 200);
    assert_eq!(bench.simulator.stats().peak_details_per_second, 3);
}

#[test]
fn rows_can_be_written_otherwise() {
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
fn malformed_rows_come_on_top() {
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
fn one_call_can_be_looked_at() {
    let bench = Bench::new(eventful());
    let bearer = bench.bearer();
    let row = bench.rows(WireFaults::default()).swap_remove(7);
    let caller = Caller {
        authorization: Some(&bearer),
        user_id: Some("1"),
    };
    let ask = |uuid: &Value| {
        let body = json!({ "call_uuid": uuid }).to_string();
        bench.simulator.detail(caller, body.as_bytes())
    };
    let detail = value(&ask(&row["call_uuid"]));
    assert_eq!(detail["upload_time"], row["upload_time"]);
    assert!(detail["segments"][0]["asr_text"].is_string());
    assert_eq!(ask(&json!("nobody")).status, 500);
    assert_eq!(ask(&json!(null)).status, 400);
}

#[test]
fn settings_are_read_strictly() {
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

#[derive(Debug, clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    simulate: SimulateArgs,
}

#[test]
fn the_command_line_is_well_formed_and_means_what_it_says() {
    use clap::{CommandFactory, Parser};
    CommandLine::command().debug_assert();
    let args = |flags: &[&str]| {
        CommandLine::try_parse_from([&["simulate"], flags].concat()).map(|line| line.simulate)
    };
    let usual = args(&[]).unwrap();
    assert_eq!(usual.listen_address.to_string(), "127.0.0.1:10043");
    assert_eq!(usual.faults(), Faults::default());
    let spec = Spec {
        start: START - DAY,
        ..Spec::default()
    };
    assert_eq!(usual.spec(START), spec);
    let other = args(&[
        "--web.listen-address=:99",
        "--history=36h",
        "--page-limit-max=50",
        r#"--faults={"down": true}"#,
    ])
    .unwrap();
    assert_eq!(other.listen_address.port(), 99);
    assert_eq!(other.spec(START).start, START - 36 * 3600);
    assert_eq!(other.faults().paging.clamp_above, Some(50));
    assert!(other.faults().down);
    for bad in [
        "--history=1w",
        "--pipeline-speed=0",
        "--text-share=2",
        "--faults={",
    ] {
        assert!(args(&[bad]).is_err(), "{bad}");
    }
    let names: HashSet<_> = CommandLine::command()
        .get_arguments()
        .filter(|arg| arg.get_help().is_none())
        .map(|arg| arg.get_id().to_string())
        .collect();
    assert_eq!(names, HashSet::new(), "flags without help");
}
