//! Ledgers of targets that are removed, return or come in while the program runs.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{counters, varied};
use crate::support::process::target;
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::storage_processes::Place;
use crate::support::wait_until;

#[test]
fn a_target_that_was_removed_goes_on_where_it_was() {
    let vendor = SimulatedVendor::frozen(varied(300));
    let a = target("a", &vendor.endpoint, "");
    let b = target("b", &vendor.endpoint, "call_types: [text]");
    let place = Place::new(&[a.clone(), b.clone()]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    assert!(before.has_calls("a") && before.has_calls("b"));

    place.configure(std::slice::from_ref(&b));
    assert_eq!(exporter.post("/-/reload").status, 200);
    let without = exporter.scrape();
    assert!(!without.has_calls("a") && without.has_calls("b"));

    vendor.set_faults(|faults| faults.down = true);
    place.configure(&[a.clone(), b.clone()]);
    assert_eq!(exporter.post("/-/reload").status, 200);
    assert_eq!(exporter.scrape().call_metrics(), before.call_metrics());

    // Also if it goes and comes while it is scraped.
    vendor.set_faults(|_| {});
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                exporter.scrape();
            }
        });
        for _ in 0..10 {
            for targets in [&[b.clone()][..], &[a.clone(), b.clone()]] {
                place.configure(targets);
                let answer = exporter.post("/-/reload");
                done.store(answer.status != 200, Ordering::Relaxed);
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    let after = exporter.scrape_until("up", |samples| samples.sum("cec_up", &[]) == 2.0);
    assert_eq!(after.call_metrics(), before.call_metrics());
}

#[test]
fn a_scrape_under_way_does_not_keep_the_ledger_of_a_removed_target() {
    let (vendor, slow) = (
        SimulatedVendor::frozen(settled(100)),
        SimulatedVendor::frozen(settled(100)),
    );
    let a = target("a", &vendor.endpoint, "");
    let b = target("b", &slow.endpoint, "request_timeout: 50s");
    let place = Place::new(&[a.clone(), b.clone()]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    let asked = slow.pages();
    let held = slow.simulator.world();
    std::thread::scope(|scope| {
        let under_way = scope.spawn(|| exporter.scrape_within(50));
        wait_until("a request that hangs", || {
            slow.simulator.stats().in_flight > 0
        });
        place.configure(std::slice::from_ref(&b));
        let removed = exporter.post("/-/reload");
        place.configure(&[a, b]);
        let back = exporter.post("/-/reload");
        let was_under_way = !under_way.is_finished();
        drop(held);
        let statuses = (removed.status, back.status);
        assert_eq!(statuses, (200, 200), "{removed:?} {back:?}");
        assert!(was_under_way);
    });
    assert!(slow.pages() > asked);
    assert_eq!(exporter.scrape().call_metrics(), before.call_metrics());
}

#[test]
fn a_reload_that_finds_a_damaged_ledger_changes_nothing() {
    let vendor = SimulatedVendor::frozen(settled(200));
    let named = |name: &str| target(name, &vendor.endpoint, "");
    let place = Place::new(&[named("a")]);
    let exporter = place.start(&[]);
    let before = exporter.scrape();
    std::fs::write(place.ledger("c"), "damaged").unwrap();
    place.configure(&[named("a"), named("b"), named("c")]);
    let answer = exporter.post("/-/reload");
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("data/c.redb"), "{}", answer.body);
    assert_eq!(exporter.scrape().call_metrics(), before.call_metrics());
    // The one that was opened before it is not held.
    place.configure(&[named("a"), named("b")]);
    let answer = exporter.post("/-/reload");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let after = exporter.scrape();
    assert_eq!(counters(&after, "a"), counters(&before, "a"));
    assert!(after.has_calls("b"));
}
