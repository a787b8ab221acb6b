//! What must hold of the ledger and the tallies whatever is observed.

use std::collections::BTreeMap;

use cec_exporter::ledger::Ledger;
use cec_exporter::metrics::tallies::{Stored, Tallies};
use cec_exporter::model::{
    CallId, CallSet, CallType, Event, Manual, Measure, Measures, Position, Record, Role, Speech,
    Status, Window,
};
use proptest::prelude::*;

const OPEN: Window = Window {
    from: 1000,
    to: 9000,
};
const NOW: u32 = 9000;

#[derive(Default)]
struct TargetState {
    ledger: Ledger,
    tallies: Tallies,
    /// Calls by type: appeared, processed, expired.
    counts: BTreeMap<CallType, [u64; 3]>,
}

impl TargetState {
    fn tell(tallies: &mut Tallies, counts: &mut BTreeMap<CallType, [u64; 3]>, event: Event) {
        tallies.apply(&event, None);
        match event {
            Event::Appeared { call_type, .. } => counts.entry(call_type).or_default()[0] += 1,
            Event::Processed { call_type, .. } => counts.entry(call_type).or_default()[1] += 1,
            Event::Left {
                call_type,
                never_final: Some(_),
                ..
            } => {
                counts.entry(call_type).or_default()[2] += 1;
            }
            _ => {}
        }
    }

    fn see(&mut self, records: &[Record]) {
        let Self {
            ledger,
            tallies,
            counts,
        } = self;
        for record in records {
            ledger.observe(record, NOW, OPEN, &mut |event| {
                Self::tell(tallies, counts, event)
            });
        }
    }

    fn miss(&mut self, window: Window, seen: &CallSet) {
        let Self {
            ledger,
            tallies,
            counts,
        } = self;
        ledger.mark_missing(window, |id| seen.contains(&id), &mut |event| {
            Self::tell(tallies, counts, event)
        });
    }

    fn expire(&mut self, cutoff: u32) {
        let Self {
            ledger,
            tallies,
            counts,
        } = self;
        ledger.expire(cutoff, &mut |event| Self::tell(tallies, counts, event));
    }

    fn of(records: &[Record]) -> Self {
        let mut book = Self::default();
        book.see(records);
        book
    }
}

prop_compose! {
    fn measures()(
        duration in prop::option::of(0_u64..5_000_000_000),
        speed in prop::option::of(0_u64..500_000_000),
        role in 0_usize..3,
    ) -> Measures {
        let speech = Speech {
            role: Role::ALL[role],
            speed: speed.map(Measure),
            silence: duration.map(|duration| Measure(duration / 2)),
            ratio: Some(Measure(speed.unwrap_or_default() % Measure::PER_UNIT)),
        };
        Measures { duration: duration.map(Measure), channels: [speech, Speech::default()] }
    }
}

prop_compose! {
    /// Upload time and type belong to the call; the rest changes.
    fn record(calls: u32)(
        call in 0..calls,
        status in prop::sample::select(vec![-1_i64, 0, 1, 2, 2, 2, 3, 9, 32, 40, 77]),
        manual in prop::array::uniform3(prop::option::of(0_u8..4)),
        measures in measures(),
    ) -> Record {
        Record {
            id: CallId(u128::from(call) << 64 | 7),
            uploaded: 900 + call * 37 % 8000,
            call_type: CallType::from_number([0, 2, 5, -1][call as usize % 4]),
            status: Status::from_number(status),
            manual: Manual(manual),
            measures,
        }
    }
}

/// Of all rows of calls uploaded at or after a time.
fn first_key(uploaded: u32) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&uploaded.to_be_bytes());
    key
}

/// Whether a row is of a call of this type of which no final status has been counted, whether it
/// is missing or not.
fn is_open(row: &[u8; 8], call_type: CallType) -> bool {
    row[..2] == call_type.number().to_le_bytes() && row[7] & 1 == 0
}

