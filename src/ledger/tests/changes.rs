//! The changes to commit: only calls that differ from their stored row.

use super::*;

#[test]
fn an_unchanged_call_is_not_written_again() {
    let mut recorder = Recorder::new();
    let pending = manual(call(1, 5000, 0), [Some(1), None, None]);
    let done = call(2, 5001, 2);
    for call in [&pending, &done] {
        recorder.observe(call);
    }
    assert_eq!(recorder.ledger.take_changes().len(), 2);
    for call in [&pending, &done] {
        recorder.observe(call);
    }
    assert_eq!(recorder.ledger.take_changes(), []);

    // A change of any field is written, once.
    let changed = [
        call(1, 5000, 0),
        call(1, 5000, 3),
        call(1, 5000, 2),
        manual(call(2, 5001, 2), [None, Some(0), None]),
    ];
    for call in &changed {
        for times in [1, 0] {
            recorder.observe(call);
            assert_eq!(recorder.ledger.take_changes().len(), times, "{call:?}");
        }
    }
    recorder
        .ledger
        .mark_missing(LOOKBACK, |_| false, &mut |_| {});
    assert_eq!(recorder.ledger.take_changes().len(), 2);
    for times in [1, 0] {
        recorder.observe(&done);
        assert_eq!(recorder.ledger.take_changes().len(), times, "listed again");
    }
}

#[test]
fn stored_rows_are_dropped_once_and_only_if_calls_expired() {
    let mut recorder = Recorder::new();
    recorder.observe(&call(1, 5000, 2));
    recorder.observe(&call(2, 6000, 2));
    recorder.expire(4000);
    assert_eq!(recorder.ledger.drop_below(), 0, "nothing has expired");
    recorder.expire(5500);
    recorder.expire(5600);
    let written = recorder.ledger.drop_below();
    assert_eq!(written, 5500);
    // Another call expires during the commit.
    recorder.expire(6500);
    recorder.ledger.mark_committed(written);
    assert_eq!(recorder.ledger.drop_below(), 6500);
    recorder.ledger.mark_committed(6500);
    assert_eq!(recorder.ledger.drop_below(), 0);
}

#[test]
fn a_call_takes_its_uuid_and_never_that_of_another_call() {
    let mut recorder = Recorder::new();
    let first = call(1, 5000, 2);
    recorder.observe(&first);
    // A recording of the same conversation, whose call_id is the first one's call_uuid.
    recorder.ledger.rename(CallId(1), CallId(2));
    assert!(is_new(&recorder.observe(&call(2, 5001, 2))));
    assert_eq!(recorder.observe(&first), []);

    let unnamed = Record {
        has_uuid: false,
        ..call(3, 5002, 0)
    };
    recorder.observe(&unnamed);
    let rows = recorder.ledger.take_changes();
    let checkpoint = recorder.ledger.checkpoint();
    recorder.ledger = Ledger::default();
    assert!(
        rows.into_iter()
            .all(|row| recorder.ledger.restore(row).is_some())
    );
    assert!(recorder.ledger.resume(checkpoint));
    recorder.ledger.rename(CallId(3), CallId(4));
    assert_eq!(recorder.observe(&call(4, 5002, 0)), []);
    // It is another's call_id by now.
    recorder.ledger.rename(CallId(4), CallId(5));
    assert_eq!(recorder.observe(&call(4, 5002, 0)), []);
    assert_eq!(recorder.ledger.len(), 3);
}
