use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::faults::Faults;
use super::super::paging::{Paging, TotalOf};
use super::super::row_faults::RowFaults;
use super::super::world::World;
use super::bench::{Bench, value};
use super::{DAY, START, eventful, everything};

fn bench(rows: RowFaults, paging: Paging) -> (Bench, String) {
    let bench = Bench::new(eventful());
    bench.simulator.set_faults(Faults {
        rows,
        paging,
        ..Faults::default()
    });
    let bearer = bench.bearer();
    (bench, bearer)
}

fn all_rows(page: &Value) -> Vec<Value> {
    let groups = page["data"].as_array().unwrap();
    let rows = groups
        .iter()
        .map(|group| group["calls"].as_array().unwrap());
    rows.flatten().cloned().collect()
}

#[test]
fn rows_can_be_listed_twice_adjacent_or_in_two_groups() {
    for twice_apart in [false, true] {
        let rows = RowFaults {
            twice_share: 0.1,
            twice_apart,
            ..RowFaults::default()
        };
        let mut totals = Vec::new();
        for total_counts in [TotalOf::Rows, TotalOf::Calls, TotalOf::Groups] {
            let paging = Paging {
                total_counts,
                ..Paging::default()
            };
            let (bench, bearer) = bench(rows.clone(), paging);
            let page = value(&bench.page(&bearer, json!({"limit": 10_000})));
            let mut positions: HashMap<String, Vec<usize>> = HashMap::new();
            let listed = all_rows(&page);
            for (position, row) in listed.iter().enumerate() {
                let uuid = row["call_uuid"].as_str().unwrap().to_owned();
                positions.entry(uuid).or_default().push(position);
            }
            let twice = positions.values().filter(|positions| positions.len() == 2);
            let distances: Vec<usize> = twice.map(|pair| pair[1] - pair[0]).collect();
            assert!(
                distances.len() > positions.len() / 20,
                "{}",
                distances.len()
            );
            assert_eq!(distances.iter().any(|distance| *distance > 1), twice_apart);
            let groups = page["data"].as_array().unwrap().len();
            totals.push(page["paging"]["total"].as_u64().unwrap() as usize);
            let expected = [listed.len(), positions.len(), groups];
            assert_eq!(totals.last(), expected.get(totals.len() - 1));
        }
    }
}

#[test]
fn the_total_can_be_wrong_lag_or_be_missing() {
    let total = |paging: Paging| {
        let (bench, bearer) = bench(RowFaults::default(), paging);
        value(&bench.page(&bearer, json!({})))["paging"]["total"].as_u64()
    };
    let right = total(Paging::default()).unwrap();
    let off = |total_off| Paging {
        total_off,
        ..Paging::default()
    };
    assert_eq!(total(off(3)), Some(right + 3));
    assert_eq!(total(off(-3)), Some(right - 3));
    assert_eq!(total(off(-1_000_000)), Some(0));
    let lagging = Paging {
        total_lag_seconds: 3600,
        ..Paging::default()
    };
    assert!(total(lagging).unwrap() < right);
    let none = Paging {
        no_total: true,
        ..Paging::default()
    };
    assert_eq!(total(none.clone()), None);
    let (silent, bearer) = bench(RowFaults::default(), none);
    let empty = value(&silent.page(&bearer, json!({"upload_from": 1, "upload_to": 5})));
    assert_eq!(empty["paging"]["total"], 0);
}

#[test]
fn a_failing_row_affects_every_page_with_it() {
    for (rows, status) in [
        (
            RowFaults {
                failing_share: 0.01,
                ..RowFaults::default()
            },
            500,
        ),
        (
            RowFaults {
                not_json_share: 0.01,
                ..RowFaults::default()
            },
            200,
        ),
    ] {
        let (bench, bearer) = bench(rows.clone(), Paging::default());
        let now = START + DAY;
        let calls: Vec<(u32, bool)> = {
            let mut world = bench.simulator.world();
            let calls = world.calls(START, now, now);
            calls
                .map(|call| (call.upload_time(), rows.hide(&call) && call.is_visible(now)))
                .collect()
        };
        let mut bad = 0;
        for from in (START..now).step_by(1800) {
            let window = from..from + 1800;
            let is_bad = calls
                .iter()
                .any(|(at, is_bad)| *is_bad && window.contains(at));
            bad += u32::from(is_bad);
            let change = json!({"upload_from": from, "upload_to": from + 1799, "limit": 1000});
            let reply = bench.page(&bearer, change);
            let is_page =
                reply.status == 200 && serde_json::from_slice::<Value>(&reply.body).is_ok();
            assert_eq!(is_page, !is_bad);
            assert!(is_page || reply.status == status);
        }
        assert!(bad > 5);
    }
}

#[test]
fn pages_can_contain_values_that_are_not_json() {
    for (rows, bytes) in [
        (
            RowFaults {
                nan_share: 0.1,
                ..RowFaults::default()
            },
            &b"\"duration\":NaN,"[..],
        ),
        (
            RowFaults {
                control_character_share: 0.1,
                ..RowFaults::default()
            },
            b"agent \x01\"",
        ),
        (
            RowFaults {
                broken_utf8_share: 0.1,
                ..RowFaults::default()
            },
            b"agent \xff\xfe\"",
        ),
    ] {
        let (bench, bearer) = bench(rows, Paging::default());
        let body = bench.page(&bearer, json!({})).body;
        assert!(serde_json::from_slice::<Value>(&body).is_err());
        assert!(body.windows(bytes.len()).any(|part| part == bytes));
        // Nothing else is wrong with the page.
        let text: String = String::from_utf8_lossy(&body).replace("NaN", "0");
        let page: Value = serde_json::from_str(&text.replace('\u{1}', "")).unwrap();
        assert_eq!(all_rows(&page).len(), 100);
    }
}

