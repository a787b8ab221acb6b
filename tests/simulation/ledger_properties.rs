//! Properties of ledger and tallies that hold for all sequences of records.

use std::collections::BTreeMap;

use cec_exporter::ledger::Ledger;
use cec_exporter::metrics::tallies::{StoredTallies, Tallies};
use cec_exporter::model::{
    CallId, CallSet, CallType, Event, ManualStates, Measure, Measures, Position, Record, Role,
    Speech, Status, Window,
};
use proptest::prelude::*;

const LOOKBACK: Window = Window::new(1000, 9000);
const NOW: u32 = 9000;

#[derive(Default)]
struct LedgerAndTallies {
    ledger: Ledger,
    tallies: Tallies,
    /// Calls by type: appeared, processed, expired.
    counts: BTreeMap<CallType, [u64; 3]>,
}

impl LedgerAndTallies {
    fn count(tallies: &mut Tallies, counts: &mut BTreeMap<CallType, [u64; 3]>, event: Event) {
        tallies.apply(&event, None, None);
        match event {
            Event::Appeared { call_type, .. } => counts.entry(call_type).or_default()[0] += 1,
            Event::Processed { call_type, .. } => counts.entry(call_type).or_default()[1] += 1,
            Event::Forgotten {
                call_type,
                never_final: Some(_),
                ..
            } => {
                counts.entry(call_type).or_default()[2] += 1;
            }
            _ => {}
        }
    }

    fn observe(&mut self, records: &[Record]) {
        let Self {
            ledger,
            tallies,
            counts,
        } = self;
        for record in records {
            // Refused: uploaded outside of the lookback.
            let _ = ledger.observe(record, NOW, LOOKBACK, &mut |event| {
                Self::count(tallies, counts, event)
            });
        }
    }

    fn mark_missing(&mut self, window: Window, listed: &CallSet) {
        let Self {
            ledger,
            tallies,
            counts,
        } = self;
        ledger.mark_missing(window, |id| listed.contains(&id), &mut |event| {
            Self::count(tallies, counts, event)
        });
    }

    fn expire(&mut self, cutoff: u32) {
        let Self {
            ledger,
            tallies,
            counts,
        } = self;
        ledger.expire(cutoff, &mut |event| Self::count(tallies, counts, event));
    }

    fn of(records: &[Record]) -> Self {
        let mut state = Self::default();
        state.observe(records);
        state
    }
}

prop_compose! {
    fn measures()(
        duration in prop::option::of(0_u64..5_000_000_000),
        speed in prop::option::of(0_u64..500_000_000),
        role in prop::sample::select(vec![Role::Customer, Role::Staff, Role::Unknown]),
    ) -> Measures {
        let speech = Speech {
            role,
            speed: speed.map(Measure),
            silence: duration.map(|duration| Measure(duration / 2)),
            ratio: Some(Measure(speed.unwrap_or_default() % Measure::PER_UNIT)),
        };
        Measures { duration: duration.map(Measure), channels: [speech, Speech::default()] }
    }
}

prop_compose! {
    /// Upload time and type depend on the call; the other fields vary.
    fn record(calls: u32)(
        call in 0..calls,
        status in prop::sample::select(vec![-1_i64, 0, 1, 2, 2, 2, 3, 9, 32, 40, 77]),
        manual in prop::array::uniform3(prop::option::of(0_u8..4)),
        measures in measures(),
    ) -> Record {
        Record {
            id: CallId(u128::from(call) << 64 | 7),
            has_uuid: true,
            uploaded: 900 + call * 37 % 8000,
            call_type: CallType::from_number([0, 2, 5, -1][call as usize % 4]),
            status: Status::from_number(status),
            manual: ManualStates(manual),
            measures, staff_id: None, written_id: None,
}
    }
}

/// The smallest key of calls uploaded at or after a time.
fn first_key(uploaded: u32) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&uploaded.to_be_bytes());
    key
}

/// Whether a row belongs to a call of this type, missing or not, whose final status has not been
/// counted.
fn is_open(row: &[u8; 8], call_type: CallType) -> bool {
    row[..2] == call_type.number().to_le_bytes() && row[7] & 1 == 0
}

