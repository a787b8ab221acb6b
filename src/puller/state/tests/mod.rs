//! A state on disk: restored unchanged, or refused.

mod observed;
mod older;
mod refused;
mod written;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use redb::{Database, ReadableTable, TableDefinition};
use tempfile::TempDir;

use super::*;
use crate::metrics::exporter::{Build, ExporterMetrics};
use crate::metrics::exposition::{Format, Response, Scope, TargetCallMetrics};
use crate::model::{CallId, CallSet, ManualStates, Measure, Measures, Record, Role, Speech};
use crate::model::{CallType, Status};
use crate::store::{Backend, FileStore, Key, Store, StoreError, Value};

const NOW: UnixSeconds = 50_000;
const LOOKBACK: Window = Window::new(10_000, 60_000);

fn record(id: u32, status: i64) -> Record {
    let side = |role, value| Speech {
        role,
        speed: Measure::from_units(f64::from(value) * 1.7),
        silence: Measure::from_units(f64::from(value) / 3.0),
        ratio: (value % 5 > 0).then_some(Measure(u64::from(value) * 10_000_000 % 1_000_000_001)),
    };
    Record {
        id: CallId(u128::from(id) << 64 | 5),
        has_uuid: true,
        uploaded: 10_000 + id % 40_000,
        call_type: match id % 3 {
            0 => CallType::TEXT,
            _ => CallType::VOICE,
        },
        status: Status::from_number(status),
        manual: ManualStates([
            id.is_multiple_of(4).then_some(1),
            None,
            id.is_multiple_of(7).then_some(0),
        ]),
        measures: Measures {
            duration: Some(Measure::from_integer(id % 600)),
            channels: [side(Role::Staff, id % 211), side(Role::Customer, id % 97)],
        },
        staff_id: None,
        written_id: None,
    }
}

fn page(records: impl IntoIterator<Item = Record>) -> Page {
    Page {
        records: records.into_iter().collect(),
        ..Page::default()
    }
}

fn apply(state: &mut TargetState, records: impl IntoIterator<Item = Record>) {
    state.apply(&page(records), NOW, LOOKBACK);
}

fn open(path: &Path) -> Result<(TargetState, FileStore), StoreError> {
    let (mut state, store) = TargetState::open(Backend::File(path.into()))?;
    create_series(&mut state);
    Ok((state, store))
}

/// A new state and its file, with the directory that it goes with.
fn created() -> (TempDir, PathBuf, TargetState, FileStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let (mut state, store) = open(&path).unwrap();
    state.progress.complete = true;
    (directory, path, state, store)
}

fn create_series(state: &mut TargetState) {
    let statuses: Vec<Status> = Status::documented().collect();
    state
        .tallies
        .create_series(&[CallType::VOICE, CallType::TEXT], &statuses);
}

fn exposition(state: &TargetState) -> String {
    render_as(state, Format::Text)
}

fn render_as(state: &TargetState, format: Format) -> String {
    let calls = state.snapshot().calls.unwrap();
    let targets = [TargetCallMetrics::new("t", &calls)];
    let response = Response {
        format,
        created_lines: true,
        targets: &targets,
        exporter: (&ExporterMetrics::new(Build::default(), 0.0), &[]),
        scope: Scope::TargetOnly,
    };
    String::from_utf8_lossy(&response.render()).into_owned()
}

fn assert_same(a: &TargetState, b: &TargetState) {
    let everything = Window::new(0, UnixSeconds::MAX);
    for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
        assert!(render_as(a, format) == render_as(b, format), "{format:?}");
    }
    assert_eq!(a.ledger.len(), b.ledger.len());
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

/// A committed state with pending, final, missing, forgotten and undocumented calls.
fn committed_state() -> (TempDir, PathBuf, TargetState) {
    let (directory, path, mut state, store) = created();
    state.progress.known = Some(LOOKBACK);
    state.counted_from = Some(LOOKBACK.from);
    apply(
        &mut state,
        (0..300).map(|id| record(id, [0, 3, 1, 2, 32, 77][id as usize % 6])),
    );
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    apply(&mut state, (100..200).map(|id| record(id, 2)));
    state.expire(10_050);
    let seen: CallSet = (0..280).map(|id| record(id, 0).id).collect();
    state.mark_missing(LOOKBACK, |id| seen.contains(&id));
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    (directory, path, state)
}

