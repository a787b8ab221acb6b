//! What the vendor answers: the step that it spoils, and the likely cause.

use std::time::{Duration, SystemTime};

use cec_exporter::simulator::faults::{Answer, Fault, Faults};
use tokio::task::block_in_place;

use super::checked::check_json;
use crate::support::process::target;
use crate::support::scripted_vendor::{Reply, TOKEN, Vendor};
use crate::support::simulated::{SimulatedVendor, pages, settled, tokens};

fn always(answer: Answer) -> Fault {
    Fault {
        // Longer than the client waits by itself.
        retry_after_seconds: Some(6),
        ..Fault::share(answer, 1.0)
    }
}

#[test]
fn each_answer_has_its_step_and_its_cause() {
    type Parts = &'static [&'static str];
    let cases: [(&str, Faults, &str, Parts, Parts); 11] = [
        (
            "token_401",
            tokens(always(Answer::Http(401))),
            "token",
            &["/tokenByAkSk", "401"],
            &["app_secret is wrong", "replaced"],
        ),
        (
            "token_403",
            tokens(always(Answer::Http(403))),
            "token",
            &["403", "HTML page"],
            &["allow list", "wrong kind"],
        ),
        (
            "token_404",
            tokens(always(Answer::Http(404))),
            "token",
            &["404"],
            &[
                "endpoint is wrong",
                ":28070/apigovernance/api/oauth/tokenByAkSk",
            ],
        ),
        (
            "token_envelope",
            tokens(always(Answer::Envelope)),
            "token",
            &["error inside", "0300028"],
            &["app_key or app_secret"],
        ),
        (
            "page_401",
            pages(always(Answer::Http(401))),
            "page",
            &["401"],
            &["does not accept a new token either"],
        ),
        (
            "page_403",
            pages(always(Answer::Http(403))),
            "page",
            &["403", "HTML page"],
            &["not on the vendor's allow list", "wrong kind"],
        ),
        (
            "page_404",
            pages(always(Answer::Http(404))),
            "page",
            &["404"],
            &["check endpoint"],
        ),
        (
            "page_429",
            pages(always(Answer::Http(429))),
            "page",
            &["429"],
            &["max_requests_per_second"],
        ),
        (
            "page_502",
            pages(always(Answer::Http(502))),
            "page",
            &["502", "HTML page"],
            &["gateway"],
        ),
        (
            "page_envelope",
            pages(always(Answer::Envelope)),
            "page",
            &["error inside", "0300028"],
            &["user_id", "permission"],
        ),
        (
            "page_cut",
            pages(always(Answer::CutBody)),
            "page",
            &["broke after", "3 requests: page body, page body, page body"],
            &["closed the connection"],
        ),
    ];
    let vendors: Vec<_> = cases
        .iter()
        .map(|(name, faults, ..)| {
            let vendor = SimulatedVendor::frozen(settled(20));
            vendor.simulator.set_faults(faults.clone());
            (target(name, &vendor.endpoint, ""), vendor)
        })
        .collect();
    let targets: Vec<String> = vendors.iter().map(|(target, _)| target.clone()).collect();
    let checked = check_json(&targets);
    for (name, _, step, says, causes) in &cases {
        checked.assert_breaks_off(name, step, says, causes);
    }
}

