//! Tests of the simulator: other tests rely on its ground truth.

mod args;
mod bench;
mod faults;
mod http;
mod listing;
mod quality;
mod results;
mod rows;
mod vendor;
mod world;

use super::paging::{Order, Paging, Query, Unit};
use super::spec::Spec;
use super::status;

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
