use std::collections::HashSet;

use super::super::paging::{Order, Paging, Query, Unit};
use super::super::row_faults::RowFaults;
use super::super::spec::{Scenario, Spec};
use super::super::world::World;
use super::{DAY, START, eventful, everything, pagings};

/// Reads all pages; returns the identities in list order and the total.
fn read(world: &mut World, query: &Query, now: u32, paging: &Paging) -> (Vec<String>, usize) {
    let mut seen = Vec::new();
    for page in 1.. {
        let query = Query {
            page,
            ..query.clone()
        };
        let listing = world.list(&query, now, paging, &RowFaults::default());
        let limit = query.limit.min(paging.clamp_above.unwrap_or(u32::MAX)) as usize;
        let calls = listing.calls.len();
        let units = if paging.limit_counts == Unit::Groups {
            listing.groups().count()
        } else {
            calls
        };
        assert!(units <= limit);
        for group in listing.groups() {
            let id = group[0].group_id();
            assert!(group.iter().all(|call| call.group_id() == id));
            seen.extend(group.iter().map(|call| call.uuid()));
        }
        if calls == 0 {
            return (seen, listing.total);
        }
        assert!(units == limit || seen.len() == listing.total);
    }
    unreachable!()
}

/// Computes the list the slow way.
fn expected(world: &mut World, query: &Query, now: u32, paging: &Paging) -> Vec<String> {
    let mut uuids: Vec<String> = world
        .calls(0, now, now)
        .filter(|call| (query.from..=query.to).contains(&call.upload_time()))
        .filter(|call| call.visible_at() <= now && call.gone_at().is_none_or(|gone| now < gone))
        .filter(|call| query.call_types.contains(&call.call_type()))
        .filter(|call| query.statuses.contains(&call.status_at(now)))
        .map(|call| call.uuid())
        .collect();
    if paging.order == Order::NewestFirst {
        uuids.reverse();
    }
    uuids
}

#[test]
fn pages_partition_the_window_with_any_paging() {
    let mut world = World::new(eventful());
    let now = START + DAY;
    let unfinished = |query: Query| Query {
        statuses: vec![0, 3, 1],
        ..query
    };
    let voice = |query: Query| Query {
        call_types: vec![0],
        ..query
    };
    for paging in pagings() {
        for query in [
            everything(0, u32::MAX),
            everything(START + 3600, START + 40_000),
            everything(now - 300, now + 500),
            everything(now + 1, now + 2),
            everything(now, now - 100),
            unfinished(everything(START, now)),
            voice(everything(START, now)),
            Query {
                statuses: vec![77],
                ..everything(START, now)
            },
        ] {
            let (seen, total) = read(&mut world, &query, now, &paging);
            assert_eq!(seen.len(), total);
            assert_eq!(
                seen,
                expected(&mut world, &query, now, &paging),
                "{query:?} {paging:?}"
            );
        }
    }
}

#[test]
fn groups_are_not_split_if_the_limit_counts_groups() {
    let mut world = World::new(eventful());
    let now = START + DAY;
    let paging = Paging {
        limit_counts: Unit::Groups,
        ..Paging::default()
    };
    let mut groups = HashSet::new();
    let mut larger = 0;
    for page in 1..100 {
        let query = Query {
            page,
            ..everything(START, now)
        };
        for group in world
            .list(&query, now, &paging, &RowFaults::default())
            .groups()
        {
            larger += usize::from(group.len() > 1);
            assert!(group.len() <= 3);
            assert!(groups.insert(group[0].group_id()));
        }
    }
    assert!(larger > 100);
}

#[test]
fn late_calls_appear_and_deleted_calls_disappear() {
    let mut world = World::new(eventful());
    let end = START + DAY / 2;
    let query = Query {
        limit: 10_000,
        ..everything(START, end)
    };
    let uuids = |world: &mut World, now: u32| -> HashSet<String> {
        read(world, &query, now, &Paging::default())
            .0
            .into_iter()
            .collect()
    };
    let early = uuids(&mut world, end);
    let later = uuids(&mut world, end + 600);
    let all: Vec<_> = world
        .calls(START, end, end + 600)
        .map(|call| (call.uuid(), call.visible_at(), call.gone_at()))
        .collect();
    assert!(all.iter().any(|(_, visible, _)| *visible > end));
    for (uuid, visible, gone) in all {
        let listed = |now: u32| visible <= now && gone.is_none_or(|gone| now < gone);
        assert_eq!(early.contains(&uuid), listed(end));
        assert_eq!(later.contains(&uuid), listed(end + 600));
    }
}

#[test]
fn pages_are_correct_after_changes_of_the_scenario() {
    let mut world = World::new(Spec {
        calls_per_day: 100_000.0,
        ..eventful()
    });
    let paging = Paging::default();
    // Within a minute of which some calls have been listed already.
    for now in (START + 3600..START + 7200).step_by(607) {
        let query = everything(START, now);
        let seen = read(&mut world, &query, now, &paging).0;
        assert_eq!(seen, expected(&mut world, &query, now, &paging));
        let dried_up = now % 2 == 0;
        world.set_scenario(
            Scenario {
                dried_up,
                ..Scenario::default()
            },
            now,
        );
        assert_eq!(seen, read(&mut world, &query, now, &paging).0);
    }
}

#[test]
fn the_end_of_the_window_can_be_excluded() {
    let mut world = World::new(eventful());
    let now = START + DAY;
    let last = world
        .calls(START, now - 1000, now - 1000)
        .last()
        .unwrap()
        .upload_time();
    let total = |world: &mut World, end_excluded: bool| {
        let paging = Paging {
            end_excluded,
            ..Paging::default()
        };
        world
            .list(&everything(last, last), now, &paging, &RowFaults::default())
            .total
    };
    assert!(total(&mut world, false) > 0);
    assert_eq!(total(&mut world, true), 0);
}

#[test]
fn a_million_calls_are_paged_with_one_scan() {
    let spec = Spec {
        start: START,
        calls_per_day: 1_000_000.0,
        ..Spec::default()
    };
    let mut world = World::new(spec);
    let now = START + DAY;
    let query = Query {
        limit: 100,
        ..everything(START, now)
    };
    let total = world
        .list(&query, now, &Paging::default(), &RowFaults::default())
        .total;
    assert!((980_000..1_020_000).contains(&total));
    // Every 97th page: if each needed a scan of its own, the test would take minutes.
    for page in (1..=total.div_ceil(100) as u32).step_by(97) {
        let query = Query {
            page,
            ..query.clone()
        };
        let listing = world.list(&query, now, &Paging::default(), &RowFaults::default());
        assert_eq!(
            listing.calls.len(),
            (total - (page as usize - 1) * 100).min(100)
        );
    }
    let scan = world.scan.unwrap();
    assert_eq!((scan.now, scan.matches.len()), (now, total));
}
