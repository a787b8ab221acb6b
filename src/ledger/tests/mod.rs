//! The ledger alone, without the tallies.

mod changes;
mod expiry;

use std::collections::{BTreeMap, HashSet};

use super::observe::MAX_UNDOCUMENTED_CODES;
use super::*;
use crate::model::{ManualKind, Measure, Measures, ProcessingTime, Record, Speech};

const NOW: UnixSeconds = 10_000;
const LOOKBACK: Window = Window::new(1000, 20_000);

fn call(id: u128, uploaded: UnixSeconds, status: i64) -> Record {
    Record {
        status: Status::from_number(status),
        measures: Measures {
            duration: Some(Measure::from_integer(60)),
            channels: [Speech::default(); 2],
        },
        ..Record::succeeded(CallId(id), uploaded)
    }
}

fn manual(record: Record, states: [Option<u8>; 3]) -> Record {
    Record {
        manual: ManualStates(states),
        ..record
    }
}

/// A ledger and all events that it emitted.
struct Recorder {
    ledger: Ledger,
    events: Vec<Event>,
}

impl Recorder {
    fn new() -> Self {
        Self {
            ledger: Ledger::default(),
            events: Vec::new(),
        }
    }

    fn observe(&mut self, record: &Record) -> Vec<Event> {
        self.observe_at(record, NOW).unwrap()
    }

    fn observe_at(&mut self, record: &Record, now: UnixSeconds) -> Result<Vec<Event>, Refused> {
        let mut events = Vec::new();
        let taken = self
            .ledger
            .observe(record, now, LOOKBACK, &mut |event| events.push(event));
        assert!(taken.is_ok() || events.is_empty(), "{events:?}");
        self.events.extend(&events);
        taken.map(|()| events)
    }

    fn expire(&mut self, cutoff: UnixSeconds) -> Vec<Event> {
        let mut events = Vec::new();
        self.ledger.expire(cutoff, &mut |event| events.push(event));
        self.events.extend(&events);
        events
    }

    fn mark_missing(&mut self, window: Window, listed: &[u128]) -> Vec<Event> {
        let listed: HashSet<CallId> = listed.iter().map(|id| CallId(*id)).collect();
        let mut events = Vec::new();
        self.ledger
            .mark_missing(window, |id| listed.contains(&id), &mut |event| {
                events.push(event)
            });
        self.events.extend(&events);
        events
    }

    /// The window gauges: the sum of all events.
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
                Event::Forgotten { position, .. } => add(position, -1),
                _ => {}
            }
        }
        window.retain(|_, count| *count != 0);
        window
    }
}

/// Whether the ledger took a call that it did not know, and counts it.
fn is_new(events: &[Event]) -> bool {
    matches!(events[0], Event::Appeared { .. })
}

fn statuses(pairs: &[(&str, i64)]) -> BTreeMap<String, i64> {
    pairs
        .iter()
        .map(|(name, count)| (name.to_string(), *count))
        .collect()
}

const VOICE: CallType = CallType::VOICE;

#[test]
fn a_call_is_counted_once_per_event_however_often_it_is_read() {
    let mut recorder = Recorder::new();
    let status = Status::from_number;
    assert_eq!(
        recorder.observe(&call(1, 9000, 0)),
        [Event::Appeared {
            call_type: VOICE,
            status: status(0)
        }]
    );
    assert_eq!(recorder.observe(&call(1, 9000, 0)), []);
    let moved = |from, to| Event::Moved {
        call_type: VOICE,
        from: Position::In(status(from)),
        to: Position::In(status(to)),
    };
    let measures = call(1, 9000, 2).measures;
    assert_eq!(
        recorder.observe(&call(1, 9000, 2)),
        [
            moved(0, 2),
            Event::Processed {
                call_type: VOICE,
                status: status(2),
                processing_time: ProcessingTime::Observed(1000)
            },
            Event::Succeeded {
                call_type: VOICE,
                measures
            },
        ]
    );
    assert_eq!(recorder.observe(&call(1, 9000, 2)), []);
    // Inspected again: the call moves, but is not counted again.
    assert_eq!(recorder.observe(&call(1, 9000, 0)), [moved(2, 0)]);
    assert_eq!(recorder.observe(&call(1, 9000, 32)), [moved(0, 32)]);
    assert_eq!(recorder.observe(&call(1, 9000, 2)), [moved(32, 2)]);
    assert_eq!(recorder.window(), statuses(&[("succeeded", 1)]));
}

#[test]
fn a_success_after_a_failure_is_measured_but_not_processed_again() {
    let mut recorder = Recorder::new();
    recorder.observe(&call(1, 9000, 32));
    let events = recorder.observe(&call(1, 9000, 2));
    assert!(
        matches!(events[..], [Event::Moved { .. }, Event::Succeeded { .. }]),
        "{events:?}"
    );
}

#[test]
fn a_call_that_is_final_when_first_seen_has_no_processing_time() {
    let mut recorder = Recorder::new();
    let events = recorder.observe(&call(1, 9000, 9));
    assert!(events.contains(&Event::Processed {
        call_type: VOICE,
        status: Status::from_number(9),
        processing_time: ProcessingTime::FinalWhenFirstSeen
    }));
}

/// No list of pending calls has it, so it may have become final long before.
#[test]
fn a_call_that_had_no_status_has_no_processing_time() {
    let mut recorder = Recorder::new();
    recorder.observe(&call(1, 9000, 0));
    let without_status = Record {
        status: Status::UNKNOWN,
        ..call(1, 9000, 0)
    };
    recorder.observe(&without_status);
    let events = recorder.observe(&call(1, 9000, 2));
    assert!(events.contains(&Event::Processed {
        call_type: VOICE,
        status: Status::SUCCEEDED,
        processing_time: ProcessingTime::NotObserved
    }));
}

