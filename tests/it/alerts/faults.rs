//! The faults, and the alerts that they raise.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use super::cases::CASES;
use super::world::{Alert, Database, LASTING, LOOKS, World};

/// Lets all faults happen, and returns the alerts that have to follow.
fn begin(world: &mut World) -> BTreeSet<Alert> {
    let mut expected = BTreeSet::new();
    for case in CASES {
        if let Some((path, fault)) = case.fault {
            world.simulators[case.target].demand("PUT", path, fault);
        }
        for alert in case.alerts {
            expected.insert(((*alert).to_owned(), case.target.to_owned()));
        }
    }
    if let Some(replica) = world.replica.take() {
        expected.insert(("CecExporterDown".to_owned(), replica.address.clone()));
    }
    let exporter = &world.exporter;
    exporter.configure("targets: []");
    let status = exporter.post("/-/reload").status;
    assert_eq!(status, 500, "a reload of a bad configuration");
    expected.insert(("CecConfigReloadFailed".to_owned(), exporter.address.clone()));
    expected
}

/// What is seen of a database while the faults last.
struct Watch {
    expected: BTreeSet<Alert>,
    missing: BTreeSet<Alert>,
    /// Alerts that fire for no fault, and how many times in a row.
    unexplained: BTreeMap<Alert, u32>,
}

impl Watch {
    fn is_explained(&self, alert: &Alert) -> bool {
        let (name, about) = alert;
        let mut cases = CASES.iter();
        self.expected.contains(alert)
            || cases.any(|case| case.target == about && case.may_raise(name))
    }

    fn look(&mut self, database: &Database) {
        let firing = database.firing();
        self.missing.retain(|alert| !firing.contains(alert));
        let strange = firing.into_iter().filter(|alert| !self.is_explained(alert));
        let times = strange.map(|alert| {
            let before = self.unexplained.get(&alert).unwrap_or(&0);
            (alert.clone(), before + 1)
        });
        self.unexplained = times.collect();
        for (alert, times) in &self.unexplained {
            assert!(
                *times < LASTING,
                "{}: {alert:?} fires without its fault",
                database.storage
            );
        }
    }
}

/// Waits until every fault has raised its alerts, in each database, while no other alert fires for long.
pub(crate) fn raise_their_alerts(world: &mut World) {
    let of_faults = begin(world);
    let mut watches = world.databases().map(|database| {
        let mut expected = of_faults.clone();
        expected.extend(database.without_replica);
        Watch {
            missing: expected.clone(),
            expected,
            unexplained: BTreeMap::new(),
        }
    });
    let mut complete = 0;
    for look in 0..LOOKS {
        let is_limited = |watch: &Watch| {
            let mut missing = watch.missing.iter();
            missing.all(|(_, target)| target != "limited")
        };
        if look.is_multiple_of(4) && !watches.iter().all(is_limited) {
            world.rate_limit_again();
        }
        sleep(Duration::from_secs(1));
        for (watch, database) in watches.iter_mut().zip(world.databases()) {
            watch.look(&database);
        }
        // Some looks more, for those that should not fire.
        complete += u32::from(watches.iter().all(|watch| watch.missing.is_empty()));
        if complete == LASTING {
            return;
        }
    }
    let missing = watches.map(|watch| watch.missing);
    panic!("do not fire: {missing:?}");
}
