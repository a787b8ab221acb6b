//! What the vendor can do wrong, over real sockets: each failure told apart, and overcome.

// Helpers outside of a test function fail the test all the same.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use cec_exporter::simulator::faults::{Answer, Fault, Faults};
use support::process::{Exporter, target};
use support::samples::Samples;
use support::simulated::{SimulatedVendor, settled};
use support::truth::differences;

const REQUESTS: &str = "cec_exporter_api_requests_total";
const FAILURES: &str = "cec_exporter_pull_failures_total";

/// One way to fail.
struct Case {
    name: &'static str,
    faults: Faults,
    /// Requests by api and code once the first pull has failed. What may be about the window alone
    /// is followed by a request for a second of it: the vendor may answer that.
    requests: &'static [(&'static str, &'static str, f64)],
    reason: &'static str,
    /// Parts of the error's text.
    says: &'static [&'static str],
}

fn pages(trouble: Fault) -> Faults {
    Faults {
        details: vec![trouble],
        ..Faults::default()
    }
}

fn tokens(trouble: Fault) -> Faults {
    let mut faults = Faults::default();
    faults.token.troubles = vec![trouble];
    faults
}

fn always(answer: Answer) -> Fault {
    Fault::share(answer, 1.0)
}

fn slow(answer: Answer) -> Fault {
    Fault {
        delay_ms: 6000,
        ..always(answer)
    }
}

fn limited(seconds: u64) -> Fault {
    Fault {
        retry_after_seconds: Some(seconds),
        ..always(Answer::Http(429))
    }
}

fn cases() -> Vec<Case> {
    const TOKEN: (&str, &str, f64) = ("token", "200", 1.0);
    vec![
        Case {
            name: "unauthorised",
            faults: pages(always(Answer::Http(401))),
            // Once with a new token, and no more.
            requests: &[("token", "200", 2.0), ("details", "401", 2.0)],
            reason: "auth",
            says: &["/appraisecall/details", "401", "does not take a new token"],
        },
        Case {
            name: "forbidden",
            faults: pages(always(Answer::Http(403))),
            requests: &[TOKEN, ("details", "403", 1.0)],
            reason: "auth",
            says: &["403", "HTML page", "allow list"],
        },
        Case {
            name: "not_found",
            faults: pages(always(Answer::Http(404))),
            requests: &[TOKEN, ("details", "404", 1.0)],
            reason: "server",
            says: &["404", "check endpoint"],
        },
        Case {
            name: "limited",
            faults: pages(limited(0)),
            requests: &[TOKEN, ("details", "429", 3.0)],
            reason: "rate_limit",
            says: &["429", "asked too often"],
        },
        Case {
            name: "limited_for_long",
            faults: pages(limited(6)),
            requests: &[TOKEN, ("details", "429", 1.0)],
            reason: "rate_limit",
            says: &["429", "asked too often"],
        },
        Case {
            name: "broken",
            faults: pages(always(Answer::Http(500))),
            requests: &[TOKEN, ("details", "500", 6.0)],
            reason: "server",
            says: &["500", "service failed"],
        },
        Case {
            name: "gateway",
            faults: pages(always(Answer::Http(502))),
            requests: &[TOKEN, ("details", "502", 3.0)],
            reason: "server",
            says: &["502", "HTML page", "gateway"],
        },
        Case {
            name: "down",
            faults: Faults {
                down: true,
                ..Faults::default()
            },
            requests: &[("token", "503", 3.0)],
            reason: "server",
            says: &["/tokenByAkSk", "503", "HTML page"],
        },
        Case {
            name: "envelope",
            faults: pages(always(Answer::Envelope)),
            requests: &[TOKEN, ("details", "envelope", 2.0)],
            reason: "envelope",
            says: &["error inside", "0300028"],
        },
        Case {
            name: "null_data",
            faults: pages(always(Answer::NullData)),
            requests: &[TOKEN, ("details", "envelope", 2.0)],
            reason: "envelope",
            says: &["answered 200 without a list", "no list of calls"],
        },
        Case {
            name: "no_data",
            faults: pages(always(Answer::NoData)),
            requests: &[TOKEN, ("details", "envelope", 2.0)],
            reason: "envelope",
            says: &["answered 200 without a list", "no list of calls"],
        },
        Case {
            name: "cut",
            faults: pages(always(Answer::CutBody)),
            requests: &[TOKEN, ("details", "body", 6.0)],
            reason: "body",
            says: &["broke off after"],
        },
        Case {
            name: "reset",
            faults: pages(always(Answer::Reset)),
            requests: &[TOKEN, ("details", "connect", 3.0)],
            reason: "connect",
            says: &["connection broke before an answer"],
        },
        Case {
            name: "slow",
            faults: pages(slow(Answer::Slow)),
            requests: &[TOKEN, ("details", "timeout", 3.0)],
            reason: "timeout",
            says: &["no answer came within 2s", "request_timeout"],
        },
        Case {
            name: "slow_body",
            faults: pages(slow(Answer::Dribble)),
            requests: &[TOKEN, ("details", "timeout", 3.0)],
            reason: "timeout",
            says: &["bytes of the answer came within 2s"],
        },
        Case {
            name: "token_unauthorised",
            faults: tokens(always(Answer::Http(401))),
            requests: &[("token", "401", 1.0)],
            reason: "auth",
            says: &["/tokenByAkSk", "401", "app_key or app_secret"],
        },
        Case {
            name: "token_forbidden",
            faults: tokens(always(Answer::Http(403))),
            requests: &[("token", "403", 1.0)],
            reason: "auth",
            says: &["/tokenByAkSk", "HTML page", "allow list"],
        },
        Case {
            name: "token_limited",
            faults: tokens(limited(0)),
            requests: &[("token", "429", 3.0)],
            reason: "rate_limit",
            says: &["/tokenByAkSk", "asked too often"],
        },
        Case {
            name: "token_envelope",
            faults: tokens(always(Answer::Envelope)),
            requests: &[("token", "envelope", 1.0)],
            reason: "envelope",
            says: &["/tokenByAkSk", "0300028"],
        },
        Case {
            name: "token_cut",
            faults: tokens(always(Answer::CutBody)),
            requests: &[("token", "body", 3.0)],
            reason: "body",
            says: &["/tokenByAkSk", "broke off"],
        },
        Case {
            name: "token_reset",
            faults: tokens(always(Answer::Reset)),
            requests: &[("token", "connect", 3.0)],
            reason: "connect",
            says: &["/tokenByAkSk", "connection broke"],
        },
    ]
}