#[test]
fn a_clock_behind_the_upload_gives_a_processing_time_of_zero() {
    let mut recorder = Recorder::new();
    recorder.observe_at(&call(1, 9000, 0), 8000).unwrap();
    let events = recorder.observe_at(&call(1, 9000, 2), 8500).unwrap();
    assert!(
        matches!(
            events[1],
            Event::Processed {
                processing_time: ProcessingTime::Observed(0),
                ..
            }
        ),
        "{events:?}"
    );
}

#[test]
fn calls_outside_the_lookback_are_ignored() {
    let mut recorder = Recorder::new();
    let mut refused = |record: &Record| recorder.observe_at(record, NOW).err();
    assert_eq!(refused(&call(1, 999, 0)), Some(Refused::Old));
    assert_eq!(refused(&call(2, 20_001, 0)), Some(Refused::Future));
    assert!(is_new(&recorder.observe(&call(3, 1000, 0))));
    assert!(is_new(&recorder.observe(&call(4, 20_000, 0))));
    recorder.ledger.close_before(5000);
    let returned = recorder.observe(&call(5, 4999, 0));
    assert!(
        matches!(returned[..], [Event::Returned { .. }]),
        "{returned:?}"
    );
    assert!(is_new(&recorder.observe(&call(6, 5000, 0))));
    let updated = recorder.observe(&call(3, 1000, 1));
    assert!(matches!(updated[..], [Event::Moved { .. }]), "{updated:?}");
}

#[test]
fn a_missing_call_leaves_its_status_until_it_is_listed_again() {
    let mut recorder = Recorder::new();
    let first = manual(call(1, 5000, 0), [Some(1), None, None]);
    recorder.observe(&first);
    recorder.observe(&call(2, 5001, 2));
    recorder.observe(&call(3, 7000, 2));
    let window = Window::new(4000, 6000);
    let events = recorder.mark_missing(window, &[2]);
    assert_eq!(
        events.len(),
        2,
        "moved, and its manual state is unset: {events:?}"
    );
    assert_eq!(
        recorder.window(),
        statuses(&[("missing", 1), ("succeeded", 2)])
    );
    assert_eq!(recorder.ledger.oldest_pending().count(), 0);
    assert_eq!(recorder.mark_missing(window, &[2]), [], "emitted once");
    let back = recorder.observe(&first);
    assert_eq!(
        back,
        [
            Event::Moved {
                call_type: VOICE,
                from: Position::Missing,
                to: Position::In(first.status)
            },
            Event::ManualStateChanged {
                call_type: VOICE,
                kind: ManualKind::Sampled,
                from: None,
                to: Some(1)
            },
        ]
    );
    assert_eq!(
        recorder.ledger.oldest_pending().collect::<Vec<_>>(),
        [(VOICE, first.status, 5000)]
    );
}

#[test]
fn changes_of_manual_states_are_emitted() {
    let mut recorder = Recorder::new();
    recorder.observe(&manual(call(1, 5000, 2), [Some(0), None, None]));
    let events = recorder.observe(&manual(call(1, 5000, 2), [Some(1), None, Some(3)]));
    let change = |kind, from, to| Event::ManualStateChanged {
        call_type: VOICE,
        kind,
        from,
        to,
    };
    assert_eq!(
        events,
        [
            change(ManualKind::Sampled, Some(0), Some(1)),
            change(ManualKind::Appealed, None, Some(3)),
        ]
    );
    let events = recorder.expire(6000);
    assert_eq!(events.len(), 3);
}

#[test]
fn the_oldest_pending_call_of_each_status_is_tracked() {
    let mut recorder = Recorder::new();
    for (id, uploaded, status) in [
        (1, 5000, 0),
        (2, 4000, 0),
        (3, 6000, 3),
        (4, 3000, 2),
        (5, 3500, 77),
    ] {
        recorder.observe(&call(id, uploaded, status));
    }
    let oldest = |recorder: &Recorder| {
        recorder
            .ledger
            .oldest_pending()
            .map(|(_, status, at)| (status.to_string(), at))
            .collect::<Vec<_>>()
    };
    let pair = |name: &str, at| (name.to_string(), at);
    assert_eq!(
        oldest(&recorder),
        [
            pair("waiting", 4000),
            pair("transcribing", 6000),
            pair("unknown_77", 3500)
        ]
    );
    recorder.observe(&call(2, 4000, 2));
    recorder.observe(&call(3, 6000, 1));
    recorder.expire(3600);
    assert_eq!(
        oldest(&recorder),
        [pair("waiting", 5000), pair("inspecting", 6000)]
    );
}

#[test]
fn undocumented_codes_get_a_limited_number_of_labels() {
    let mut recorder = Recorder::new();
    for id in 0..200 {
        let undocumented = Record {
            call_type: CallType::from_number(100 + id as i64),
            ..call(id, 5000, 1000 + id as i64)
        };
        recorder.observe(&undocumented);
    }
    let window = recorder.window();
    assert_eq!(window.len(), MAX_UNDOCUMENTED_CODES + 1);
    assert_eq!(window["unknown"], 200 - MAX_UNDOCUMENTED_CODES as i64);
    assert_eq!(window["unknown_1000"], 1);
    let types: HashSet<CallType> = recorder
        .ledger
        .pending
        .keys()
        .map(|(call_type, _)| *call_type)
        .collect();
    assert_eq!(types.len(), MAX_UNDOCUMENTED_CODES + 1);
}
