//! The state of one target: ledger, tallies and progress.

mod stored;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, Refused};
use crate::metrics::exposition::CallMetrics;
use crate::metrics::histogram::ExemplarSource;
use crate::metrics::tallies::Tallies;
use crate::model::{
    CallId, CallKey, CallSet, CallType, Event, Inspection, ProcessingTime, Rejection, Status,
    Teams, UnixSeconds, Window,
};
use crate::puller::plan::Progress;
use crate::puller::result_queue::ResultQueue;
use crate::puller::skipped::SkippedWindows;
use crate::puller::view::{PendingResults, Snapshot};
use crate::upstream::{Page, Rejected};

/// Longest break between pulls after which processing times and listing delays are still observed:
/// they are measured by looking, so a longer break would be part of them. It is Prometheus' staleness
/// interval.
const MAX_UNWATCHED: Duration = Duration::from_secs(300);
/// The same in pull intervals, where those are long.
const MAX_UNWATCHED_INTERVALS: u32 = 3;
/// Seconds before the frontier that `cec_recent_calls` covers.
const RECENT: UnixSeconds = 3600;
/// Rows uploaded this long before the lookback were not asked for. Slow pulls, and windows that are
/// requested wider than needed, see calls that have just left it.
const NOT_ASKED_FOR: UnixSeconds = 3600;
/// Values of one generation of a [`RecentSet`].
const GENERATION: usize = 1 << 16;

/// Ledger, tallies and progress, which change together and are committed together.
#[derive(Default)]
pub struct TargetState {
    pub ledger: Ledger,
    pub tallies: Tallies,
    pub(super) progress: Progress,
    /// Calls uploaded before were never counted: the time at which all counters were 0.
    pub(super) counted_from: Option<UnixSeconds>,
    /// Windows that could not be read.
    pub(super) skipped: SkippedWindows,
    /// Fingerprints of rejected rows, so that each counts once.
    rejects: RecentSet,
    /// Something changed that must be committed before it is published.
    pub(super) changed: bool,
    /// The progress on disk and when it was written.
    written: Option<(Progress, UnixSeconds)>,
    pub(super) results: ResultQueue,
    /// Calls refused because of `max_calls`.
    pub(super) refused: u64,
    /// Start of the last pull that left no gap: it saw every pending call, and every call listed by
    /// then.
    pub(super) looked_at: Option<UnixSeconds>,
    /// Expected between pulls.
    pub(super) pull_interval: Duration,
    /// `None` before the first configuration, and in older files.
    requested: Option<Requested>,
}

/// The calls that are requested. Field names are the format on disk.
#[derive(Clone, Serialize, Deserialize)]
struct Requested {
    call_types: BTreeSet<CallType>,
    statuses: BTreeSet<Status>,
}

impl TargetState {
    /// Requests the calls of these types and statuses from now on, and creates their series. If others
    /// were requested before, nobody has looked for the new ones, so the lookback is read again.
    pub fn request(&mut self, call_types: &[CallType], statuses: &[Status]) {
        self.tallies.create_series(call_types, statuses);
        let requested = Requested {
            call_types: call_types.iter().copied().collect(),
            statuses: statuses.iter().copied().collect(),
        };
        let is_more = self.requested.as_ref().is_some_and(|before| {
            !requested.call_types.is_subset(&before.call_types)
                || !requested.statuses.is_subset(&before.statuses)
        });
        if let (true, Some(known)) = (is_more, self.progress.known) {
            self.progress.widen_gap(known);
        }
        self.requested = Some(requested);
        self.changed = true;
    }

    /// Requests the results of this share of the calls from now on, and counts at most `max_rules` rules;
    /// `None` for not at all, which forgets what was counted and the calls that wait. Returns whether that
    /// happened.
    pub fn count_results(&mut self, results: Option<(f64, usize)>) -> bool {
        self.results.sample(results.map(|(share, _)| share));
        self.changed = true;
        let max_rules = results.map(|(_, max_rules)| max_rules);
        self.tallies.count_inspections(max_rules)
    }

    /// Counts the result of a call, once.
    pub(super) fn count_result(&mut self, call: CallKey, inspection: &Inspection) {
        if self.results.remove(call) {
            let (uploaded, _) = CallId::from_key(call);
            self.tallies.count_inspection(inspection, uploaded);
            self.changed = true;
        }
    }

    /// Changes who is in which team. Counted calls stay where they are.
    pub fn set_teams(&mut self, teams: Arc<Teams>) {
        self.tallies.set_teams(teams);
        self.changed = true;
    }

    /// Whether the last pull is so recent that what is seen at `now` has just happened.
    fn is_watched(&self, now: UnixSeconds) -> bool {
        let longest = self.pull_interval.saturating_mul(MAX_UNWATCHED_INTERVALS);
        let longest = longest.max(MAX_UNWATCHED);
        let recently = |at| Duration::from_secs(now.saturating_sub(at).into()) <= longest;
        self.progress.gap.is_none() && self.looked_at.is_some_and(recently)
    }