#[test]
fn limits_on_depth_width_and_size_apply_exactly() {
    let deep = |deep_is_empty| Paging {
        deepest_row: Some(200),
        deep_is_empty,
        ..Paging::default()
    };
    let (refusing, bearer) = bench(RowFaults::default(), deep(false));
    assert_eq!(refusing.page(&bearer, json!({"page": 2})).status, 200);
    assert_eq!(refusing.page(&bearer, json!({"page": 3})).status, 400);
    assert_eq!(refusing.page(&bearer, json!({"limit": 201})).status, 400);
    let (silent, bearer) = bench(RowFaults::default(), deep(true));
    let page = |number| value(&silent.page(&bearer, json!({"page": number})));
    assert_eq!(all_rows(&page(2)).len(), 100);
    assert_eq!(all_rows(&page(3)).len(), 0);
    assert!(page(3)["paging"]["total"].as_u64() > Some(200));

    let narrow = Paging {
        widest_seconds: Some(3600),
        refuse_above: Some(500),
        refuse_as_500: true,
        ..Paging::default()
    };
    let (narrow, bearer) = bench(RowFaults::default(), narrow);
    let status = |to: u32, limit: u32| {
        let change = json!({"upload_to": to, "limit": limit});
        narrow.page(&bearer, change).status
    };
    assert_eq!(status(START + 3600, 500), 200);
    assert_eq!(status(START + 3601, 500), 400);
    assert_eq!(status(START + 3600, 501), 500);
}

#[test]
fn either_bound_of_the_window_can_be_excluded() {
    let mut world = World::new(eventful());
    let now = START + DAY;
    let at = world
        .calls(START + 3600, now, now)
        .find(|call| call.is_visible(now));
    let at = at.unwrap().upload_time();
    let mut count = |start_excluded, end_excluded, from, to| {
        let paging = Paging {
            start_excluded,
            end_excluded,
            ..Paging::default()
        };
        world
            .list(&everything(from, to), now, &paging, &RowFaults::default())
            .total
    };
    assert!(count(false, false, at, at) > 0);
    assert_eq!(count(true, false, at, at), 0);
    assert_eq!(count(false, true, at, at), 0);
    assert_eq!(
        count(true, true, at - 1, at + 1),
        count(false, false, at, at)
    );
}

#[test]
fn a_call_without_status_is_listed_only_by_a_query_for_all() {
    let rows = RowFaults {
        no_status_share: 0.2,
        ..RowFaults::default()
    };
    let (bench, bearer) = bench(rows, Paging::default());
    let count = |statuses: Value| {
        let page = value(&bench.page(&bearer, json!({"limit": 10_000, "status": statuses})));
        let rows = all_rows(&page);
        let without = rows.iter().filter(|row| row["status"].is_null()).count();
        (rows.len(), without)
    };
    let all = [0, 1, 2, 3, 9, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];
    let (listed, without) = count(json!(all));
    assert!(without > listed / 10);
    assert_eq!(count(json!(all[1..])).1, 0);
    assert_eq!(count(json!([0, 3, 1])).1, 0);
}

#[test]
fn rows_can_lack_identity_or_upload_time() {
    let rows = RowFaults {
        no_identity_share: 0.1,
        no_upload_time_share: 0.1,
        ..RowFaults::default()
    };
    let (bench, bearer) = bench(rows, Paging::default());
    let page = value(&bench.page(&bearer, json!({"limit": 10_000})));
    let rows = all_rows(&page);
    assert_eq!(page["paging"]["total"], rows.len());
    for names in [&["call_uuid", "call_id"][..], &["upload_time"]] {
        let lacks = |row: &&Value| names.iter().all(|name| row[*name].is_null());
        let count = rows.iter().filter(lacks).count();
        assert!(count > rows.len() / 20, "{names:?}: {count}");
    }
}

#[test]
fn an_identity_can_appear_later_and_an_upload_time_change() {
    let rows = RowFaults {
        late_uuid_share: 0.5,
        late_uuid_seconds: 7200,
        late_uuid_differs: true,
        moved_share: 0.5,
        moved_seconds: 600,
        moved_after_seconds: 7200,
        ..RowFaults::default()
    };
    let (bench, _) = bench(rows.clone(), Paging::default());
    let read = || {
        let page = value(&bench.page(&bench.bearer(), json!({"limit": 10_000})));
        let rows = all_rows(&page);
        assert_eq!(page["paging"]["total"], rows.len());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        rows.iter()
            .map(|row| {
                let (uuid, id) = (text(&row["call_uuid"]), text(&row["call_id"]));
                (id.unwrap(), (uuid, row["upload_time"].as_u64().unwrap()))
            })
            .collect::<HashMap<_, _>>()
    };
    let before = read();
    bench.advance(7200);
    let after = read();
    let (mut identified, mut moved) = (0, 0);
    for (id, (uuid, at)) in &before {
        let Some((later_uuid, later_at)) = after.get(id) else {
            continue;
        };
        assert!(later_uuid.is_some());
        assert!(uuid.is_none() || uuid == later_uuid);
        identified += u32::from(uuid.is_none());
        moved += u32::from(at != later_at);
        assert!(at.abs_diff(*later_at) <= 600);
    }
    assert!(identified > 10 && moved > 10, "{identified} {moved}");
    // The window applies to the time in the row.
    let change =
        json!({"limit": 10_000, "upload_from": START + 40_000, "upload_to": START + 50_000});
    for row in all_rows(&value(&bench.page(&bench.bearer(), change))) {
        let at = row["upload_time"].as_u64().unwrap() as u32;
        assert!((START + 40_000..=START + 50_000).contains(&at));
    }
}