/// An answer for people in place of JSON, with 200 as with another status.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_for_people() {
    let html = "<html><title>Please log in</title></html>";
    let vendor = Vendor::with_pages(move |_, _| Reply::ok(html)).await;
    let json = Vendor::start(|_, _| Reply::status(403, r#"{"error": "no right"}"#)).await;
    let moved = Vendor::start(|_, _| {
        Reply::status(302, "").with("Location", "https://login.example/session/8c1f")
    })
    .await;
    let checked = block_in_place(|| {
        check_json(&[
            target("html", &vendor.endpoint(), ""),
            target("json", &json.endpoint(), ""),
            target("moved", &moved.endpoint(), ""),
        ])
    });
    let causes = ["endpoint is the address of a web site", "login page"];
    checked.assert_breaks_off("html", "page", &["HTML page instead of JSON"], &causes);
    let causes = ["app_key lacks the permission"];
    let step = checked.assert_breaks_off("json", "token", &["403", "no right"], &causes);
    assert!(!step.detail.contains("HTML"), "{step:?}");
    let causes = ["moved", "set endpoint to the new address"];
    let step = checked.assert_breaks_off("moved", "token", &["302", "login.example"], &causes);
    assert!(!step.detail.contains("8c1f"), "{step:?}");
}

#[test]
fn a_page_size_that_is_refused_and_a_retry_that_helped_are_remarked_on() {
    let vendor = SimulatedVendor::frozen(settled(40)).with_faults(|faults| {
        faults.paging.refuse_above = Some(60);
        faults.token.troubles = vec![Fault::next(Answer::Http(503), 1)];
    });
    let checked = check_json(&[target("a", &vendor.endpoint, "")]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let steps = checked.assert_well("a");
    assert_eq!(steps[3].detail, "taken (2 requests: token 503, token 200)");
    let page = &steps[4].detail;
    assert!(
        page.contains("page_size 100 is refused, 50 works"),
        "{page}"
    );
    assert!(page.contains("2 requests: page 400, page 200"), "{page}");
}

/// Calls that cannot be used are the first thing that somebody with a new deployment has to know.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_calls_that_cannot_be_used() {
    let listing = |calls: &str| {
        let body = format!(r#"{{"data":[{calls}],"paging":{{"total":2}}}}"#);
        Vendor::with_pages(move |_, _| Reply::ok(body.clone()))
    };
    let call = |fields: &str| format!(r#"{{"call_uuid":"a","staff_name":"Wang Fang",{fields}}}"#);
    let group = |calls: &str| format!(r#"{{"calls":[{calls}]}}"#);
    let (good, milliseconds) = (
        call(r#""upload_time":5"#),
        call(r#""upload_time":1622633782000"#),
    );
    let iso = call(r#""upload_time":"2021-06-02T11:36:22Z""#);
    let unnamed = r#"{"upload_time":5,"staff_name":"Wang Fang"}"#;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let vendors = [
        ("milliseconds", group(&milliseconds)),
        ("iso", group(&iso)),
        ("flat", format!("{good},{good}")),
        ("unnamed", group(unnamed)),
        ("some", group(&format!("{good},{milliseconds}"))),
        (
            "partly",
            group(&format!(
                "{good},{}",
                call(&format!(r#""upload_time":{now}"#))
            )),
        ),
        ("values", group(&call(r#""upload_time":5,"duration":-1"#))),
    ];
    let mut targets = Vec::new();
    let mut running = Vec::new();
    for (name, data) in &vendors {
        let vendor = listing(data).await;
        targets.push(target(name, &vendor.endpoint(), ""));
        running.push(vendor);
    }
    let checked = block_in_place(|| check_json(&targets));
    assert!(!checked.stdout.contains("Wang"), "{checked:?}");
    for (name, says, cause) in [
        (
            "milliseconds",
            "upload_time 1",
            "1622633782000: milliseconds?",
        ),
        ("iso", "upload_time 1", "2021-06-02T11:36:22Z: a date?"),
        (
            "flat",
            "shape 2",
            "data is a list of calls, not of call groups",
        ),
        (
            "unnamed",
            "identity 1",
            "staff_name (string), upload_time (number)",
        ),
    ] {
        let says = ["not one of", "on the first page can be used", says];
        checked.assert_breaks_off(name, "page", &says, &[cause]);
    }
    for (name, warning) in [
        (
            "some",
            "1 of 2 calls on the first page cannot be used (upload_time 1); for example, upload_time is 1622633782000: milliseconds?",
        ),
        (
            "values",
            "some values on the first page cannot be used (measure 1)",
        ),
        (
            "partly",
            "1 of 2 calls on the first page were not uploaded in the lookback; for example, one at 1970-01-01T00:00:05Z",
        ),
    ] {
        let step = checked.assert_well(name).pop().unwrap();
        let told = step.warning.unwrap();
        assert!(told.starts_with(warning), "{told}");
    }
}

/// Two requests are no burden: a check is not for those who can wait a quarter of an hour.
#[test]
fn a_very_low_rate_does_not_hold_the_check_up() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let slow = "max_requests_per_second: 0.001";
    let checked = check_json(&[target("a", &vendor.endpoint, slow)]);
    checked.assert_well("a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_differs_from_the_vendors_is_a_warning_and_no_failure() {
    for (date, warned) in [
        (SystemTime::now() - Duration::from_secs(3600), "ahead of"),
        (SystemTime::now() + Duration::from_secs(3600), "behind"),
        (SystemTime::now(), ""),
    ] {
        let date = httpdate::fmt_http_date(date);
        let vendor = Vendor::start(move |seen, _| {
            let body = match seen.is_token() {
                true => TOKEN,
                false => r#"{"paging":{"total":0},"data":[]}"#,
            };
            Reply::ok(body).with("date", date.clone())
        })
        .await;
        let target = target("a", &vendor.endpoint(), "");
        let checked = block_in_place(|| check_json(&[target]));
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let json = checked.json();
        let warnings = json["targets"][0]["warnings"].as_array().unwrap();
        assert_eq!(warnings.is_empty(), warned.is_empty(), "{warnings:?}");
        assert!(json.to_string().contains(warned), "{warnings:?}");
    }
}
