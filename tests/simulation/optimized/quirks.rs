//! Permanent quirks of the vendor in a run, which outlast its faults.

use std::collections::{BTreeSet, HashMap};

use cec_exporter::model::{CallId, UnixSeconds};
use cec_exporter::simulator::Simulator;
use cec_exporter::simulator::call::Call;
use cec_exporter::simulator::faults::{Code, CodeName, Faults};
use cec_exporter::simulator::paging::{Paging, TotalOf};
use cec_exporter::simulator::row_faults::RowFaults;
use cec_exporter::simulator::world::World;
use fastrand::Rng;
use serde_json::json;

/// The quirks. The paging may change in addition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quirks {
    pub(crate) rows: RowFaults,
    paging: Paging,
    success: Option<Code>,
}

impl Quirks {
    /// A third of the runs has no quirks, a third has one, the others have several.
    pub(crate) fn draw(rng: &mut Rng, lookback: u32) -> Self {
        let mut quirks = Self::default();
        for _ in 0..[0, 1, 3][rng.usize(..3)] {
            quirks.add(rng, lookback);
        }
        if quirks.has_small_total() {
            // Silently truncated lists without any sign.
            quirks.paging.deep_is_empty = false;
        }
        quirks
    }

    /// Whether the total does not reveal further rows.
    fn has_small_total(&self) -> bool {
        let paging = &self.paging;
        paging.total_off < 0
            || paging.total_counts != TotalOf::Rows
            || paging.total_lag_seconds > 0
            || paging.no_total
    }

    fn add(&mut self, rng: &mut Rng, lookback: u32) {
        let Self {
            rows,
            paging,
            success,
        } = self;
        let few = [0.005, 0.03][rng.usize(..2)];
        match rng.u8(..16) {
            0 => (rows.twice_share, rows.twice_apart) = (few, rng.bool()),
            // A larger total with an empty window is an error.
            1 => paging.total_off = [1, 1, -1, -20][rng.usize(..4)],
            2 => paging.total_counts = TotalOf::Groups,
            3 => paging.total_lag_seconds = [20, 300][rng.usize(..2)],
            4 => paging.no_total = true,
            5 => rows.failing_share = 0.005,
            6 => rows.not_json_share = 0.005,
            7 => {
                let share = [
                    &mut rows.nan_share,
                    &mut rows.control_character_share,
                    &mut rows.broken_utf8_share,
                ];
                for share in share {
                    *share = few;
                }
            }
            8 => {
                paging.deepest_row = Some([60, 200][rng.usize(..2)]);
                paging.deep_is_empty = rng.bool();
            }
            9 => paging.widest_seconds = Some([600, 3600, lookback][rng.usize(..3)]),
            10 => (paging.start_excluded, paging.end_excluded) = (true, true),
            11 => rows.no_status_share = 0.05,
            12 => (rows.no_identity_share, rows.no_upload_time_share) = (few, few),
            13 => {
                rows.late_uuid_share = 0.1;
                rows.late_uuid_seconds = rng.u32(1..3600);
                rows.late_uuid_differs = rng.bool();
            }
            14 => {
                rows.moved_share = 0.05;
                rows.moved_seconds = rng.u32(1..1200);
                rows.moved_after_seconds = rng.u32(1..1800);
            }
            _ => {
                let codes = [
                    json!(0),
                    json!("0"),
                    json!("0409000"),
                    json!("0100000"),
                    json!(200),
                ];
                *success = Some(Code {
                    name: CodeName::ALL[rng.usize(..CodeName::ALL.len())],
                    code: codes[rng.usize(..codes.len())].clone(),
                });
            }
        }
    }

    /// Adds the quirks to the faults.
    pub(crate) fn apply(&self, faults: &mut Faults) {
        let own = &self.paging;
        faults.rows = self.rows.clone();
        faults.success = self.success.clone();
        faults.paging = Paging {
            total_off: own.total_off,
            total_counts: own.total_counts,
            total_lag_seconds: own.total_lag_seconds,
            no_total: own.no_total,
            deepest_row: own.deepest_row,
            deep_is_empty: own.deep_is_empty,
            widest_seconds: own.widest_seconds,
            start_excluded: own.start_excluded,
            end_excluded: own.end_excluded || faults.paging.end_excluded,
            // No list with a total that promises calls is an error.
            empty_as_null: faults.paging.empty_as_null && own.total_off <= 0,
            ..faults.paging.clone()
        };
        if self.has_small_total() {
            // A truncated page would look like the last one.
            faults.paging.clamp_above = None;
        }
    }

    /// Whether upload times change.
    pub(crate) fn moves(&self) -> bool {
        self.rows.moved_share > 0.0
    }

    /// Upload times of calls that make every page with them fail.
    pub(crate) fn blocked(&self, world: &mut World, now: UnixSeconds) -> BTreeSet<UnixSeconds> {
        let rows = &self.rows;
        if rows.failing_share == 0.0 && rows.not_json_share == 0.0 {
            return BTreeSet::new();
        }
        world
            .calls(0, now, now)
            .filter(|call| rows.is_failing(call) || rows.is_not_json(call))
            .flat_map(|call| [call.upload_time(), rows.upload_time(&call, now)])
            .collect()
    }

    /// Whether a call can be read: it is not hidden, and never in the same second as a call that
    /// makes its page fail.
    pub(crate) fn is_readable(
        &self,
        call: &Call<'_>,
        now: UnixSeconds,
        blocked: &BTreeSet<UnixSeconds>,
    ) -> bool {
        let times = [call.upload_time(), self.rows.upload_time(call, now)];
        !self.rows.hide(call) && !times.iter().any(|at| blocked.contains(at))
    }
}

/// Maps all identities that a call is listed with to a single one.
#[derive(Debug, Default)]
pub(crate) struct Identities(HashMap<CallId, CallId>);

impl Identities {
    /// The single identity for one that was listed by `now`.
    pub(crate) fn of(&mut self, id: CallId, rows: &RowFaults, simulator: &Simulator) -> CallId {
        if !rows.late_uuid_differs {
            return id;
        }
        if !self.0.contains_key(&id) {
            let now = simulator.now() as UnixSeconds;
            for call in simulator.world().calls(0, now, now) {
                let uuid = CallId::parse(&call.uuid()).unwrap();
                self.0.insert(uuid, uuid);
                if let Some(other) = rows.call_id(&call) {
                    self.0.insert(CallId::parse(&other).unwrap(), uuid);
                }
            }
        }
        self.0.get(&id).copied().unwrap_or(id)
    }
}
