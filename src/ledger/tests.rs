//! The ledger by itself. `Tally` is the simplest fold there is, so that this layer needs no other.

mod changes;

use std::collections::{BTreeMap, HashSet};

use super::*;
use crate::model::{Measure, Measures, Speech};

const NOW: UnixSeconds = 10_000;
/// The lookback.
const OPEN: Window = Window {
    from: 1000,
    to: 20_000,
};

fn call(id: u128, uploaded: UnixSeconds, status: i64) -> Record {
    Record {
        id: CallId(id),
        uploaded,
        call_type: CallType::VOICE,
        status: Status::from_number(status),
        manual: Manual::default(),
        measures: Measures {
            duration: Some(Measure::whole(60)),
            channels: [Speech::default(); 2],
        },
    }
}

fn manual(record: Record, states: [Option<u8>; 3]) -> Record {
    Record {
        manual: Manual(states),
        ..record
    }
}

struct TargetState {
    ledger: Ledger,
    events: Vec<Event>,
}

impl TargetState {
    fn new() -> Self {
        Self {
            ledger: Ledger::default(),
            events: Vec::new(),
        }
    }

    fn see(&mut self, record: &Record) -> (Observed, Vec<Event>) {
        self.see_at(record, NOW)
    }

    fn see_at(&mut self, record: &Record, now: UnixSeconds) -> (Observed, Vec<Event>) {
        let mut told = Vec::new();
        let observed = self
            .ledger
            .observe(record, now, OPEN, &mut |event| told.push(event));
        self.events.extend(&told);
        (observed, told)
    }

    fn expire(&mut self, cutoff: UnixSeconds) -> Vec<Event> {
        let mut told = Vec::new();
        self.ledger.expire(cutoff, &mut |event| told.push(event));
        self.events.extend(&told);
        told
    }

    fn miss(&mut self, window: Window, seen: &[u128]) -> Vec<Event> {
        let seen: HashSet<CallId> = seen.iter().map(|id| CallId(*id)).collect();
        let mut told = Vec::new();
        self.ledger
            .mark_missing(window, |id| seen.contains(&id), &mut |event| {
                told.push(event)
            });
        self.events.extend(&told);
        told
    }

    /// The window gauges that the events so far add up to.
    fn window(&self) -> BTreeMap<String, i64> {
        let mut window = BTreeMap::new();
        let mut add =
            |position: Position, by| *window.entry(position.to_string()).or_default() += by;
        for event in &self.events {
            match *event {
                Event::Appeared { status, .. } | Event::Returned { status, .. } => {
                    add(Position::In(status), 1)
                }
                Event::Moved { from, to, .. } => {
                    add(from, -1);
                    add(to, 1);
                }
                Event::Left { position, .. } => add(position, -1),
                _ => {}
            }
        }
        window.retain(|_, count| *count != 0);
        window
    }
}

fn statuses(pairs: &[(&str, i64)]) -> BTreeMap<String, i64> {
    pairs
        .iter()
        .map(|(name, count)| (name.to_string(), *count))
        .collect()
}

const VOICE: CallType = CallType::VOICE;

#[test]
fn a_call_is_counted_once_at_each_station() {
    let mut book = TargetState::new();
    let status = Status::from_number;
    assert_eq!(
        book.see(&call(1, 9000, 0)),
        (
            Observed::New,
            vec![Event::Appeared {
                call_type: VOICE,
                status: status(0)
            }]
        )
    );
    assert_eq!(book.see(&call(1, 9000, 0)), (Observed::Known, vec![]));
    let moved = |from, to| Event::Moved {
        call_type: VOICE,
        from: Position::In(status(from)),
        to: Position::In(status(to)),
    };
    let measures = call(1, 9000, 2).measures;
    assert_eq!(
        book.see(&call(1, 9000, 2)).1,
        [
            moved(0, 2),
            Event::Processed {
                call_type: VOICE,
                status: status(2),
                processing: Processing::Took(1000)
            },
            Event::Succeeded {
                call_type: VOICE,
                measures
            },
        ]
    );
    assert_eq!(book.see(&call(1, 9000, 2)).1, []);
    // Sent round again: it moves, and is counted no second time.
    assert_eq!(book.see(&call(1, 9000, 0)).1, [moved(2, 0)]);
    assert_eq!(book.see(&call(1, 9000, 32)).1, [moved(0, 32)]);
    assert_eq!(book.see(&call(1, 9000, 2)).1, [moved(32, 2)]);
    assert_eq!(book.window(), statuses(&[("succeeded", 1)]));
}