/// Text as it stands on the status page.
fn unescaped(page: &str) -> String {
    page.replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// The part of the status page that is about a target.
fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let begin = page.find(&format!("<h2>{name}</h2>")).unwrap();
    let end = page[begin..].find("</section>").unwrap();
    &page[begin..begin + end]
}

fn assert_failed(case: &Case, samples: &Samples, page: &str, log: &str) {
    let name = case.name;
    let label = ("target", name);
    assert_eq!(samples.one("cec_up", &[label]), 0.0, "{name}");
    assert!(!samples.has_calls(name), "{name}");
    // Codes that can be foreseen are there at 0 as well.
    let requests: Vec<_> = samples
        .select(REQUESTS, std::slice::from_ref(&label))
        .filter(|sample| sample.value > 0.0)
        .collect();
    assert_eq!(requests.len(), case.requests.len(), "{name}: {requests:?}");
    for (api, code, count) in case.requests {
        let labels = [label, ("api", *api), ("code", *code)];
        assert_eq!(
            samples.sum(REQUESTS, &labels),
            *count,
            "{name}: {requests:?}"
        );
    }
    assert_eq!(
        samples.one(FAILURES, &[label, ("reason", case.reason)]),
        1.0,
        "{name}"
    );
    assert_eq!(samples.sum(FAILURES, &[label]), 1.0, "{name}");
    let section = unescaped(section(page, name));
    let mark = format!("target={name} ");
    let log = log
        .lines()
        .find(|line| line.contains(&mark) && line.contains("pull failed"))
        .unwrap_or_else(|| panic!("nothing about {name} in {log}"));
    assert!(section.contains("DOWN"), "{section}");
    let (before, cause) = section.split_once("<dt>Likely cause</dt><dd>").unwrap();
    let (cause, _) = cause.split_once("</dd>").unwrap();
    assert!(!cause.is_empty() && !before.contains(cause), "{section}");
    assert!(log.contains(&format!("reason={}", case.reason)), "{log}");
    for part in case.says {
        assert!(section.contains(part), "no {part:?} in {section}");
        assert!(log.contains(part), "no {part:?} in {log}");
    }
}

#[test]
fn each_failure_is_told_apart_and_overcome() {
    let cases: Vec<(Case, SimulatedVendor)> = cases()
        .into_iter()
        .map(|case| {
            let vendor = SimulatedVendor::frozen(settled(50));
            vendor.simulator.set_faults(case.faults.clone());
            (case, vendor)
        })
        .collect();
    let targets: Vec<String> = cases
        .iter()
        .map(|(case, vendor)| target(case.name, &vendor.endpoint, "request_timeout: 2s"))
        .collect();
    // All at once: none holds another up. No second pull until it is asked for.
    let exporter = Exporter::start(&targets);
    let samples = exporter.scrape();
    let (page, log) = (exporter.get("/").body, exporter.log());
    for (case, vendor) in &cases {
        assert_failed(case, &samples, &page, &log);
        vendor.set_faults(|_| ());
    }
    for (case, vendor) in &cases {
        let name = case.name;
        let up = exporter.scrape_until(name, |samples| {
            samples.one("cec_up", &[("target", name)]) == 1.0
        });
        let truth = vendor.simulator.truth(None, None);
        assert_eq!(differences(&up, name, &truth), [""; 0], "{name}");
        assert!(up.sum(FAILURES, &[("target", name)]) >= 1.0);
    }
    let page = exporter.get("/").body;
    assert!(page.contains("All targets are up."));
    // The last error stays, with its time.
    assert!(section(&page, "forbidden").contains("allow list"));
    assert_eq!(
        exporter.log().matches("pulls succeed again").count(),
        cases.len()
    );
}