#[test]
fn a_reopened_state_is_unchanged() {
    let (_directory, path, mut state) = committed_state();
    let (mut reopened, _store) = open(&path).unwrap();
    assert_eq!(reopened.ledger.len(), 250);
    assert!(
        exposition(&reopened)
            .contains("cec_window_missing_calls{target=\"t\",call_type=\"voice\"} 14\n")
    );
    assert_same(&state, &reopened);
    // Both continue alike.
    for state in [&mut state, &mut reopened] {
        apply(state, (50..400).map(|id| record(id, 2)));
        state.expire(10_120);
    }
    assert_same(&state, &reopened);
}

#[test]
fn changes_of_a_failed_commit_are_part_of_the_next() {
    let (_directory, path, mut state, store) = created();
    apply(&mut state, (0..50).map(|id| record(id, 0)));
    let lost = state.take_changes(NOW).unwrap();
    state.requeue(&lost);
    apply(&mut state, (40..60).map(|id| record(id, 2)));
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    assert_same(&state, &open(&path).unwrap().0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn closing_and_opening_changes_nothing(
        steps in prop::collection::vec(
            (prop::collection::vec((0..60_u32, -1..45_i64), 0..40), 0..30_u32, any::<bool>()),
            1..6,
        )
    ) {
        let mut never_closed = TargetState::default();
        create_series(&mut never_closed);
        never_closed.progress.complete = true;
        let (_directory, path, mut state, mut store) = created();
        let mut cutoff = LOOKBACK.from;
        for (seen, forgotten, missing) in steps {
            cutoff += forgotten / 10;
            for state in [&mut never_closed, &mut state] {
                apply(state, seen.iter().map(|(id, status)| record(*id, *status)));
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

#[test]
fn counted_from_survives_a_restart() {
    let (_directory, path, mut state, store) = created();
    state.counted_from = Some(12_345);
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    let (reopened, _store) = open(&path).unwrap();
    assert_same(&state, &reopened);
    let text = render_as(&reopened, Format::OpenMetrics);
    let created = "cec_calls_created{target=\"t\",call_type=\"voice\"} 12345\n";
    assert!(text.contains(created), "{text}");
}

#[test]
fn exemplars_name_calls_counted_since_they_were_enabled() {
    let (_directory, path, mut state, store) = created();
    apply(&mut state, [record(3, 2)]);
    assert!(!render_as(&state, Format::OpenMetrics).contains(" # {"));
    state.tallies.enable_exemplars();
    // Counted before; not succeeded yet; succeeded.
    apply(&mut state, [record(3, 2), record(4, 0), record(5, 2)]);
    let text = render_as(&state, Format::OpenMetrics);
    let named = |id: u32| text.contains(&format!("call_uuid=\"{:?}\"", record(id, 0).id));
    assert_eq!([3, 4, 5].map(named), [false, false, true], "{text}");
    assert!(
        text.contains(" 5 50000\n"),
        "duration, and when it was seen: {text}"
    );
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    let (reopened, _store) = open(&path).unwrap();
    let text = render_as(&reopened, Format::OpenMetrics);
    assert!(!text.contains("call_uuid"), "{text}");
}

#[test]
fn recent_calls_are_those_of_the_hour_before_the_frontier() {
    let mut state = TargetState::default();
    create_series(&mut state);
    state.progress.complete = true;
    state.progress.known = Some(Window::new(10_000, 16_000));
    // Uploaded at 10,000 + id; every third one is a text call.
    apply(
        &mut state,
        [2401, 2399, 2400, 6000, 6001, 4000].map(|id| record(id, 2)),
    );
    let seen = CallSet::default();
    let missed = Window::new(12_000, 13_000);
    state.mark_missing(missed, |id| seen.contains(&id));
    let recent = |state: &TargetState| {
        let calls = state.snapshot().calls.unwrap().recent.clone();
        calls
            .into_iter()
            .map(|(call_type, count)| (call_type.to_string(), count))
            .collect::<Vec<_>>()
    };
    let counts = |voice, text| vec![("voice".to_owned(), voice), ("text".to_owned(), text)];
    // 2399 and 2400 were uploaded an hour before the frontier or earlier, 6001 after it.
    assert_eq!(recent(&state), counts(2, 1));
    // The frontier does not move past a gap.
    state.progress.gap = Some(Window::new(13_000, 16_000));
    assert_eq!(recent(&state), counts(2, 1));
    state.progress.known = Some(Window::new(90_000, 99_000));
    state.progress.gap = None;
    assert_eq!(recent(&state), counts(0, 0));
}
