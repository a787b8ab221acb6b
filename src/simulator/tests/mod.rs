//! Tests of the simulator: other tests rely on its ground truth.

mod bench;
mod faults;
mod http;
mod inspection;
mod listing;
mod results;
mod row_faults;
mod vendor;
mod world;

use super::call::Call;
use super::paging::{Order, Paging, Query, Unit};
use super::record::{NEVER, Pass};
use super::spec::Spec;
use super::status::{self, INSPECTING, TRANSCRIBING, WAITING};

const START: u32 = 1_700_000_000;
const DAY: u32 = 86_400;

/// A world in which every special case is common.
fn eventful() -> Spec {
    Spec {
        start: START,
        calls_per_day: 4_000.0,
        reinspected_share: 0.2,
        late_share: 0.1,
        late_max_seconds: 600,
        deleted_share: 0.1,
        joined_share: 0.3,
        ..Spec::default()
    }
}

fn everything(from: u32, to: u32) -> Query {
    Query {
        from,
        to,
        call_types: vec![0, 2],
        statuses: status::ALL.to_vec(),
        limit: 37,
        page: 1,
    }
}

/// All combinations of order, unit and clamp.
fn pagings() -> Vec<Paging> {
    let mut all = Vec::new();
    for order in [Order::NewestFirst, Order::OldestFirst] {
        for limit_counts in [Unit::Calls, Unit::Groups] {
            for clamp_above in [None, Some(10)] {
                all.push(Paging {
                    order,
                    limit_counts,
                    clamp_above,
                    ..Paging::default()
                });
            }
        }
    }
    all
}

/// When each status of a call began, in order. Omits statuses that lasted less than a second, which
/// cannot be observed.
fn transitions(call: &Call<'_>) -> Vec<(u32, u16)> {
    let first = (call.upload_time(), call.record.pass);
    let passes = [first].into_iter().chain(call.second_pass());
    let starts = |(start, pass): (u32, Pass)| {
        [
            (start, WAITING),
            (pass.transcribing, TRANSCRIBING),
            (pass.inspecting, INSPECTING),
            (pass.ended, pass.end),
        ]
    };
    let mut list: Vec<(u32, u16)> = Vec::new();
    for (at, status) in passes.flat_map(starts).filter(|(at, _)| *at != NEVER) {
        list.pop_if(|(last, _)| *last == at);
        list.push((at, status));
    }
    list
}
