//! Failures of the vendor over real sockets: each is distinguished, and the exporter recovers.

mod cases;

use std::time::Duration;

use crate::support::eventually;
use crate::support::process::{Exporter, target};
use crate::support::samples::Samples;
use crate::support::silent::free_address;
use crate::support::simulated::{SimulatedVendor, pages, settled};
use crate::support::truth::differences;
use cases::{Case, cases};
use cec_exporter::simulator::faults::{Answer, Fault};

const REQUESTS: &str = "cec_exporter_api_requests_total";
const FAILURES: &str = "cec_exporter_pull_failures_total";

/// Reverses the HTML escaping of the status page.
fn unescaped(page: &str) -> String {
    page.replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// The section of a target on the status page.
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
    // Expected codes are exported at 0, too.
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
        .find(|line| line.contains(&mark) && line.contains("message=\"pull failed\""))
        .unwrap_or_else(|| panic!("no failure of {name} in {log}"));
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
fn each_failure_is_distinguished_and_the_target_recovers() {
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
    // All targets at once. No second pull until the next scrape.
    let exporter = Exporter::start(&targets);
    let samples = exporter.scrape();
    let page = exporter.get("/").body;
    let log = eventually("each failure in the log", || {
        let log = exporter.process.stderr();
        (log.matches("message=\"pull failed\"").count() == cases.len()).then_some(log)
    });
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
    // The last error remains, with its time.
    assert!(section(&page, "forbidden").contains("allow list"));
    let log = exporter.end();
    assert_eq!(log.matches("pulls succeed again").count(), cases.len());
}

#[test]
fn a_temporary_failure_does_not_fail_the_pull() {
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
        let fault = Fault {
            retry_after_seconds: Some(0),
            ..Fault::next(answer, 2)
        };
        vendor.simulator.set_faults(pages(fault));
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
fn a_token_is_renewed_when_refused_and_before_it_expires() {
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

    // Several lifetimes pass without a refused token.
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
fn a_closed_port_is_a_connect_failure() {
    let vendor = SimulatedVendor::frozen(settled(50));
    let exporter = Exporter::start(&[
        target("gone", &format!("http://{}", free_address()), ""),
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
