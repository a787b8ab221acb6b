//! Calls that leave the lookback.

use super::*;

#[test]
fn a_forgotten_call_is_never_counted_again() {
    let mut recorder = Recorder::new();
    recorder.observe(&call(1, 5000, 0));
    recorder.observe(&call(2, 5001, 2));
    recorder.observe(&call(3, 6000, 3));
    let events = recorder.expire(6000);
    assert_eq!(events.len(), 2);
    assert!(events.contains(&Event::Forgotten {
        call_type: VOICE,
        position: Position::In(Status::from_number(0)),
        never_final: Some(Status::from_number(0)),
    }));
    assert!(events.contains(&Event::Forgotten {
        call_type: VOICE,
        position: Position::In(Status::SUCCEEDED),
        never_final: None,
    }));
    assert_eq!(recorder.ledger.len(), 1);
    assert_eq!(recorder.window(), statuses(&[("transcribing", 1)]));
    // The lookback grows, or the clock steps back: the calls are shown again, but not counted.
    for (id, at) in [(1, 5000), (2, 5001), (9, 5001)] {
        let status = Status::from_number(0);
        assert_eq!(
            recorder.observe(&call(id, at, 0)),
            [Event::Returned {
                call_type: VOICE,
                status
            }]
        );
        assert!(matches!(
            recorder.observe(&call(id, at, 2))[..],
            [Event::Moved { .. }]
        ));
    }
    assert_eq!(
        recorder.window(),
        statuses(&[("succeeded", 3), ("transcribing", 1)])
    );
    assert!(recorder.expire(6000).iter().all(|event| matches!(
        event,
        Event::Forgotten {
            never_final: None,
            ..
        }
    )));
}

#[test]
fn a_clock_ahead_closes_only_the_times_of_forgotten_calls() {
    let mut recorder = Recorder::new();
    recorder.observe(&call(1, 5000, 2));
    recorder.expire(4_000_000_000);
    assert!(recorder.ledger.is_empty());
    let returned = recorder.observe(&call(1, 5000, 2));
    assert!(
        matches!(returned[0], Event::Returned { .. }),
        "{returned:?}"
    );
    assert!(is_new(&recorder.observe(&call(2, 5001, 2))));
}

#[test]
fn a_call_that_expires_while_missing_has_its_last_seen_status() {
    let mut recorder = Recorder::new();
    recorder.observe(&manual(call(1, 5000, 3), [None, Some(2), None]));
    recorder.mark_missing(LOOKBACK, &[]);
    assert_eq!(
        recorder.expire(6000),
        [Event::Forgotten {
            call_type: VOICE,
            position: Position::Missing,
            never_final: Some(Status::from_number(3))
        }]
    );
}
