//! A state on disk: as it was, or not at all.

mod older;
mod written;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use redb::{Database, ReadableTable, TableDefinition};
use tempfile::TempDir;

use super::*;
use crate::metrics::exporter::Gathered;
use crate::metrics::exposition::{ExporterSeries, Format, Shown, Spelling, render};
use crate::model::{CallId, CallSet, Manual, Measure, Measures, Record, Role, Speech};
use crate::store::{Store, Value};

const NOW: UnixSeconds = 50_000;
const LOOKBACK: Window = Window {
    from: 10_000,
    to: 60_000,
};

fn record(id: u32, status: i64) -> Record {
    let side = |role, value| Speech {
        role,
        speed: Measure::from_units(f64::from(value) * 1.7),
        silence: Measure::from_units(f64::from(value) / 3.0),
        ratio: (value % 5 > 0).then_some(Measure(u64::from(value) * 10_000_000 % 1_000_000_001)),
    };
    Record {
        id: CallId(u128::from(id) << 64 | 5),
        uploaded: 10_000 + id % 40_000,
        call_type: match id % 3 {
            0 => CallType::TEXT,
            _ => CallType::VOICE,
        },
        status: Status::from_number(status),
        manual: Manual([
            id.is_multiple_of(4).then_some(1),
            None,
            id.is_multiple_of(7).then_some(0),
        ]),
        measures: Measures {
            duration: Some(Measure::whole(id % 600)),
            channels: [side(Role::Staff, id % 211), side(Role::Customer, id % 97)],
        },
    }
}

fn page(records: impl IntoIterator<Item = Record>) -> Page {
    Page {
        records: records.into_iter().collect(),
        ..Page::default()
    }
}

fn take(state: &mut TargetState, records: impl IntoIterator<Item = Record>) {
    state.apply(&page(records), NOW, LOOKBACK);
}

fn open(path: &Path) -> Result<(TargetState, FileStore), StoreError> {
    let (mut state, store) = TargetState::open(Backend::File(path.into()))?;
    expect(&mut state);
    Ok((state, store))
}

fn expect(state: &mut TargetState) {
    let statuses: Vec<Status> = Status::documented().collect();
    state.expect(&[CallType::VOICE, CallType::TEXT], &statuses);
}

fn exposition(state: &TargetState) -> String {
    spelled(state, Format::Text)
}

fn spelled(state: &TargetState, format: Format) -> String {
    let calls = state.published().calls.unwrap();
    let own = Gathered::default();
    let spelling = Spelling {
        format,
        created_lines: true,
    };
    let bytes = render(
        spelling,
        &[Shown::all("t", &calls)],
        &own,
        ExporterSeries::Only("t"),
    );
    String::from_utf8_lossy(&bytes).into_owned()
}

fn assert_same(a: &TargetState, b: &TargetState) {
    let everything = Window {
        from: 0,
        to: UnixSeconds::MAX,
    };
    for format in Format::ALL {
        assert!(spelled(a, format) == spelled(b, format), "{format:?}");
    }
    assert_eq!(a.len(), b.len());
    assert_eq!(a.progress, b.progress);
    assert_eq!(a.ledger.checkpoint(), b.ledger.checkpoint());
    assert_eq!(a.ledger.pending(), b.ledger.pending());
    assert_eq!(
        a.ledger.count_present(everything),
        b.ledger.count_present(everything)
    );
    let positions = |state: &TargetState| {
        let mut calls: Vec<_> = state.ledger.positions().map(|c| format!("{c:?}")).collect();
        calls.sort_unstable();
        calls
    };
    assert_eq!(positions(a), positions(b));
}

