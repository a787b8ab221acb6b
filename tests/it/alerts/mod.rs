//! A real Prometheus scrapes real exporters of simulated contact centres. Every query of every
//! panel and rule has to bring data; every fault has to raise its alerts, and no others.
//!
//! Rules and thresholds are those of this repository but for time: every window, from 5 minutes to 3
//! days, is 12 seconds here, and so are the thresholds that go with them, and an alert fires after 3.
//! Nobody would wait for the real ones; they are shown by the unit tests of the rules.

mod cases;
mod faults;
mod healthy;
mod last_week;
mod queries;
mod short_rules;
mod world;

use std::collections::BTreeMap;
use std::thread::ScopedJoinHandle;
use std::time::SystemTime;

use crate::support::tools::is_installed;
use world::{Database, QUIET, World};

fn now() -> f64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

#[test]
fn queries_bring_data_and_faults_raise_their_alerts() {
    if !is_installed("prometheus") || !is_installed("promtool") {
        return;
    }
    let mut world = World::start();
    let later = at_once(world.databases(), |database| {
        std::thread::scope(|scope| {
            // They need only some scrapes, and take as long as the windows take to fill.
            let panels = scope.spawn(|| healthy::check_panels(database.prometheus));
            // Until the windows are full, a single failed call is a large share.
            database.fill_windows();
            let empty = scope.spawn(|| {
                healthy::check_that_nothing_counts_twice(database.prometheus);
                healthy::empty_panels(database.prometheus)
            });
            // Some rules need two windows.
            let settled = scope.spawn(|| database.settle(QUIET));
            let mut later = healthy::check_rules(&database);
            joined(panels);
            later.extend(joined(empty));
            joined(settled);
            // The last step, as the faults need a world in which all is well.
            database.settle(1);
            (database.storage, later)
        })
    });
    let later = BTreeMap::from(later);
    faults::raise_their_alerts(&mut world);
    at_once(world.databases(), |database| {
        healthy::check_later(database.prometheus, &later[database.storage]);
    });
}

/// Does the same with both databases, each in a thread of its own.
fn at_once<'a, T: Send>(
    databases: [Database<'a>; 2],
    work: impl Fn(Database<'a>) -> T + Sync,
) -> [T; 2] {
    std::thread::scope(|scope| {
        let threads = databases.map(|database| {
            let work = &work;
            scope.spawn(move || work(database))
        });
        threads.map(joined)
    })
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    let done = thread.join();
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