#[test]
fn a_success_after_a_failure_is_measured_but_processed_only_once() {
    let mut book = TargetState::new();
    book.see(&call(1, 9000, 32));
    let told = book.see(&call(1, 9000, 2)).1;
    assert!(
        matches!(told[..], [Event::Moved { .. }, Event::Succeeded { .. }]),
        "{told:?}"
    );
}

#[test]
fn a_call_that_was_final_when_it_appeared_has_no_processing_time() {
    let mut book = TargetState::new();
    let told = book.see(&call(1, 9000, 9)).1;
    assert!(told.contains(&Event::Processed {
        call_type: VOICE,
        status: Status::from_number(9),
        processing: Processing::BeforeFirstSeen
    }));
}

#[test]
fn a_clock_behind_the_upload_makes_no_negative_time() {
    let mut book = TargetState::new();
    book.see_at(&call(1, 9000, 0), 8000);
    let told = book.see_at(&call(1, 9000, 2), 8500).1;
    assert!(
        matches!(
            told[1],
            Event::Processed {
                processing: Processing::Took(0),
                ..
            }
        ),
        "{told:?}"
    );
}

#[test]
fn what_lies_outside_the_open_window_is_not_taken_up() {
    let mut book = TargetState::new();
    assert_eq!(book.see(&call(1, 999, 0)), (Observed::Old, vec![]));
    assert_eq!(book.see(&call(2, 20_001, 0)), (Observed::Future, vec![]));
    assert_eq!(book.see(&call(3, 1000, 0)).0, Observed::New);
    assert_eq!(book.see(&call(4, 20_000, 0)).0, Observed::New);
    book.ledger.close_before(5000);
    assert_eq!(book.see(&call(5, 4999, 0)).0, Observed::Returned);
    assert_eq!(book.see(&call(6, 5000, 0)).0, Observed::New);
    assert_eq!(
        book.see(&call(3, 1000, 1)).0,
        Observed::Known,
        "known calls are followed"
    );
}

#[test]
fn a_forgotten_call_is_never_counted_again() {
    let mut book = TargetState::new();
    book.see(&call(1, 5000, 0));
    book.see(&call(2, 5001, 2));
    book.see(&call(3, 6000, 3));
    let told = book.expire(6000);
    assert_eq!(told.len(), 2);
    assert!(told.contains(&Event::Left {
        call_type: VOICE,
        position: Position::In(Status::from_number(0)),
        never_final: Some(Status::from_number(0)),
    }));
    assert!(told.contains(&Event::Left {
        call_type: VOICE,
        position: Position::In(Status::SUCCEEDED),
        never_final: None,
    }));
    assert_eq!(book.ledger.len(), 1);
    assert_eq!(book.window(), statuses(&[("transcribing", 1)]));
    // The lookback grows, or the clock steps back: they are shown again, and that is all.
    for (id, at) in [(1, 5000), (2, 5001), (9, 5001)] {
        let status = Status::from_number(0);
        assert_eq!(
            book.see(&call(id, at, 0)),
            (
                Observed::Returned,
                vec![Event::Returned {
                    call_type: VOICE,
                    status
                }]
            )
        );
        assert!(matches!(
            book.see(&call(id, at, 2)).1[..],
            [Event::Moved { .. }]
        ));
    }
    assert_eq!(
        book.window(),
        statuses(&[("succeeded", 3), ("transcribing", 1)])
    );
    assert!(book.expire(6000).iter().all(|event| matches!(
        event,
        Event::Left {
            never_final: None,
            ..
        }
    )));
}

#[test]
fn a_clock_that_was_ahead_closes_no_more_than_was_forgotten() {
    let mut book = TargetState::new();
    book.see(&call(1, 5000, 2));
    book.expire(4_000_000_000);
    assert!(book.ledger.is_empty());
    assert_eq!(book.see(&call(1, 5000, 2)).0, Observed::Returned);
    assert_eq!(book.see(&call(2, 5001, 2)).0, Observed::New);
}