/// A state with something of everything: pending, final, missing, forgotten and strange calls.
fn written(directory: &TempDir) -> (PathBuf, TargetState) {
    let path = directory.path().join("t.redb");
    let (mut state, store) = open(&path).unwrap();
    state.progress.known = Some(LOOKBACK);
    state.progress.complete = true;
    state.counted_from = Some(LOOKBACK.from);
    take(
        &mut state,
        (0..300).map(|id| record(id, [0, 3, 1, 2, 32, 77][id as usize % 6])),
    );
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    take(&mut state, (100..200).map(|id| record(id, 2)));
    state.expire(10_050);
    let seen: CallSet = (0..280).map(|id| record(id, 0).id).collect();
    state.mark_missing(LOOKBACK, |id| seen.contains(&id));
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    (path, state)
}

#[test]
fn a_book_is_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (path, mut state) = written(&directory);
    let (mut again, _store) = open(&path).unwrap();
    assert_eq!(again.len(), 250);
    assert!(
        exposition(&again)
            .contains("cec_window_missing_calls{target=\"t\",call_type=\"voice\"} 14\n")
    );
    assert_same(&state, &again);
    // And goes on as it would have.
    for state in [&mut state, &mut again] {
        take(state, (50..400).map(|id| record(id, 2)));
        state.expire(10_120);
    }
    assert_same(&state, &again);
}

#[test]
fn what_could_not_be_kept_comes_again_with_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (mut state, store) = open(&path).unwrap();
    state.progress.complete = true;
    take(&mut state, (0..50).map(|id| record(id, 0)));
    let lost = state.take_changes(NOW).unwrap();
    state.requeue(&lost);
    take(&mut state, (40..60).map(|id| record(id, 2)));
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    assert_same(&state, &open(&path).unwrap().0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whenever it is closed and opened, nothing else differs.
    #[test]
    fn closing_and_opening_changes_nothing(
        steps in prop::collection::vec(
            (prop::collection::vec((0..60_u32, -1..45_i64), 0..40), 0..30_u32, any::<bool>()),
            1..6,
        )
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.redb");
        let mut never_closed = TargetState::default();
        expect(&mut never_closed);
        never_closed.progress.complete = true;
        let (mut state, mut store) = open(&path).unwrap();
        state.progress.complete = true;
        let mut cutoff = LOOKBACK.from;
        for (seen, forgotten, missing) in steps {
            cutoff += forgotten / 10;
            for state in [&mut never_closed, &mut state] {
                take(state, seen.iter().map(|(id, status)| record(*id, *status)));
                if missing {
                    let seen: CallSet = seen.iter().map(|(id, _)| record(*id, 0).id).collect();
                    state.mark_missing(Window { from: 10_010, to: 10_030 }, |id| seen.contains(&id));
                }
                state.expire(cutoff);
            }
            store.commit(&state.take_changes(NOW).unwrap()).unwrap();
            drop(store);
            (state, store) = open(&path).unwrap();
            assert_same(&never_closed, &state);
        }
    }
}

const ROWS: TableDefinition<'_, Key, Value> = TableDefinition::new("calls");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");

