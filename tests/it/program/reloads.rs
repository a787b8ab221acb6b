//! Reloads of the configuration, by request and by signal.

use super::lifecycle::{A, scrape_in_flight};
use crate::support::process::{Exporter, configuration, target};
use crate::support::samples::Samples;
use crate::support::simulated::{SimulatedVendor, one_target, settled};
use crate::support::truth::differences;

#[test]
fn a_reload_adds_removes_and_changes_targets() {
    let (first, second) = (
        SimulatedVendor::frozen(settled(300)),
        SimulatedVendor::frozen(settled(200)),
    );
    let a = target("a", &first.endpoint, "");
    let b = target("b", &first.endpoint, "");
    let exporter =
        Exporter::start_with(&configuration(&[a.clone(), b]), &["--web.enable-lifecycle"]);
    let before = exporter.scrape();
    let calls = |samples: &Samples, name: &str| samples.sum("cec_calls_total", &[("target", name)]);
    assert!(calls(&before, "a") > 0.0 && calls(&before, "b") > 0.0);
    let reloaded = "cec_exporter_config_last_reload_successful";
    assert_eq!(before.one(reloaded, &[]), 1.0);

    // b goes, c comes, a looks back less far, which takes back nothing that was counted.
    let narrower = target("a", &first.endpoint, "lookback: 30m");
    let c = target("c", &second.endpoint, "");
    exporter.configure(&configuration(&[narrower, c.clone()]));
    let answer = exporter.post("/-/reload");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let after = exporter.scrape();
    assert_eq!(calls(&after, "a"), calls(&before, "a"), "each call once");
    assert!(after.sum("cec_window_calls", &A) < calls(&after, "a"));
    assert_eq!(after.one("cec_window_seconds", &A), 1800.0);
    let truth = second.simulator.truth(None, None);
    assert_eq!(differences(&after, "c", &truth), [""; 0]);
    assert!(!after.text.contains("target=\"b\""));
    assert_eq!(exporter.get("/probe?target=b").status, 404);

    // A mistake changes nothing.
    exporter.configure(&configuration(&[
        a.clone(),
        "- {name: d, page_sise: 7}\n".into(),
    ]));
    let answer = exporter.post("/-/reload");
    assert_eq!(answer.status, 500);
    for part in ["cec_exporter.yml:10:", "page_sise"] {
        assert!(answer.body.contains(part), "{}", answer.body);
    }
    let still = exporter.scrape();
    assert_eq!(still.one(reloaded, &[]), 0.0);
    assert_eq!(still.call_metrics(), after.call_metrics());
    let time = "cec_exporter_config_last_reload_success_timestamp_seconds";
    assert_eq!(still.one(time, &[]), after.one(time, &[]));

    // A good file and a signal; c is the only one now.
    exporter.configure(&configuration(&[c]));
    exporter.process.signal("HUP");
    let last = exporter.scrape_until("the reload", |found| !found.has_calls("a"));
    assert_eq!(last.one(reloaded, &[]), 1.0);
    assert_eq!(calls(&last, "c"), calls(&after, "c"));
    exporter.logged("configuration not reloaded");

    // The signal tells of a mistake in the log and the metric alone.
    exporter.configure("targets: []");
    exporter.process.signal("HUP");
    exporter.scrape_until("the mistake", |found| found.one(reloaded, &[]) == 0.0);
    assert!(exporter.scrape().has_calls("c"));
}

#[test]
fn a_reload_over_http_is_off_by_default() {
    let vendor = SimulatedVendor::frozen(settled(0));
    let exporter = one_target(&vendor, "");
    exporter.configure("nonsense");
    assert_eq!(exporter.post("/-/reload").status, 403);
    let samples = exporter.scrape();
    assert_eq!(
        samples.one("cec_exporter_config_last_reload_successful", &[]),
        1.0
    );
    assert_eq!(exporter.get("/-/reload").status, 405);
}

#[test]
fn a_reload_does_not_wait_for_the_vendor() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let exporter = Exporter::start_with(
        &configuration(&[target("a", &vendor.endpoint, "request_timeout: 50s")]),
        &["--web.enable-lifecycle"],
    );
    let held = vendor.simulator.world();
    let in_flight = scrape_in_flight(&exporter, &vendor);
    let other = SimulatedVendor::frozen(settled(100));
    exporter.configure(&configuration(&[target("a", &other.endpoint, "")]));
    assert_eq!(exporter.post("/-/reload").status, 200);
    // The pull that it waited for will never end.
    let answered = in_flight.join().unwrap();
    assert!(answered.has("cec_up", &A) && !answered.has_calls("a"));
    let samples = exporter.scrape();
    assert_eq!(samples.one("cec_up", &A), 1.0);
    let truth = other.simulator.truth(None, None);
    assert_eq!(differences(&samples, "a", &truth), [""; 0]);
    drop(held);
}

/// What a failed reload says stays on the page until one succeeds, and reloads do not pile up.
#[test]
fn a_failed_reload_is_on_the_page_until_one_succeeds() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let config = configuration(&[target("a", &vendor.endpoint, "")]);
    let exporter = Exporter::start_with(&config, &["--web.enable-lifecycle"]);
    let page = || exporter.get("/").body;
    assert!(!page().contains("was not reloaded"));
    exporter.configure("targets: [{nonsense: 1}]");
    std::thread::scope(|scope| {
        let reload = || exporter.post("/-/reload").status;
        let all: Vec<_> = (0..40).map(|_| scope.spawn(reload)).collect();
        for answered in all {
            assert_eq!(answered.join().unwrap(), 500);
        }
    });
    for part in [
        "was not reloaded",
        "cec_exporter.yml:1:12: targets[0].nonsense",
    ] {
        assert!(page().contains(part), "{}", page());
    }
    exporter.configure(&config);
    assert_eq!(exporter.post("/-/reload").status, 200);
    assert!(!page().contains("was not reloaded"));
}
