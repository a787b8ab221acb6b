//! A real Prometheus scrapes real exporters of simulated contact centres. Every query of every
//! panel and rule has to bring data; every fault has to raise its alerts, and no others.
//!
//! Rules and thresholds are those of this repository but for time: every window, from 5 minutes to 3
//! days, is 30 seconds here, and so are the thresholds that go with them, and an alert fires after 3.
//! Nobody would wait for the real ones; they are shown by the unit tests of the rules.

mod cases;
mod faults;
mod healthy;
mod last_week;
mod queries;
mod short_rules;
mod world;

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use crate::support::prometheus_server::is_installed;
use short_rules::WINDOW;
use world::World;

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

#[test]
fn queries_bring_data_and_faults_raise_their_alerts() {
    if !is_installed("prometheus") || !is_installed("promtool") {
        return;
    }
    let mut world = World::start();
    // Until the windows are full, a single failed call is a large share.
    sleep(WINDOW + Duration::from_secs(3));
    let mut later = Vec::new();
    for database in world.databases() {
        database.settle();
        healthy::check_that_nothing_counts_twice(database.prometheus);
        let mut empty = healthy::check_rules(&database);
        empty.extend(healthy::check_panels(database.prometheus));
        later.push(empty);
        database.settle();
    }
    faults::raise_their_alerts(&mut world);
    for (database, later) in world.databases().iter().zip(later) {
        healthy::check_later(database.prometheus, later);
    }
}
