//! Compares the metrics with the ground truth: bounds at any time, equality once faults end.

use std::collections::{BTreeMap, BTreeSet};

use cec_exporter::model::{CallId, CallType, Status, UnixSeconds};
use cec_exporter::simulator::call::Call;

use super::replay::{Lines, Series, replay, series};
use super::vendor::Served;
use super::world::{BASE, Run, total};

impl Run {
    /// Asserts that no metric exceeds the truth: not more calls than were ever listed, and no
    /// listed call is missing.
    pub(crate) fn assert_not_above_truth(&self, counters: &Series, missing: f64) {
        let mut world = self.vendor.simulator.world();
        let now = self.vendor_now();
        let rows = &self.quirks.rows;
        let start = if self.uneven { 0 } else { self.start };
        let (mut listed, mut gone) = (0_u64, 0_u64);
        for call in world.calls(start, now, now) {
            let is_listed = call.visible_at() <= now && !rows.hide(&call);
            listed += u64::from(is_listed);
            gone += u64::from(is_listed && !call.is_visible(now));
        }
        let counted = total(counters, "cec_calls_total");
        assert!(
            counted <= listed as f64,
            "{counted} counted, {listed} ever listed"
        );
        // A call whose upload time changes is missing until reconciliation finds it again.
        let moves = self.quirks.moves();
        assert!(
            moves || missing <= gone as f64,
            "{missing} missing, {gone} gone"
        );
    }

    /// Asserts equality, once faults have ended.
    pub(crate) fn compare(&mut self) {
        let view = self.puller.view();
        assert_eq!(view.up, Some(true), "{:?}", view.last_error);
        let calls = view.snapshot.calls.expect("the lookback is in");
        let text = crate::support::text::text("t", &calls);
        let cutoff = (self.vendor.clock)() - self.intervals.lookback;
        let lines = Lines::of(&text);
        let (counted, gauges) = (series(&lines.counters), series(&lines.gauges));
        self.assert_not_above_truth(&counted, total(&gauges, "cec_window_missing_calls"));

        let log = self.vendor.log.lock().unwrap().clone();
        let (expected, distinct) = replay(&log, self.start, cutoff, &self.extras);
        let counted_calls = total(&counted, "cec_calls_total") as u64;
        // A call that left the lookback before it was read is not counted if the lookback later
        // grows, although it is served then.
        let read_in_time = self.first_in.unwrap() - self.first_lookback;
        let least = if self.grown || self.quirks.moves() {
            always_from(&log, self.start.max(read_in_time))
        } else {
            distinct
        };
        assert!(
            (least..=distinct).contains(&counted_calls),
            "{counted_calls} counted, {least} to {distinct} distinct calls served"
        );
        if !self.uneven {
            for name in expected.keys().chain(counted.keys()) {
                if self.is_replayed(name) {
                    assert_eq!(counted.get(name), expected.get(name), "{name}");
                }
            }
            // Every known processing time was observed or counted as unobserved.
            let processing = "cec_call_processing_seconds_count";
            let unobserved = total(&counted, "cec_calls_processing_unobserved_total");
            assert_eq!(
                total(&counted, processing) + unobserved,
                total(&expected, processing)
            );
        }
        if self.vendor.simulator.world().spec().deleted_share == 0.0 && !self.quirks.moves() {
            self.compare_served(distinct);
        }
        self.compare_results(&counted);
        self.compare_gauges(&gauges, &log, cutoff);
    }

    /// Asserts that every call ever listed in readable form has been read.
    fn compare_served(&self, distinct: u64) {
        let now = self.vendor_now();
        let mut world = self.vendor.simulator.world();
        let blocked = self.quirks.blocked(&mut world, now);
        // While the first lookback was loading, its start moved.
        let first_in = self.first_in.unwrap() - self.first_lookback;
        let (mut sure, mut perhaps) = (0, 0);
        let listed = |call: &Call<'_>| call.visible_at() <= now && !self.quirks.rows.hide(call);
        for call in world.calls(self.start, now, now).filter(listed) {
            let is_sure = self.is_certainly_in_time(&call, first_in)
                && self.quirks.is_readable(&call, now, &blocked);
            *(if is_sure { &mut sure } else { &mut perhaps }) += 1;
        }
        let possible = sure..=sure + perhaps;
        assert!(
            possible.contains(&distinct),
            "{distinct} counted, the world has had {possible:?}"
        );
    }

    /// False for a call that was listed late and had almost left the lookback by then.
    pub(crate) fn is_certainly_in_time(&self, call: &Call<'_>, first_in: UnixSeconds) -> bool {
        let edge = BASE.max(self.ahead_until) - self.first_lookback / 2;
        call.upload_time() >= edge || (call.visible_at() <= BASE && call.upload_time() >= first_in)
    }

    fn puller_frontier(&self) -> Option<UnixSeconds> {
        self.puller.view().snapshot.progress.frontier()
    }

