//! Every way in which the vendor may page the list, compared with the ground truth.

use crate::support::process::{Exporter, target};
use crate::support::simulated::{SimulatedVendor, settled};
use crate::support::truth::differences;
use cec_exporter::simulator::faults::Faults;
use cec_exporter::simulator::paging::{Order, Unit};
use cec_exporter::simulator::spec::Spec;

const FAILURES: &str = "cec_exporter_pull_failures_total";

#[test]
fn every_paging_variant_gives_the_true_counts() {
    type Change = fn(&mut Faults);
    let variants: [(&str, &str, Change); 16] = [
        ("plain", "page_size: 100", |_| ()),
        ("one_page", "page_size: 10000", |_| ()),
        ("clamped", "page_size: 1000", |f| {
            f.paging.clamp_above = Some(70)
        }),
        ("refused", "page_size: 1000", |f| {
            f.paging.refuse_above = Some(60)
        }),
        ("groups", "page_size: 100", |f| {
            f.paging.limit_counts = Unit::Groups
        }),
        ("oldest", "page_size: 100", |f| {
            f.paging.order = Order::OldestFirst
        }),
        ("oldest_groups", "page_size: 30", |f| {
            f.paging.order = Order::OldestFirst;
            f.paging.limit_counts = Unit::Groups;
        }),
        ("clamped_groups", "page_size: 500", |f| {
            f.paging.clamp_above = Some(50);
            f.paging.limit_counts = Unit::Groups;
        }),
        ("refused_clamped", "page_size: 1000", |f| {
            f.paging.refuse_above = Some(300);
            f.paging.clamp_above = Some(90);
            f.paging.order = Order::OldestFirst;
        }),
        ("end_excluded", "page_size: 100", |f| {
            f.paging.end_excluded = true
        }),
        ("malformed", "page_size: 100", |f| {
            f.wire.malformed_share = 0.1
        }),
        ("malformed_clamped", "page_size: 1000", |f| {
            f.wire.malformed_share = 0.3;
            f.paging.clamp_above = Some(20);
        }),
        ("strings", "page_size: 100", |f| {
            f.wire.numbers_as_strings = true
        }),
        ("no_uuid", "page_size: 100", |f| f.wire.no_uuid_share = 0.5),
        ("other_call_id", "page_size: 100", |f| {
            f.wire.call_id_as_number = true;
            f.wire.status_as_string = true;
        }),
        (
            "one_at_a_time",
            "page_size: 100, max_concurrent_requests: 1",
            |_| (),
        ),
    ];
    let vendors: Vec<(&str, &str, SimulatedVendor)> = variants
        .into_iter()
        .enumerate()
        .map(|(seed, (name, more, change))| {
            let spec = Spec {
                seed: seed as u64,
                // Makes groups of several calls common.
                joined_share: 0.4,
                group_max: 5,
                null_share: 0.05,
                ..settled(1500)
            };
            let vendor = SimulatedVendor::frozen(spec).with_faults(change);
            (name, more, vendor)
        })
        .collect();
    let targets: Vec<String> = vendors
        .iter()
        .map(|(name, more, vendor)| target(name, &vendor.endpoint, more))
        .collect();
    let exporter = Exporter::start(&targets);
    // The second pull reads some calls again but counts nothing twice.
    for round in 0..2 {
        let samples = exporter.scrape_until("all targets", |samples| {
            vendors.iter().all(|(name, ..)| samples.has_calls(name))
        });
        for (name, _, vendor) in &vendors {
            let label = ("target", *name);
            let truth = vendor.simulator.truth(None, None);
            assert!(truth.calls[&0] > 1000, "{name}");
            assert_eq!(
                differences(&samples, name, &truth),
                [""; 0],
                "{name} {round}"
            );
            assert_eq!(samples.one("cec_up", &[label]), 1.0, "{name}");
            assert_eq!(samples.sum(FAILURES, &[label]), 0.0, "{name}");
            let calls: u64 = truth.calls.values().sum();
            assert_eq!(
                samples.one("cec_exporter_ledger_calls", &[label]),
                calls as f64
            );
            for reason in ["identity", "upload_time", "shape"] {
                let labels = [label, ("reason", reason)];
                let rejected = samples.one("cec_exporter_records_rejected_total", &labels);
                assert_eq!(
                    rejected > 0.0,
                    name.starts_with("malformed"),
                    "{name} {reason}"
                );
            }
        }
    }
    // The limit that works is kept: only the first page is requested with the others.
    let refused = &vendors
        .iter()
        .find(|(name, ..)| *name == "refused")
        .unwrap()
        .2;
    assert_eq!(refused.simulator.stats().count("details", "400"), 5);
}

#[test]
fn an_empty_window_is_not_a_failure_in_either_form() {
    let vendors = [false, true].map(|null| {
        SimulatedVendor::frozen(settled(0)).with_faults(|faults| faults.paging.empty_as_null = null)
    });
    let exporter = Exporter::start(&[
        target("list", &vendors[0].endpoint, ""),
        target("absent", &vendors[1].endpoint, ""),
    ]);
    let samples = exporter.scrape();
    for name in ["list", "absent"] {
        let label = ("target", name);
        assert_eq!(samples.one("cec_up", &[label]), 1.0, "{name}");
        assert!(samples.has_calls(name));
        assert_eq!(samples.sum("cec_calls_total", &[label]), 0.0);
        // Every documented status that the type can have is exported.
        let statuses = samples.select("cec_window_calls", std::slice::from_ref(&label));
        assert_eq!(statuses.count(), 15 + 8);
    }
}

#[test]
fn invalid_values_are_rejected_one_by_one() {
    let vendor = SimulatedVendor::frozen(settled(1000)).with_faults(|faults| {
        faults.wire.bad_measure_share = 0.2;
        faults.wire.null_status_share = 0.1;
        faults.wire.null_type_share = 0.1;
        faults.wire.null_share = 0.1;
        faults.wire.missing_share = 0.1;
    });
    let exporter = Exporter::start(&[target("a", &vendor.endpoint, "")]);
    let samples = exporter.scrape();
    let truth = vendor.simulator.truth(None, None);
    let calls: u64 = truth.calls.values().sum();
    assert_eq!(samples.sum("cec_calls_total", &[]), calls as f64);
    assert_eq!(samples.sum("cec_window_calls", &[]), calls as f64);
    assert!(samples.sum("cec_window_calls", &[("status", "unknown")]) > 0.0);
    assert!(samples.sum("cec_calls_total", &[("call_type", "unknown")]) > 0.0);
    let rejected = |reason| {
        let labels = [("reason", reason)];
        samples.one("cec_exporter_records_rejected_total", &labels)
    };
    assert!(rejected("measure") > 0.0);
    for reason in ["identity", "upload_time", "shape"] {
        assert_eq!(rejected(reason), 0.0, "{reason}");
    }
}