#[test]
fn a_passing_failure_is_overcome_within_the_pull() {
    let vendors: Vec<(String, &str, SimulatedVendor)> = [
        (Answer::Http(429), "429"),
        (Answer::Http(500), "500"),
        (Answer::Http(503), "503"),
        (Answer::CutBody, "body"),
        (Answer::Reset, "connect"),
    ]
    .into_iter()
    .map(|(answer, code)| {
        let vendor = SimulatedVendor::frozen(settled(50));
        let trouble = Fault {
            retry_after_seconds: Some(0),
            ..Fault::next(answer, 2)
        };
        vendor.simulator.set_faults(pages(trouble));
        (format!("a{code}"), code, vendor)
    })
    .collect();
    let targets: Vec<String> = vendors
        .iter()
        .map(|(name, _, vendor)| target(name, &vendor.endpoint, ""))
        .collect();
    let samples = Exporter::start(&targets).scrape();
    for (name, code, vendor) in &vendors {
        let label = ("target", &**name);
        assert_eq!(samples.one("cec_up", &[label]), 1.0, "{name}");
        assert_eq!(samples.sum(FAILURES, &[label]), 0.0, "{name}");
        let labels = [label, ("api", "details"), ("code", *code)];
        assert_eq!(samples.one(REQUESTS, &labels), 2.0, "{name}");
        let truth = vendor.simulator.truth(None, None);
        assert_eq!(differences(&samples, name, &truth), [""; 0], "{name}");
    }
}

#[test]
fn a_token_is_renewed_once_it_is_refused_and_before_it_is_too_old() {
    let refused = SimulatedVendor::frozen(settled(50));
    let short = SimulatedVendor::live(settled(50)).with_faults(|faults| {
        faults.token.expires_seconds = Some(5);
        faults.token.expires_in = true;
    });
    let exporter = Exporter::start(&[
        target("refused", &refused.endpoint, ""),
        target("short", &short.endpoint, ""),
    ]);
    let count = |samples: &Samples, name: &str, api: &str, code: &str| {
        samples.sum(REQUESTS, &[("target", name), ("api", api), ("code", code)])
    };
    let first = exporter.scrape();
    for name in ["refused", "short"] {
        assert_eq!(first.one("cec_up", &[("target", name)]), 1.0);
        assert_eq!(count(&first, name, "token", "200"), 1.0);
    }
    let expiry = "cec_exporter_token_expiry_timestamp_seconds";
    let expiry_of = |samples: &Samples, name: &str| samples.one(expiry, &[("target", name)]);
    assert!(expiry_of(&first, "refused") > expiry_of(&first, "short") + 500.0);

    refused.simulator.revoke_tokens();
    let second = exporter.scrape();
    assert_eq!(second.one("cec_up", &[("target", "refused")]), 1.0);
    assert_eq!(count(&second, "refused", "token", "200"), 2.0);
    assert_eq!(count(&second, "refused", "details", "401"), 1.0);
    assert_eq!(second.sum(FAILURES, &[]), 0.0);

    // Several lifetimes go by without a single refusal.
    let last = exporter.scrape_until("renewals", |samples| {
        assert_eq!(samples.one("cec_up", &[("target", "short")]), 1.0);
        std::thread::sleep(Duration::from_millis(100));
        count(samples, "short", "token", "200") >= 3.0
    });
    assert_eq!(count(&last, "short", "details", "401"), 0.0);
    assert!(expiry_of(&last, "short") > expiry_of(&first, "short"));
    assert_eq!(count(&last, "refused", "token", "200"), 2.0);
}

#[test]
fn nobody_at_the_address_is_a_failure_to_connect() {
    // Nobody answers there after this listener is gone.
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let vendor = SimulatedVendor::frozen(settled(50));
    let exporter = Exporter::start(&[
        target("gone", &format!("http://127.0.0.1:{port}"), ""),
        target("good", &vendor.endpoint, ""),
    ]);
    let samples = exporter.scrape();
    assert_eq!(samples.one("cec_up", &[("target", "gone")]), 0.0);
    assert_eq!(samples.one("cec_up", &[("target", "good")]), 1.0);
    let labels = [("target", "gone"), ("reason", "connect")];
    assert_eq!(samples.one(FAILURES, &labels), 1.0);
    let labels = [("target", "gone"), ("api", "token"), ("code", "connect")];
    assert_eq!(samples.one(REQUESTS, &labels), 3.0);
    let page = exporter.get("/").body;
    assert!(section(&page, "gone").contains("connection was refused"));
}