    fn compare_gauges(&self, gauges: &Series, log: &Served, cutoff: UnixSeconds) {
        let (now, vendor_now) = ((self.vendor.clock)(), self.vendor_now());
        let rows = &self.quirks.rows;
        let mut world = self.vendor.simulator.world();
        let blocked = self.quirks.blocked(&mut world, vendor_now);
        // Calls that must be in a series, and the number that may be in any.
        let mut expected = Series::new();
        let mut unsure = 0.0;
        let mut add = |name: String, is_sure: bool| {
            let count = if is_sure {
                expected.entry(name).or_default()
            } else {
                &mut unsure
            };
            *count += 1.0;
        };
        let mut oldest = Series::new();
        let mut there = BTreeSet::new();
        for call in world.calls(0, now, vendor_now) {
            let uploaded = rows.upload_time(&call, vendor_now);
            let is_inside = (cutoff..=now).contains(&uploaded);
            if !is_inside || !call.is_visible(vendor_now) || rows.hide(&call) {
                continue;
            }
            let is_sure = self.quirks.is_readable(&call, vendor_now, &blocked);
            let call_type = CallType::from_number(call.call_type().into());
            let status = match rows.has_no_status(&call) {
                true => Status::UNKNOWN,
                false => Status::from_number(call.status_at(vendor_now).into()),
            };
            there.insert(CallId::parse(&call.uuid()).unwrap());
            let labels = format!("{{call_type=\"{call_type}\",status=\"{status}\"}}");
            add(format!("cec_window_calls{labels}"), is_sure);
            if !status.is_final() {
                let name = format!("cec_oldest_pending_call_timestamp_seconds{labels}");
                let at = f64::from(uploaded);
                let oldest = oldest.entry(name).or_insert(at);
                *oldest = oldest.min(at);
            }
            let kinds = ["sampled", "reviewed", "appealed"].into_iter();
            for (kind, (_, state)) in kinds.zip(call.manual_at(vendor_now)) {
                if state >= 0 {
                    let labels = format!("{{call_type=\"{call_type}\",state=\"{state}\"}}");
                    add(format!("cec_window_{kind}_calls{labels}"), is_sure);
                }
            }
        }
        // A call that was forgotten early and then deleted is not known to be missing.
        let mut gone = BTreeSet::new();
        let remembered = log
            .iter()
            .filter(|(_, record)| !self.uneven && record.uploaded >= cutoff);
        for (_, record) in remembered {
            if !there.contains(&record.id) && gone.insert(record.id) {
                let call_type = record.call_type;
                // It may be impossible to read a window that excludes the second of an unreadable
                // call.
                let near = record.uploaded.saturating_sub(1)..=record.uploaded.saturating_add(1);
                let is_sure = blocked.range(near).next().is_none();
                let name = format!("cec_window_missing_calls{{call_type=\"{call_type}\"}}");
                add(name, is_sure);
            }
        }
        if let Some(to) = self.puller_frontier().filter(|_| !self.uneven) {
            let hour = (to - 3599)..=to;
            let recent = log
                .iter()
                .filter(|(_, record)| hour.contains(&record.uploaded));
            let recent: BTreeMap<CallId, CallType> = recent
                .map(|(_, record)| (record.id, record.call_type))
                .collect();
            for call_type in recent.values() {
                add(
                    format!("cec_recent_calls{{call_type=\"{call_type}\"}}"),
                    true,
                );
            }
        }
        let uneven = ["missing", "recent"];
        let uneven = |name: &str| {
            let moved = self.quirks.moves() && name.contains("recent");
            moved || self.uneven && uneven.iter().any(|part| name.contains(part))
        };
        let is_exact = blocked.is_empty();
        for name in expected.keys().chain(gauges.keys()) {
            let is_oldest = name.starts_with("cec_oldest_pending");
            if is_oldest || uneven(name) {
                continue;
            }
            let shown = gauges.get(name).copied().unwrap_or_default();
            let sure = expected.get(name).copied().unwrap_or_default();
            let possible = sure..=sure + unsure;
            assert!(
                possible.contains(&shown),
                "{name} is {shown}, not {possible:?}"
            );
        }
        if is_exact {
            let shown = |(name, _): &(&String, &f64)| name.starts_with("cec_oldest_pending");
            let shown: Series = gauges
                .iter()
                .filter(shown)
                .map(|(name, value)| (name.clone(), *value))
                .collect();
            assert_eq!(shown, oldest);
        }
    }
}

/// Distinct calls that were never served with an upload time before `from`.
fn always_from(log: &Served, from: UnixSeconds) -> u64 {
    let (mut before, mut all) = (BTreeSet::new(), BTreeSet::new());
    for (_, record) in log {
        all.insert(record.id);
        if record.uploaded < from {
            before.insert(record.id);
        }
    }
    all.difference(&before).count() as u64
}
