//! The calls whose inspection result is still to be requested. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backoff::Delays;
use crate::model::{CallId, Record, UnixSeconds};
use crate::store::{Key, QueueChange};

/// After failures of one call.
const DELAYS: Delays = Delays {
    first: 30,
    longest: 3600,
};

/// A call, by upload time and identity.
pub(super) type QueuedCall = (UnixSeconds, CallId);

/// Calls that succeeded and are in the sample, until their result is counted or they leave the
/// lookback. Which calls are left is durable; how often each was tried is not.
#[derive(Debug, Default)]
pub(super) struct ResultQueue {
    /// Calls with a smaller hash are in the sample; `None` while results are not requested.
    sampled_below: Option<u64>,
    calls: BTreeMap<QueuedCall, Waiting>,
    /// When each call is due.
    due: BTreeSet<(UnixSeconds, QueuedCall)>,
    /// Calls added or removed since the last commit.
    changed: BTreeSet<QueuedCall>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// How the vendor writes the identity, if not as the UUID that it is.
    written: Option<Box<str>>,
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
            self.remove_all(|_| true);
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
        let call = (record.uploaded, record.id);
        self.insert(call, record.written_id.clone());
        self.changed.insert(call);
    }

    fn insert(&mut self, call: QueuedCall, written: Option<Box<str>>) {
        let waiting = Waiting {
            written,
            due: call.0,
            failures: 0,
        };
        if let Some(before) = self.calls.insert(call, waiting) {
            self.due.remove(&(before.due, call));
        }
        self.due.insert((call.0, call));
    }

    /// The call that has been due longest at `now`, and its identity as the vendor writes it.
    pub(super) fn next(&self, now: UnixSeconds) -> Option<(QueuedCall, String)> {
        // A request in the far future was scheduled by a clock that was ahead.
        let is_far = |due: UnixSeconds| due > now.saturating_add(DELAYS.longest);
        let far = self.due.last().filter(|(due, _)| is_far(*due));
        let (due, call) = *far.or(self.due.first())?;
        let waiting = self
            .calls
            .get(&call)
            .filter(|_| due <= now || is_far(due))?;
        let written = match &waiting.written {
            Some(written) => written.to_string(),
            None => call.1.uuid()?.to_string(),
        };
        Some((call, written))
    }

    /// Removes a call whose result has arrived. Returns whether it was waiting: a result counts once.
    pub(super) fn remove(&mut self, call: QueuedCall) -> bool {
        let Some(waiting) = self.calls.remove(&call) else {
            return false;
        };
        self.due.remove(&(waiting.due, call));
        self.changed.insert(call);
        true
    }

    /// Requests a result again, but not before the vendor asks for it.
    pub(super) fn postpone(&mut self, call: QueuedCall, now: UnixSeconds, at_least: Duration) {
        let at_least = UnixSeconds::try_from(at_least.as_secs()).unwrap_or(UnixSeconds::MAX);
        if let Some(waiting) = self.calls.get_mut(&call) {
            self.due.remove(&(waiting.due, call));
            let delay = DELAYS.after(waiting.failures).max(at_least);
            waiting.failures = waiting.failures.saturating_add(1);
            waiting.due = now.saturating_add(delay);
            self.due.insert((waiting.due, call));
        }
    }

    /// Gives up the calls uploaded before `cutoff`. Returns their number.
    pub(super) fn expire(&mut self, cutoff: UnixSeconds) -> usize {
        match self.calls.first_key_value() {
            Some((call, _)) if call.0 < cutoff => self.remove_all(|call| call.0 < cutoff),
            _ => 0,
        }
    }

    fn remove_all(&mut self, is_over: impl Fn(QueuedCall) -> bool) -> usize {
        let over = self.calls.keys().copied().take_while(|call| is_over(*call));
        let over: Vec<QueuedCall> = over.collect();
        for call in &over {
            self.remove(*call);
        }
        over.len()
    }

    /// Number of calls.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Upload time of the oldest call.
    pub(super) fn oldest(&self) -> Option<UnixSeconds> {
        self.calls.first_key_value().map(|(call, _)| call.0)
    }

    /// Whether there is anything to commit.
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes the entries changed since the last commit.
    pub(super) fn take_changes(&mut self) -> Vec<QueueChange> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let entry = |call| {
            let written = |waiting: &Waiting| waiting.written.as_deref().unwrap_or_default().into();
            let value = self.calls.get(&call).map(written);
            (call.1.key(call.0), value.map(str_bytes))
        };
        changed.map(entry).collect()
    }

    /// Returns entries whose commit failed.
    pub(super) fn requeue(&mut self, entries: &[QueueChange]) {
        self.changed
            .extend(entries.iter().map(|(key, _)| CallId::from_key(*key)));
    }

    /// Restores a committed entry. Returns whether it is valid.
    pub(super) fn restore(&mut self, key: Key, written: &[u8]) -> bool {
        let Ok(written) = std::str::from_utf8(written) else {
            return false;
        };
        let call = CallId::from_key(key);
        if written.is_empty() && call.1.uuid().is_none() {
            return false;
        }
        self.insert(call, (!written.is_empty()).then(|| written.into()));
        true
    }
}

fn str_bytes(text: Box<str>) -> Box<[u8]> {
    text.into_boxed_bytes()
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