/// Changes what a state was kept as, behind its back; it must then be refused.
fn refused(how: &str, tamper: impl FnOnce(&mut Vec<(Key, Value)>, &mut Option<String>)) {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = written(&directory);
    {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut table = transaction.open_table(ROWS).unwrap();
            let mut rows: Vec<(Key, Value)> = table
                .iter()
                .unwrap()
                .map(|row| {
                    row.map(|(key, value)| (key.value(), value.value()))
                        .unwrap()
                })
                .collect();
            let mut notes = transaction.open_table(META).unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let mut state = notes
                .remove("state")
                .unwrap()
                .map(|state| text(state.value()));
            let before = (rows.clone(), state.clone());
            tamper(&mut rows, &mut state);
            assert!(
                before != (rows.clone(), state.clone()),
                "{how}: nothing changed"
            );
            table.retain(|_, _| false).unwrap();
            for (key, value) in rows {
                table.insert(key, value).unwrap();
            }
            if let Some(state) = state {
                notes.insert("state", state.as_bytes()).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    let Err(error) = open(&path) else {
        panic!("{how}: taken");
    };
    let text = error.to_string();
    assert!(text.starts_with(path.to_str().unwrap()), "{how}: {text}");
    assert!(text.contains("do not match"), "{how}: {text}");
    assert!(text.contains("move it away"), "{how}: {text}");
    assert!(!text.contains('\n'), "{how}: {text}");
}

#[test]
fn calls_that_do_not_fit_the_counters_are_refused() {
    refused("a row is missing", |rows, _| rows.truncate(rows.len() - 1));
    refused("all rows are missing", |rows, _| rows.clear());
    refused("a row is there twice", |rows, _| {
        let (mut key, value) = rows[7];
        key[3] ^= 1;
        rows.push((key, value));
    });
    refused("a row more", |rows, _| {
        let (mut key, value) = rows[7];
        key[9] ^= 1;
        rows.push((key, value));
    });
    let with = |index: usize, value: u8| {
        move |rows: &mut Vec<(Key, Value)>, _: &mut Option<String>| rows[60].1[index] = value
    };
    refused("another type", with(0, 9));
    refused("another status", with(2, 3));
    refused("another manual state", with(4, 7));
    refused("a flag that there is not", with(7, 0x83));
    refused("missing", |rows, _| rows[60].1[7] ^= 4);
    refused("final, but not counted", |rows, _| {
        let row = rows.iter_mut().find(|(_, value)| value[2] == 2).unwrap();
        row.1[7] &= !1;
    });
}

#[test]
fn counters_that_do_not_fit_the_calls_are_refused() {
    refused("no state", |_, state| *state = None);
    refused("half a state", |_, state| {
        let state = state.as_mut().unwrap();
        state.truncate(state.len() / 2);
    });
    refused("an empty state", |_, state| *state = Some("{}".into()));
    let replaced = |from: &'static str, to: &'static str| {
        move |_: &mut Vec<(Key, Value)>, state: &mut Option<String>| {
            let text = state.as_mut().unwrap();
            *text = text.replacen(from, to, 1);
        }
    };
    refused(
        "another number of calls",
        replaced("\"calls\":250", "\"calls\":251"),
    );
    refused("another gauge", |_, state| {
        let text = state.as_mut().unwrap();
        let at = text.find("\"window\":[").unwrap();
        let digit = at + text[at..].find("],1").map(|n| n + 2).unwrap();
        text.replace_range(digit..=digit, "9");
    });
    for metric in ["duration", "outcomes", "silence", "speed", "ratio"] {
        let first_bound = |text: &str| {
            let at = text.find(&format!("\"{metric}\":[")).unwrap();
            at + text[at..].find("\"bounds\":[").unwrap() + 10
        };
        refused("a bound more", |_, state| {
            let text = state.as_mut().unwrap();
            text.insert_str(first_bound(text), "0.00001,");
        });
        refused("another bound", |_, state| {
            let text = state.as_mut().unwrap();
            text.insert(first_bound(text), '9');
        });
    }
}

#[test]
fn the_beginning_of_the_counting_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (mut state, store) = open(&path).unwrap();
    state.progress.complete = true;
    state.counted_from = Some(12_345);
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    let (again, _store) = open(&path).unwrap();
    assert_same(&state, &again);
    let text = spelled(&again, Format::OpenMetrics);
    let created = "cec_calls_created{target=\"t\",call_type=\"voice\"} 12345\n";
    assert!(text.contains(created), "{text}");
}

#[test]
fn a_call_is_named_once_it_is_counted_and_until_the_process_ends() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (mut state, store) = open(&path).unwrap();
    state.progress.complete = true;
    take(&mut state, [record(3, 2)]);
    assert!(!spelled(&state, Format::OpenMetrics).contains(" # {"));
    state.keep_exemplars();
    // Counted already; not done yet; done.
    take(&mut state, [record(3, 2), record(4, 0), record(5, 2)]);
    let text = spelled(&state, Format::OpenMetrics);
    let named = |id: u32| text.contains(&format!("call_uuid=\"{:?}\"", record(id, 0).id));
    assert_eq!([3, 4, 5].map(named), [false, false, true], "{text}");
    assert!(
        text.contains(" 5 50000\n"),
        "its duration, and when it was seen: {text}"
    );
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    let (again, _store) = open(&path).unwrap();
    let text = spelled(&again, Format::OpenMetrics);
    assert!(!text.contains("call_uuid"), "{text}");
}