    /// Applies a page received at `now`. Returns the number of rejected rows by reason; a row counts
    /// once, however often it is read.
    pub fn apply(
        &mut self,
        page: &Page,
        now: UnixSeconds,
        lookback: Window,
    ) -> [u64; Rejection::ALL.len()] {
        let is_watched = self.is_watched(now);
        let mut rejected = [0; Rejection::ALL.len()];
        let mut reject = |row: Rejected| {
            if self.rejects.insert(row.fingerprint) {
                rejected[row.reason as usize] += 1;
            }
        };
        page.rejected.iter().copied().for_each(&mut reject);
        // Calls whose result is to be requested under their new identity.
        let mut renamed = CallSet::default();
        for (uuid, call_id) in &page.renamed {
            if let Some(uploaded) = self.ledger.rename(*call_id, *uuid)
                && self.results.remove(call_id.key(uploaded))
            {
                renamed.insert(*uuid);
            }
        }
        for record in &page.records {
            if renamed.contains(&record.id) {
                self.results.push(record);
            }
            let source = Some(ExemplarSource {
                call: record.id,
                at: now,
            });
            let mut emit = |mut event| {
                self.changed = true;
                match &mut event {
                    Event::Appeared { .. } if is_watched => {
                        let after = now.saturating_sub(record.uploaded);
                        self.tallies.observe_listing_delay(after, source);
                    }
                    Event::Processed {
                        processing_time: time @ ProcessingTime::Observed(_),
                        ..
                    } if !is_watched => *time = ProcessingTime::NotObserved,
                    Event::Succeeded { .. } => self.results.push(record),
                    _ => {}
                }
                let staff_id = record.staff_id.as_deref();
                self.tallies.apply(&event, source, staff_id);
            };
            let Err(refused) = self.ledger.observe(record, now, lookback, &mut emit) else {
                continue;
            };
            let is_unusable = match refused {
                Refused::Future => true,
                Refused::Old => record.uploaded.saturating_add(NOT_ASKED_FOR) < lookback.from,
                Refused::Full => {
                    self.refused += 1;
                    false
                }
            };
            if is_unusable {
                tracing::debug!(call = ?record.id, uploaded = record.uploaded, ?refused, "record rejected");
                reject(Rejected::new(Rejection::UploadTime, record.id));
            }
        }
        rejected
    }

    /// Marks the calls of a window that two complete readings in agreement did not list.
    pub(super) fn mark_missing(&mut self, window: Window, is_listed: impl Fn(CallId) -> bool) {
        self.ledger.mark_missing(window, is_listed, &mut |event| {
            self.changed = true;
            self.tallies.apply(&event, None, None);
        });
    }

    /// Forgets calls uploaded before `cutoff`. Returns the number of those whose result was not counted.
    pub(super) fn expire(&mut self, cutoff: UnixSeconds) -> usize {
        self.ledger.expire(cutoff, &mut |event| {
            self.changed = true;
            self.tallies.apply(&event, None, None);
        });
        self.results.expire(cutoff)
    }

    /// Number of calls ever counted. While it is 0, marks may move back.
    pub(super) fn counted(&self) -> u64 {
        self.tallies.total_calls()
    }

    /// Discards progress made under a clock that was ahead: calls uploaded from `from` on count.
    pub(super) fn restart_from(&mut self, from: UnixSeconds) {
        self.progress = Progress::default();
        self.skipped = SkippedWindows::default();
        self.ledger.reopen(from);
        self.counted_from = Some(from);
    }

    /// What is still to be requested; `None` if results are not requested.
    pub(super) fn pending_results(&self) -> Option<PendingResults> {
        self.results.is_enabled().then(|| PendingResults {
            calls: self.results.len(),
            oldest: self.results.oldest(),
        })
    }

    /// Calls uploaded in the hour before the frontier, by type.
    fn recent(&self, tallies: &Tallies) -> BTreeMap<CallType, u64> {
        let mut calls: BTreeMap<_, _> = tallies.call_types().map(|of| (of, 0)).collect();
        if let Some(to) = self.progress.frontier() {
            let from = to.saturating_sub(RECENT - 1);
            calls.extend(self.ledger.uploaded_in(Window { from, to }));
        }
        calls
    }

    /// Passes the metrics to `look`, without the copy that publishing takes.
    pub(super) fn with_metrics(&mut self, look: impl FnOnce(&CallMetrics)) {
        let tallies = std::mem::take(&mut self.tallies);
        let calls = self.call_metrics(tallies);
        look(&calls);
        self.tallies = calls.tallies;
    }

    fn call_metrics(&self, tallies: Tallies) -> CallMetrics {
        CallMetrics {
            recent: self.recent(&tallies),
            tallies,
            oldest_pending: self.ledger.oldest_pending().collect(),
            counted_from: self.counted_from,
        }
    }

    /// What may be published once it is committed.
    pub(super) fn snapshot(&self) -> Snapshot {
        let is_complete = self.progress.complete;
        Snapshot {
            calls: is_complete.then(|| Arc::new(self.call_metrics(self.tallies.clone()))),
            progress: self.progress,
            remembered: self.ledger.len(),
            skipped: self.skipped.iter().cloned().collect(),
            folded: self.tallies.folded(),
            results: self.pending_results(),
        }
    }
}

/// A set with bounded memory: it has the latest 65,536 values at least, and twice as many at most.
#[derive(Default)]
struct RecentSet {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl RecentSet {
    /// Inserts a value. Returns whether it is new. Inserting it again keeps it in the set.
    fn insert(&mut self, value: u64) -> bool {
        if !self.young.insert(value) {
            return false;
        }
        let is_new = !self.old.contains(&value);
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        is_new
    }
}

#[cfg(test)]
mod tests;