proptest! {
    #[test]
    fn a_record_read_twice_counts_once(
        records in prop::collection::vec(record(40), 0..150),
        page in 1_usize..20,
    ) {
        let once = LedgerAndTallies::of(&records);
        let mut twice = LedgerAndTallies::default();
        for page in records.chunks(page) {
            twice.observe(page);
        }
        // All records again: every call goes through all of its statuses a second time.
        twice.observe(&records);
        prop_assert_eq!(&once.tallies, &twice.tallies);
        let mut repeated = LedgerAndTallies::default();
        for record in &records {
            repeated.observe(&[record.clone(), record.clone(), record.clone()]);
        }
        prop_assert_eq!(&once.tallies, &repeated.tallies);
    }

    #[test]
    fn the_order_of_calls_and_the_pages_make_no_difference(
        records in prop::collection::vec(record(60), 0..60),
        shuffled in Just(()).prop_perturb(|(), mut rng| rng.next_u64()),
        page in 1_usize..20,
    ) {
        // One record per call, as the list has at one moment.
        let mut calls: BTreeMap<u128, Record> = BTreeMap::new();
        for record in records {
            calls.insert(record.id.0, record);
        }
        let mut calls: Vec<Record> = calls.into_values().collect();
        let in_order = LedgerAndTallies::of(&calls);
        fastrand::Rng::with_seed(shuffled).shuffle(&mut calls);
        let mut in_pages = LedgerAndTallies::default();
        for page in calls.chunks(page) {
            in_pages.observe(page);
            in_pages.observe(&page[page.len() / 2..]);
        }
        prop_assert_eq!(&in_order.tallies, &in_pages.tallies);
    }

    #[test]
    fn counters_add_up_and_the_window_gauges_match_the_ledger(
        steps in prop::collection::vec(
            (prop::collection::vec(record(40), 0..30), 0_u8..6, 1000_u32..9000),
            1..8,
        ),
    ) {
        let mut state = LedgerAndTallies::default();
        let mut cutoff = 0;
        let mut rows = BTreeMap::new();
        for (records, kind, time) in steps {
            state.observe(&records);
            match kind {
                0 => {
                    cutoff = cutoff.max(time);
                    state.expire(cutoff);
                }
                1 => {
                    let listed = records.iter().map(|record| record.id).collect();
                    state.mark_missing(Window::new(time, time + 2000), &listed);
                }
                _ => {}
            }
            let window: u64 = state.tallies.window().map(|(_, _, count)| count).sum();
            prop_assert_eq!(window, state.ledger.len() as u64);
            let missing: u64 = state
                .tallies
                .window()
                .filter(|(_, position, _)| *position == Position::Missing)
                .map(|(_, _, count)| count)
                .sum();
            let all = Window::new(0, u32::MAX);
            prop_assert_eq!(state.ledger.count_present(all), window - missing);
            // Apply the changes as the store does.
            let dropped = first_key(state.ledger.drop_below());
            rows.retain(|key: &[u8; 20], _| *key >= dropped);
            rows.extend(state.ledger.take_changes());
            state.ledger.mark_committed(state.ledger.drop_below());
            for (call_type, [appeared, processed, expired]) in &state.counts {
                let open = rows.values().filter(|row| is_open(row, *call_type)).count() as u64;
                prop_assert_eq!(*appeared, processed + expired + open, "{}", call_type);
            }
        }
        // Once all calls have left the lookback, each is counted as processed or as expired.
        state.expire(u32::MAX);
        prop_assert_eq!(state.ledger.len(), 0);
        for (call_type, [appeared, processed, expired]) in &state.counts {
            prop_assert_eq!(*appeared, processed + expired, "{}", call_type);
        }
        prop_assert_eq!(state.tallies.window().map(|(_, _, count)| count).sum::<u64>(), 0);
    }

    #[test]
    fn stored_rows_restore_the_same_ledger(
        first in prop::collection::vec(record(40), 0..80),
        then in prop::collection::vec(record(40), 0..80),
        lost in any::<bool>(),
    ) {
        let mut state = LedgerAndTallies::of(&first);
        let mut rows: BTreeMap<_, _> = state.ledger.take_changes().into_iter().collect();
        state.observe(&then);
        let changes = state.ledger.take_changes();
        if lost {
            // The commit failed, so the next one has to contain its rows.
            state.ledger.requeue(&changes, &[]);
            let requeued: BTreeMap<_, _> = state.ledger.take_changes().into_iter().collect();
            prop_assert_eq!(&requeued, &changes.iter().copied().collect());
        }
        rows.extend(changes);
        let mut ledger = Ledger::default();
        for row in rows {
            prop_assert!(ledger.restore(row).is_some());
        }
        prop_assert!(ledger.resume(state.ledger.checkpoint()));
        let stored = serde_json::to_string(&state.tallies).unwrap();
        let stored: StoredTallies = serde_json::from_str(&stored).unwrap();
        let restored = stored.restore(ledger.positions());
        prop_assert_eq!(restored.as_ref(), Some(&state.tallies));
        let pending = |ledger: &Ledger| ledger.oldest_pending().collect::<Vec<_>>();
        prop_assert_eq!(pending(&ledger), pending(&state.ledger));
        // Both ledgers emit the same events from now on.
        let mut events = [Vec::new(), Vec::new()];
        for record in first.iter().chain(&then) {
            let taken = [
                ledger.observe(record, NOW, LOOKBACK, &mut |event| events[0].push(event)),
                state.ledger.observe(record, NOW, LOOKBACK, &mut |event| events[1].push(event)),
            ];
            prop_assert_eq!(taken[0], taken[1]);
        }
        prop_assert_eq!(&events[0], &events[1]);
    }
}