/// Processing times and listing delays observed, and those that were not.
fn observed(state: &TargetState) -> [u64; 3] {
    let text = exposition(state);
    let sum = |name: &str| {
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    };
    [
        sum("cec_call_processing_seconds_count{"),
        sum("cec_call_listing_delay_seconds_count{"),
        sum("cec_calls_processing_unobserved_total{"),
    ]
}

/// A state that has looked at `looked_at`, when calls 0 to 9 were pending.
fn watching(looked_at: Option<UnixSeconds>) -> TargetState {
    let mut state = TargetState::default();
    expect(&mut state);
    state.progress.complete = true;
    take(&mut state, (0..10).map(|id| record(id, 0)));
    state.looked_at = looked_at;
    state
}

#[test]
fn what_happened_while_nobody_looked_is_not_measured() {
    let then = (0..10)
        .map(|id| record(id, 2))
        .chain((10..15).map(|id| record(id, 0)));
    let then: Vec<Record> = then.collect();
    for (looked_at, expected) in [
        (Some(NOW - 15), [10, 5, 0]),
        (Some(NOW - 300), [10, 5, 0]),
        (Some(NOW - 301), [0, 0, 10]),
        // Before the first whole lookback is in, all calls were listed already.
        (None, [0, 0, 10]),
        // A clock that has gone back.
        (Some(NOW + 900), [10, 5, 0]),
    ] {
        let mut state = watching(looked_at);
        assert_eq!(observed(&state), [0, 0, 0]);
        take(&mut state, then.clone());
        assert_eq!(observed(&state), expected, "{looked_at:?}");
    }
    // Long intervals are no outage.
    let mut state = watching(Some(NOW - 900));
    state.expect_pulls_every(Duration::from_secs(300));
    take(&mut state, then.clone());
    assert_eq!(observed(&state), [10, 5, 0]);
    // What is read of a gap was listed before.
    let mut state = watching(Some(NOW - 15));
    state.progress.gap = Some(LOOKBACK);
    take(&mut state, then);
    assert_eq!(observed(&state), [0, 0, 10]);
}

#[test]
fn the_last_look_outlives_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (mut state, store) = open(&path).unwrap();
    state.looked_at = Some(NOW - 7);
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    assert_eq!(open(&path).unwrap().0.looked_at, Some(NOW - 7));
}

#[test]
fn recent_calls_are_those_of_the_hour_before_the_frontier() {
    let mut state = TargetState::default();
    expect(&mut state);
    state.progress.complete = true;
    state.progress.known = Some(Window {
        from: 10_000,
        to: 16_000,
    });
    // Uploaded at 10,000 and its id; every third is a text call.
    take(
        &mut state,
        [2401, 2399, 2400, 6000, 6001, 4000].map(|id| record(id, 2)),
    );
    let seen = CallSet::default();
    let missed = Window {
        from: 12_000,
        to: 13_000,
    };
    state.mark_missing(missed, |id| seen.contains(&id));
    let recent = |state: &TargetState| {
        let calls = state.published().calls.unwrap().recent;
        calls
            .into_iter()
            .map(|(call_type, count)| (call_type.to_string(), count))
            .collect::<Vec<_>>()
    };
    let counts = |voice, text| vec![("voice".to_owned(), voice), ("text".to_owned(), text)];
    // 2399 and 2400 are an hour before and earlier; 6001 is after the frontier.
    assert_eq!(recent(&state), counts(2, 1));
    // The frontier stands still before a gap.
    state.progress.gap = Some(Window {
        from: 13_000,
        to: 16_000,
    });
    assert_eq!(recent(&state), counts(2, 1));
    state.progress.known = Some(Window {
        from: 90_000,
        to: 99_000,
    });
    state.progress.gap = None;
    assert_eq!(recent(&state), counts(0, 0));
}
