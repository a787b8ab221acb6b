//! The standard metrics of the handler, and the limit on scrapes at once.

use crate::support::client::ask;
use crate::support::eventually;
use crate::support::process::{Exporter, configuration, target};
use crate::support::samples::Samples;
use crate::support::simulated::{SimulatedVendor, settled};

const ANSWERED: &str = "promhttp_metric_handler_requests_total";
const IN_FLIGHT: &str = "promhttp_metric_handler_requests_in_flight";

fn answered(samples: &Samples) -> [f64; 3] {
    ["200", "500", "503"].map(|code| samples.one(ANSWERED, &[("code", code)]))
}

#[test]
fn scrapes_are_counted_and_too_many_at_once_refused() {
    let vendor = SimulatedVendor::frozen(settled(100));
    let targets = [target("a", &vendor.endpoint, "request_timeout: 50s")];
    let exporter = Exporter::start_with(&configuration(&targets), &["--web.max-requests=2"]);
    let first = exporter.scrape();
    assert_eq!(answered(&first), [0.0; 3], "known ones are there at 0");
    assert_eq!(first.one(IN_FLIGHT, &[]), 1.0, "the one that asks");

    // Nobody gets a page as long as this is held.
    let held = vendor.simulator.world();
    std::thread::scope(|scope| {
        // Until the two have the room, a probe of those below may have some of it for a moment.
        let patient = || {
            eventually("room for a scrape", || {
                let headers = [("X-Prometheus-Scrape-Timeout-Seconds", "30")];
                let answer = ask("GET", &exporter.address, "/metrics", &headers);
                (answer.status == 200).then(|| Samples::parse(&answer.body))
            })
        };
        let waiting = [scope.spawn(patient), scope.spawn(patient)];
        let refused = eventually("a refusal", || {
            let headers = [("X-Prometheus-Scrape-Timeout-Seconds", "0.1")];
            Some(ask("GET", &exporter.address, "/probe?target=a", &headers))
                .filter(|answer| answer.status != 200)
        });
        let reason = "Too many scrapes at once; --web.max-requests allows 2.\n";
        assert_eq!((refused.status, refused.body.as_str()), (503, reason));
        // People still see what is going on.
        assert_eq!(exporter.get("/").status, 200);
        drop(held);
        for scrape in waiting {
            assert!(scrape.join().unwrap().one(IN_FLIGHT, &[]) <= 2.0);
        }
    });
    assert_eq!(exporter.get("/probe?target=nobody").status, 404);
    let after = exporter.scrape();
    let [ok, broken, refused] = answered(&after);
    assert!(
        ok >= 3.0 && broken == 0.0 && refused >= 1.0,
        "{}",
        after.text
    );
    assert_eq!(after.one(ANSWERED, &[("code", "404")]), 1.0);
    assert_eq!(after.one(IN_FLIGHT, &[]), 1.0);

    let probe = Samples::parse(&exporter.get("/probe?target=a").body);
    assert!(probe.has("cec_up", &[("target", "a")]));
    assert!(
        !probe.text.contains("promhttp_"),
        "of no target: {}",
        probe.text
    );
    let restricted = Samples::parse(&exporter.get("/metrics?target=a").body);
    assert!(restricted.has(IN_FLIGHT, &[]));
}