proptest! {
    #[test]
    fn what_is_read_twice_is_counted_once(
        records in prop::collection::vec(record(40), 0..150),
        page in 1_usize..20,
    ) {
        let once = TargetState::of(&records);
        let mut twice = TargetState::default();
        for page in records.chunks(page) {
            twice.see(page);
        }
        // The whole story once more: every call goes through all of its statuses again.
        twice.see(&records);
        prop_assert_eq!(&once.tallies, &twice.tallies);
        let mut stuttered = TargetState::default();
        for record in &records {
            stuttered.see(&[record.clone(), record.clone(), record.clone()]);
        }
        prop_assert_eq!(&once.tallies, &stuttered.tallies);
    }

    #[test]
    fn calls_may_come_in_any_order_and_in_any_pages(
        records in prop::collection::vec(record(60), 0..60),
        shuffled in Just(()).prop_perturb(|(), mut rng| rng.next_u64()),
        page in 1_usize..20,
    ) {
        // One record of each call: what the list holds at one moment.
        let mut calls: BTreeMap<u128, Record> = BTreeMap::new();
        for record in records {
            calls.insert(record.id.0, record);
        }
        let mut calls: Vec<Record> = calls.into_values().collect();
        let in_order = TargetState::of(&calls);
        fastrand::Rng::with_seed(shuffled).shuffle(&mut calls);
        let mut in_pages = TargetState::default();
        for page in calls.chunks(page) {
            in_pages.see(page);
            in_pages.see(&page[page.len() / 2..]);
        }
        prop_assert_eq!(&in_order.tallies, &in_pages.tallies);
    }

    #[test]
    fn the_sum_holds_and_the_window_shows_what_is_remembered(
        steps in prop::collection::vec(
            (prop::collection::vec(record(40), 0..30), 0_u8..6, 1000_u32..9000),
            1..8,
        ),
    ) {
        let mut book = TargetState::default();
        let mut cutoff = 0;
        let mut rows = BTreeMap::new();
        for (records, kind, time) in steps {
            book.see(&records);
            match kind {
                0 => {
                    cutoff = cutoff.max(time);
                    book.expire(cutoff);
                }
                1 => {
                    let seen = records.iter().map(|record| record.id).collect();
                    book.miss(Window { from: time, to: time + 2000 }, &seen);
                }
                _ => {}
            }
            let window: u64 = book.tallies.window().map(|(_, _, count)| count).sum();
            prop_assert_eq!(window, book.ledger.len() as u64);
            let missing: u64 = book
                .tallies
                .window()
                .filter(|(_, place, _)| *place == Position::Missing)
                .map(|(_, _, count)| count)
                .sum();
            let all = Window { from: 0, to: u32::MAX };
            prop_assert_eq!(book.ledger.count_present(all), window - missing);
            // As a store does.
            let dropped = first_key(book.ledger.drop_below());
            rows.retain(|key: &[u8; 20], _| *key >= dropped);
            rows.extend(book.ledger.take_changes());
            book.ledger.mark_committed(book.ledger.drop_below());
            for (call_type, [appeared, processed, expired]) in &book.counts {
                let open = rows.values().filter(|row| is_open(row, *call_type)).count() as u64;
                prop_assert_eq!(*appeared, processed + expired + open, "{}", call_type);
            }
        }
        // When all have left, each was either processed or has expired.
        book.expire(u32::MAX);
        prop_assert_eq!(book.ledger.len(), 0);
        for (call_type, [appeared, processed, expired]) in &book.counts {
            prop_assert_eq!(*appeared, processed + expired, "{}", call_type);
        }
        prop_assert_eq!(book.tallies.window().map(|(_, _, count)| count).sum::<u64>(), 0);
    }

    #[test]
    fn rows_that_are_kept_give_the_same_ledger(
        first in prop::collection::vec(record(40), 0..80),
        then in prop::collection::vec(record(40), 0..80),
        lost in any::<bool>(),
    ) {
        let mut book = TargetState::of(&first);
        let mut rows: BTreeMap<_, _> = book.ledger.take_changes().into_iter().collect();
        book.see(&then);
        let changes = book.ledger.take_changes();
        if lost {
            // The commit failed; the rows come again with the next one.
            book.ledger.requeue(&changes, &[]);
            let again: BTreeMap<_, _> = book.ledger.take_changes().into_iter().collect();
            prop_assert_eq!(&again, &changes.iter().copied().collect());
        }
        rows.extend(changes);
        let mut ledger = Ledger::default();
        for row in rows {
            prop_assert!(ledger.restore(row));
        }
        prop_assert!(ledger.resume(&book.ledger.checkpoint()));
        let stored = serde_json::to_string(&book.tallies).unwrap();
        let stored: Stored = serde_json::from_str(&stored).unwrap();
        let opened = stored.open(ledger.positions());
        prop_assert_eq!(opened.as_ref(), Some(&book.tallies));
        let pending = |ledger: &Ledger| ledger.oldest_pending().collect::<Vec<_>>();
        prop_assert_eq!(pending(&ledger), pending(&book.ledger));
        // And both tell the same of whatever comes next.
        let mut told = [Vec::new(), Vec::new()];
        for record in first.iter().chain(&then) {
            ledger.observe(record, NOW, OPEN, &mut |event| told[0].push(event));
            book.ledger.observe(record, NOW, OPEN, &mut |event| told[1].push(event));
        }
        prop_assert_eq!(&told[0], &told[1]);
    }
}
