//! The exporter's store on the simulated disk, and what of the log it has committed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use cec_exporter::metrics::exporter::ExporterMetrics;
use cec_exporter::model::CallId;
use cec_exporter::puller::state::TargetState;
use cec_exporter::puller::{Handover, Puller, Settings};
use cec_exporter::store::{Changes, FileStore, Key, Store, StoreError};

use super::Run;
use crate::extras::Extras;
use crate::support::disk::Disk;
use crate::vendor::{Log, Vendor};

/// Tracks how many records of the log are committed to disk.
pub(crate) struct Tracked {
    store: FileStore,
    log: Log,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
pub(super) struct Kept {
    /// A commit has succeeded.
    pub(super) anything: bool,
    /// Records in the last successful commit.
    records: usize,
    /// Calls removed from the queue of results: their result is counted, or they are given up.
    finished: BTreeSet<Key>,
    /// Failed commits since then: each may have taken effect nevertheless.
    doubtful: Vec<(usize, Changes)>,
}

impl Kept {
    /// A commit has taken effect.
    fn took(&mut self, records: usize, changes: &Changes) {
        (self.anything, self.records) = (true, records);
        for (key, value) in &changes.queue {
            match value {
                Some(_) => self.finished.remove(key),
                None => self.finished.insert(*key),
            };
        }
    }
}

impl Store for Tracked {
    fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        let records = self.log.lock().unwrap().len();
        let result = self.store.commit(changes);
        let mut kept = self.kept.lock().unwrap();
        match result {
            Ok(()) => {
                kept.took(records, changes);
                kept.doubtful.clear();
                // Depends only on the seed, so that a run can be repeated. Power may fail during
                // it.
                if records.is_multiple_of(8) {
                    self.store.compact_now();
                }
            }
            Err(_) => kept.doubtful.push((records, changes.clone())),
        }
        result
    }
}

impl Run {
    /// Restarts from the disk; truncates the log to what was committed.
    pub(super) fn reopen(&mut self) {
        let mut kept = self.kept.lock().unwrap();
        if !kept.doubtful.is_empty() {
            let (_, found) = FileStore::open(self.disk.backend(), |_, _| {}).unwrap();
            let doubtful = std::mem::take(&mut kept.doubtful);
            if let Some((records, changes)) = doubtful
                .into_iter()
                .rfind(|(_, changes)| found.state.as_ref() == Some(&changes.state))
            {
                kept.took(records, &changes);
            }
        }
        self.vendor.log.lock().unwrap().truncate(kept.records);
        drop(kept);
        self.is_first = true;
        self.puller = open(
            &self.settings,
            &self.vendor,
            &self.disk,
            &self.kept,
            &self.metrics,
            &self.extras,
        );
    }

    /// The calls whose result is counted or that are given up, as committed.
    pub(crate) fn finished_results(&self) -> BTreeSet<CallId> {
        let kept = self.kept.lock().unwrap();
        let id = |key: &Key| CallId(u128::from_be_bytes(*key.last_chunk().unwrap()));
        kept.finished.iter().map(id).collect()
    }
}

pub(super) fn open(
    settings: &Settings,
    vendor: &Vendor,
    disk: &Disk,
    kept: &Arc<Mutex<Kept>>,
    metrics: &ExporterMetrics,
    extras: &Extras,
) -> Arc<Puller<Vendor>> {
    let (book, store) = TargetState::open(disk.backend()).unwrap_or_else(|error| panic!("{error}"));
    let store = Tracked {
        store,
        log: Arc::clone(&vendor.log),
        kept: Arc::clone(kept),
    };
    let own = metrics.target("t", 0.0);
    let clock = Arc::clone(&vendor.clock);
    let mut handover = Handover::opened(book, Arc::new(store));
    let teams = extras.enable(&mut handover);
    let (settings, vendor) = (settings.clone(), vendor.clone());
    let puller = Puller::new(settings, vendor, clock, own, handover, teams);
    Arc::new(puller)
}
