//! The contact centre: all its calls, as a pure function of spec and seed.
//!
//! Each minute of upload time has its own random stream, so the calls do not depend on when the
//! world is asked. Minutes are generated on demand and kept in upload order.

use std::collections::HashMap;

use fastrand::Rng;
use uuid::Uuid;

use super::call::{Call, id};
use super::paging::Query;
use super::random::{mix, poisson};
use super::record::Record;
use super::row_faults::RowFaults;
use super::spec::{Scenario, Spec, UTC_OFFSET};

const MINUTES_PER_DAY: u32 = 1440;

/// A simulated contact centre. It has no clock: the time is always an argument.
#[derive(Debug)]
pub struct World {
    pub(super) spec: Spec,
    /// In upload order.
    pub(super) records: Vec<Record>,
    /// Indices of the first calls by identity; the others follow when one is looked up.
    by_id: HashMap<Uuid, u32>,
    /// The last scan, see `listing.rs`.
    pub(super) scan: Option<Scan>,
    /// Scenarios by the first upload time that they apply to.
    scenarios: Vec<(u32, Scenario)>,
    /// The first minute that has not been generated.
    next_minute: u32,
    /// The latest time that was asked for. Earlier calls must not change any more.
    seen: u32,
    /// Scales the daily curve to a mean of 1.
    curve_factor: f64,
}

/// The calls that match a query. Kept, since the other pages of the query usually follow.
#[derive(Debug)]
pub(super) struct Scan {
    /// Without `limit` and `page`.
    pub(super) query: Query,
    pub(super) now: u32,
    pub(super) rows: RowFaults,
    /// Indices of calls in upload order, twice if a call is listed twice.
    pub(super) matches: Vec<u32>,
    /// Positions in `matches` at which a group starts.
    pub(super) group_starts: Vec<u32>,
    /// Number of distinct calls.
    pub(super) calls: usize,
}

impl World {
    pub fn new(spec: Spec) -> Self {
        let sum: f64 = (0..MINUTES_PER_DAY).map(curve).sum();
        Self {
            records: Vec::new(),
            by_id: HashMap::new(),
            scan: None,
            scenarios: vec![(0, Scenario::default())],
            next_minute: spec.start / 60,
            seen: 0,
            curve_factor: f64::from(MINUTES_PER_DAY) / sum,
            spec,
        }
    }

    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Replaces the scenario for calls uploaded after `now`, but never for calls that may have been
    /// seen already.
    pub fn set_scenario(&mut self, scenario: Scenario, now: u32) {
        let from = now.max(self.seen).saturating_add(1);
        self.scenarios.retain(|&(since, _)| since < from);
        self.scenarios.push((from, scenario));
        // The minute of `from` may have been generated. Generating it again does not change the
        // calls before `from`.
        let minute = from / 60;
        if minute < self.next_minute {
            self.next_minute = minute.max(self.spec.start / 60);
            let keep = self
                .records
                .partition_point(|record| record.upload / 60 < minute);
            self.records.truncate(keep);
            self.by_id.clear();
        }
    }

    /// The scenario for calls uploaded after `now`.
    pub fn scenario(&self, now: u32) -> &Scenario {
        self.scenario_at(now.saturating_add(1))
    }

    fn scenario_at(&self, upload: u32) -> &Scenario {
        let after = self
            .scenarios
            .partition_point(|&(since, _)| since <= upload);
        &self.scenarios[after.saturating_sub(1)].1
    }

    /// Generates the calls uploaded by `now`.
    pub(super) fn grow(&mut self, now: u32) {
        self.seen = self.seen.max(now);
        while self.next_minute <= now / 60 {
            self.add_minute(self.next_minute);
            self.next_minute += 1;
        }
    }

    fn add_minute(&mut self, minute: u32) {
        let rng = &mut Rng::with_seed(mix(self.spec.seed, u64::from(minute)));
        let count = poisson(rng, self.calls_in(minute));
        let mut uploads: Vec<u32> = (0..count)
            .map(|_| minute.saturating_mul(60).saturating_add(rng.u32(0..60)))
            .collect();
        uploads.sort_unstable();
        let first = self.records.len();
        for upload in uploads {
            let seed = rng.u64(..);
            // The seed is drawn first in any case, so that the other calls do not depend on this.
            let scenario = self.scenario_at(upload);
            if upload < self.spec.start || scenario.dried_up {
                continue;
            }
            let mut record = Record::draw(&self.spec, scenario, upload, seed);
            if self.records.len() > first
                && let Some(before) = self.records.last()
                && before.back + 1 < self.spec.group_max
                && Rng::with_seed(mix(seed, 1)).f64() < self.spec.joined_share
            {
                record.back = before.back + 1;
            }
            self.records.push(record);
        }
    }

    /// Mean number of calls in a minute.
    fn calls_in(&self, minute: u32) -> f64 {
        let mean = self.spec.calls_per_day / f64::from(MINUTES_PER_DAY);
        if self.spec.flat {
            return mean;
        }
        let local = minute + UTC_OFFSET / 60;
        // 1970-01-01 was a Thursday.
        let share = match (local / MINUTES_PER_DAY + 4) % 7 {
            0 | 6 => self.spec.weekend_share,
            _ => 1.0,
        };
        mean * curve(local % MINUTES_PER_DAY) * self.curve_factor * share
    }

    pub(super) fn call(&self, index: usize) -> Call<'_> {
        let record = &self.records[index];
        let leader = &self.records[index - usize::from(record.back)];
        Call {
            spec: &self.spec,
            scenario: self.scenario_at(record.upload),
            record,
            leader,
        }
    }

    /// Indices of the calls uploaded from `from` to `to`, both inclusive.
    pub(super) fn span(&self, from: u32, to: u32) -> std::ops::Range<usize> {
        let begin = self.records.partition_point(|record| record.upload < from);
        let end = self.records.partition_point(|record| record.upload <= to);
        begin..end.max(begin)
    }

    /// The calls uploaded from `from` to `to`, both inclusive, and by `now`, in upload order,
    /// whether listed or not.
    pub fn calls(&mut self, from: u32, to: u32, now: u32) -> impl Iterator<Item = Call<'_>> {
        self.grow(now);
        let world = &*self;
        world.span(from, to.min(now)).map(|index| world.call(index))
    }

    /// The call with this identity that was uploaded by `now`, whether listed or not.
    pub fn find(&mut self, uuid: &str, now: u32) -> Option<Call<'_>> {
        self.grow(now);
        let known = self.by_id.len();
        let new = self.records[known..].iter().zip(known as u32..);
        self.by_id
            .extend(new.map(|(record, index)| (id(record.seed), index)));
        let index = self.by_id.get(&Uuid::try_parse(uuid).ok()?)?;
        let call = self.call(*index as usize);
        (call.upload_time() <= now).then_some(call)
    }
}

/// Arrival rate over a local day: quiet nights, peaks before noon and in the afternoon.
fn curve(minute_of_day: u32) -> f64 {
    let hour = f64::from(minute_of_day) / 60.0;
    let peak = |at: f64, width: f64| (-((hour - at) / width).powi(2) / 2.0).exp();
    0.06 + peak(10.5, 1.6) + 0.9 * peak(15.5, 1.9) + 0.25 * peak(19.5, 1.5)
}
