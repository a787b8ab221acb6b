//! What is to be written: what differs from its row, and nothing else.

use super::*;

#[test]
fn what_is_read_again_as_it_was_is_not_written_again() {
    let mut book = TargetState::new();
    let pending = manual(call(1, 5000, 0), [Some(1), None, None]);
    let done = call(2, 5001, 2);
    for call in [&pending, &done] {
        book.see(call);
    }
    assert_eq!(book.ledger.take_changes().len(), 2);
    for call in [&pending, &done] {
        book.see(call);
    }
    assert_eq!(book.ledger.take_changes(), []);

    // Each part of a row counts.
    let changed = [
        call(1, 5000, 0),
        call(1, 5000, 3),
        call(1, 5000, 2),
        manual(call(2, 5001, 2), [None, Some(0), None]),
    ];
    for call in &changed {
        for times in [1, 0] {
            book.see(call);
            assert_eq!(book.ledger.take_changes().len(), times, "{call:?}");
        }
    }
    book.ledger.mark_missing(OPEN, |_| false, &mut |_| {});
    assert_eq!(book.ledger.take_changes().len(), 2);
    for times in [1, 0] {
        book.see(&done);
        assert_eq!(book.ledger.take_changes().len(), times, "it is back");
    }
}

#[test]
fn rows_are_dropped_once_and_only_if_there_are_some() {
    let mut book = TargetState::new();
    book.see(&call(1, 5000, 2));
    book.see(&call(2, 6000, 2));
    book.expire(4000);
    assert_eq!(book.ledger.drop_below(), 0, "nothing has left");
    book.expire(5500);
    book.expire(5600);
    let written = book.ledger.drop_below();
    assert_eq!(written, 5500);
    // One more leaves while that is being written.
    book.expire(6500);
    book.ledger.mark_committed(written);
    assert_eq!(book.ledger.drop_below(), 6500);
    book.ledger.mark_committed(6500);
    assert_eq!(book.ledger.drop_below(), 0);
}
