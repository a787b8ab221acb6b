//! Several instances that share the targets of one configuration.

use std::collections::BTreeSet;

use super::bad_configuration::only_line;
use crate::support::process::{Exporter, configuration, run, target};
use crate::support::simulated::{SimulatedVendor, settled};

const TARGETS: usize = 12;

fn twelve_targets(vendor: &SimulatedVendor) -> String {
    let targets: Vec<String> = (0..TARGETS)
        .map(|n| target(&format!("centre-{n}"), &vendor.endpoint, ""))
        .collect();
    configuration(&targets)
}

/// The targets that an instance has pulled.
fn pulled(exporter: &Exporter) -> BTreeSet<usize> {
    let samples = exporter.scrape();
    let is_up = |n: &usize| samples.has("cec_up", &[("target", &format!("centre-{n}"))]);
    (0..TARGETS).filter(is_up).collect()
}

#[test]
fn each_target_is_pulled_by_one_instance() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let config = twelve_targets(&vendor);
    let mut all = Vec::new();
    for shard in ["0", "1", "2"] {
        let exporter = Exporter::start_with(&config, &["--total-shards=3", "--shard", shard]);
        let samples = exporter.scrape();
        assert_eq!(
            samples.one("cec_exporter_shard_ordinal", &[]),
            shard.parse::<f64>().unwrap()
        );
        assert_eq!(samples.one("cec_exporter_total_shards", &[]), 3.0);
        let own = pulled(&exporter);
        assert!(!own.is_empty(), "shard {shard} has nothing");
        let page = exporter.get("/").body;
        assert!(page.contains(&format!("shard {shard} of 0 to 2")), "{page}");
        all.extend(own);
    }
    all.sort_unstable();
    assert_eq!(all, (0..TARGETS).collect::<Vec<_>>());
}

#[test]
fn a_pod_knows_its_shard_by_its_name() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let config = twelve_targets(&vendor);
    let given = Exporter::start_with(&config, &["--total-shards=3", "--shard=2"]);
    let flags = ["--total-shards=3"];
    let variables = [("HOSTNAME", "cec-exporter-2")];
    let named = Exporter::start_in(&config, &variables, &flags);
    assert_eq!(pulled(&named), pulled(&given));
}

#[test]
fn an_instance_that_does_not_know_its_shard_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let line = only_line(&run(directory.path(), &["--total-shards=3"]));
    assert!(line.contains("--shard with a number from 0 to 2"), "{line}");
}

#[test]
fn a_reload_keeps_to_the_shard() {
    let vendor = SimulatedVendor::frozen(settled(20));
    let flags = ["--total-shards=3", "--shard=1", "--web.enable-lifecycle"];
    let exporter = Exporter::start_with(&twelve_targets(&vendor), &flags);
    let before = pulled(&exporter);
    let more = target("centre-more", &vendor.endpoint, "");
    exporter.configure(&(twelve_targets(&vendor) + &more));
    assert_eq!(exporter.post("/-/reload").status, 200);
    assert_eq!(pulled(&exporter), before);
}
