//! The calls whose inspection result is still to be requested. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backoff::Delays;
use crate::model::{CallId, CallKey, Record, UnixSeconds, whole_seconds};
use crate::store::QueueChange;

/// After failures of one call.
const DELAYS: Delays = Delays {
    first: 30,
    longest: 3600,
};

/// Calls that succeeded and are in the sample, until their result is counted or they leave the
/// lookback. Which calls are left is durable; how often each was tried is not.
///
/// There may be as many as calls are remembered, hence keys of 20 bytes, and what few calls have in maps
/// of their own.
#[derive(Debug, Default)]
pub(super) struct ResultQueue {
    /// Calls with a smaller hash are in the sample; `None` while results are not requested.
    sampled_below: Option<u64>,
    /// Calls whose result has not been requested.
    fresh: BTreeSet<CallKey>,
    /// Calls whose request has failed.
    failed: BTreeMap<CallKey, Failed>,
    /// When each of those is due.
    due: BTreeSet<(UnixSeconds, CallKey)>,
    /// How the vendor writes the identity, if not as the UUID that it is.
    written: BTreeMap<CallKey, Box<str>>,
    /// Calls added or removed since the last commit.
    changed: BTreeSet<CallKey>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    due: UnixSeconds,
    failures: u32,
}

impl ResultQueue {
    /// Requests the results of this share of the calls that succeed from now on; `None` for none, and
    /// forgets those that are waiting.
    pub(super) fn sample(&mut self, share: Option<f64>) {
        // Every hash is below 2^64 - 1, except for one.
        self.sampled_below = share.map(|share| (share * u64::MAX as f64) as u64);
        if share.is_none() {
            // Above the key of every call.
            self.remove_before([u8::MAX; 20]);
        }
    }

    /// Whether results are requested.
    pub(super) fn is_enabled(&self) -> bool {
        self.sampled_below.is_some()
    }

    /// Adds a call that succeeded, if it is in the sample.
    pub(super) fn push(&mut self, record: &Record) {
        let is_sampled = |below| below == u64::MAX || sample_hash(record.id) < below;
        let has_name = record.written_id.is_some() || record.id.uuid().is_some();
        if !has_name || !self.sampled_below.is_some_and(is_sampled) {
            return;
        }
        let key = record.id.key(record.uploaded);
        self.insert(key, record.written_id.clone());
        self.changed.insert(key);
    }

    fn insert(&mut self, key: CallKey, written: Option<Box<str>>) {
        self.forget(key);
        self.fresh.insert(key);
        if let Some(written) = written {
            self.written.insert(key, written);
        }
    }

    /// Returns whether the call was waiting.
    fn forget(&mut self, key: CallKey) -> bool {
        let failed = self.failed.remove(&key);
        if let Some(failed) = failed {
            self.due.remove(&(failed.due, key));
        }
        self.written.remove(&key);
        self.fresh.remove(&key) || failed.is_some()
    }

    /// The call that has been due longest at `now`, and its identity as the vendor writes it.
    pub(super) fn next(&self, now: UnixSeconds) -> Option<(CallKey, String)> {
        let last = self.due.last().copied();
        let beyond = last.filter(|(due, _)| DELAYS.is_beyond(*due, now));
        // A call is due from its upload on.
        let fresh = self
            .fresh
            .first()
            .map(|key| (CallId::from_key(*key).0, *key));
        let first = self.due.first().copied().into_iter().chain(fresh).min();
        let (_, key) = beyond.or(first.filter(|(due, _)| *due <= now))?;
        let written = match self.written.get(&key) {
            Some(written) => written.to_string(),
            None => CallId::from_key(key).1.uuid()?.to_string(),
        };
        Some((key, written))
    }

    /// Removes a call whose result has arrived. Returns whether it was waiting: a result counts once.
    pub(super) fn remove(&mut self, key: CallKey) -> bool {
        let was_waiting = self.forget(key);
        if was_waiting {
            self.changed.insert(key);
        }
        was_waiting
    }

    /// Requests a result again, but not before the vendor asks for it.
    pub(super) fn postpone(&mut self, key: CallKey, now: UnixSeconds, at_least: Duration) {
        let failures = match self.failed.get(&key) {
            Some(failed) => {
                self.due.remove(&(failed.due, key));
                failed.failures
            }
            None if self.fresh.remove(&key) => 0,
            None => return,
        };
        let at_least = whole_seconds(at_least);
        let due = now.saturating_add(DELAYS.after(failures).max(at_least));
        let failures = failures.saturating_add(1);
        self.failed.insert(key, Failed { due, failures });
        self.due.insert((due, key));
    }

    /// Gives up the calls uploaded before `cutoff`. Returns their number.
    pub(super) fn expire(&mut self, cutoff: UnixSeconds) -> usize {
        match self.oldest() {
            Some(oldest) if oldest < cutoff => self.remove_before(CallId(0).key(cutoff)),
            _ => 0,
        }
    }

    fn remove_before(&mut self, end: CallKey) -> usize {
        let fresh = self.fresh.range(..end).copied();
        let failed = self.failed.range(..end).map(|(key, _)| *key);
        let over: Vec<CallKey> = fresh.chain(failed).collect();
        for key in &over {
            self.remove(*key);
        }
        over.len()
    }

    /// Number of calls.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.failed.len()
    }

    /// Upload time of the oldest call.
    pub(super) fn oldest(&self) -> Option<UnixSeconds> {
        let firsts = [self.fresh.first(), self.failed.keys().next()];
        let first = firsts.into_iter().flatten().min()?;
        Some(CallId::from_key(*first).0)
    }

    /// Whether there is anything to commit.
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes the entries changed since the last commit.
    pub(super) fn take_changes(&mut self) -> Vec<QueueChange> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let entry = |key| {
            let is_waiting = self.fresh.contains(&key) || self.failed.contains_key(&key);
            let written = self.written.get(&key).map(|written| written.as_bytes());
            (key, is_waiting.then(|| written.unwrap_or_default().into()))
        };
        changed.map(entry).collect()
    }

    /// Returns entries whose commit failed.
    pub(super) fn requeue(&mut self, entries: &[QueueChange]) {
        self.changed.extend(entries.iter().map(|(key, _)| *key));
    }

    /// Restores a committed entry; `None` if it is invalid.
    pub(super) fn restore(&mut self, key: CallKey, written: &[u8]) -> Option<()> {
        let written = str::from_utf8(written).ok()?;
        if written.is_empty() {
            CallId::from_key(key).1.uuid()?;
        }
        self.insert(key, (!written.is_empty()).then(|| written.into()));
        Some(())
    }
}

/// A number that depends on the identity alone: a call is in the sample, or not, for every process and
/// at any time. The finalizer of SplitMix64: UUIDs of some versions differ in a few bits only.
fn sample_hash(id: CallId) -> u64 {
    let mut hash = (id.0 >> 64) as u64 ^ (id.0 as u64).rotate_left(32);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        hash = (hash ^ (hash >> 30)).wrapping_mul(factor);
    }
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests;