#[test]
fn a_missing_call_leaves_its_status_and_comes_back() {
    let mut book = TargetState::new();
    let first = manual(call(1, 5000, 0), [Some(1), None, None]);
    book.see(&first);
    book.see(&call(2, 5001, 2));
    book.see(&call(3, 7000, 2));
    let window = Window {
        from: 4000,
        to: 6000,
    };
    let told = book.miss(window, &[2]);
    assert_eq!(
        told.len(),
        2,
        "moved, and its manual state is gone: {told:?}"
    );
    assert_eq!(book.window(), statuses(&[("missing", 1), ("succeeded", 2)]));
    assert_eq!(book.ledger.oldest_pending().count(), 0);
    assert_eq!(book.miss(window, &[2]), [], "told once");
    let back = book.see(&first).1;
    assert_eq!(
        back,
        [
            Event::Moved {
                call_type: VOICE,
                from: Position::Missing,
                to: Position::In(first.status)
            },
            Event::Manual {
                call_type: VOICE,
                kind: ManualKind::Inspect,
                from: None,
                to: Some(1)
            },
        ]
    );
    assert_eq!(
        book.ledger.oldest_pending().collect::<Vec<_>>(),
        [(VOICE, first.status, 5000)]
    );
}

#[test]
fn a_call_that_expires_while_missing_is_told_with_the_status_last_seen() {
    let mut book = TargetState::new();
    book.see(&manual(call(1, 5000, 3), [None, Some(2), None]));
    book.miss(OPEN, &[]);
    assert_eq!(
        book.expire(6000),
        [Event::Left {
            call_type: VOICE,
            position: Position::Missing,
            never_final: Some(Status::from_number(3))
        }]
    );
}

#[test]
fn manual_states_are_followed() {
    let mut book = TargetState::new();
    book.see(&manual(call(1, 5000, 2), [Some(0), None, None]));
    let told = book
        .see(&manual(call(1, 5000, 2), [Some(1), None, Some(3)]))
        .1;
    let change = |kind, from, to| Event::Manual {
        call_type: VOICE,
        kind,
        from,
        to,
    };
    assert_eq!(
        told,
        [
            change(ManualKind::Inspect, Some(0), Some(1)),
            change(ManualKind::Complain, None, Some(3)),
        ]
    );
    let told = book.expire(6000);
    assert_eq!(told.len(), 3);
}

#[test]
fn the_oldest_pending_call_of_each_status_is_known() {
    let mut book = TargetState::new();
    for (id, uploaded, status) in [
        (1, 5000, 0),
        (2, 4000, 0),
        (3, 6000, 3),
        (4, 3000, 2),
        (5, 3500, 77),
    ] {
        book.see(&call(id, uploaded, status));
    }
    let oldest = |book: &TargetState| {
        book.ledger
            .oldest_pending()
            .map(|(_, status, at)| (status.to_string(), at))
            .collect::<Vec<_>>()
    };
    let pair = |name: &str, at| (name.to_string(), at);
    assert_eq!(
        oldest(&book),
        [
            pair("waiting", 4000),
            pair("transcribing", 6000),
            pair("unknown_77", 3500)
        ]
    );
    book.see(&call(2, 4000, 2));
    book.see(&call(3, 6000, 1));
    book.expire(3600);
    assert_eq!(
        oldest(&book),
        [pair("waiting", 5000), pair("inspecting", 6000)]
    );
}

#[test]
fn the_labels_that_a_vendor_can_make_are_limited() {
    let mut book = TargetState::new();
    for id in 0..200 {
        let strange = Record {
            call_type: CallType::from_number(100 + id as i64),
            ..call(id, 5000, 1000 + id as i64)
        };
        book.see(&strange);
    }
    let window = book.window();
    assert_eq!(window.len(), MAX_UNDOCUMENTED_CODES + 1);
    assert_eq!(window["unknown"], 200 - MAX_UNDOCUMENTED_CODES as i64);
    assert_eq!(window["unknown_1000"], 1);
    let types: HashSet<CallType> = book
        .ledger
        .pending
        .keys()
        .map(|(call_type, _)| *call_type)
        .collect();
    assert_eq!(types.len(), MAX_UNDOCUMENTED_CODES + 1);
}
