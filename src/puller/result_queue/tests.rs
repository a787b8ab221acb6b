use super::*;

fn record(id: u128, uploaded: UnixSeconds) -> Record {
    Record::succeeded(CallId(id), uploaded)
}

fn queue(share: f64) -> ResultQueue {
    let mut queue = ResultQueue::default();
    queue.sample(Some(share));
    queue
}

/// The next call that is due, by its number.
fn next(queue: &ResultQueue, now: UnixSeconds) -> Option<u128> {
    queue.next(now).map(|(key, _)| CallId::from_key(key).1.0)
}

#[test]
fn the_sample_has_the_share_and_depends_on_the_identity_alone() {
    let sampled = |share: f64, version: u128| {
        let mut queue = queue(share);
        // UUIDs that differ only in the lowest or the highest bits.
        (0..10_000).for_each(|n: u128| queue.push(&record(n << version | 1 << 77, 100)));
        queue.fresh
    };
    for shift in [0, 40, 100] {
        let tenth = sampled(0.1, shift);
        assert!((900..1100).contains(&tenth.len()), "{}", tenth.len());
        assert_eq!(tenth, sampled(0.1, shift));
        // Who was in the sample stays in it when the share grows.
        assert!(tenth.is_subset(&sampled(0.2, shift)));
        assert_eq!(sampled(0.0, shift).len(), 0);
        assert_eq!(sampled(1.0, shift).len(), 10_000);
    }
}

#[test]
fn a_share_of_one_has_every_call() {
    let mut queue = queue(1.0);
    for id in [0, 1, u128::MAX, 0x9e37_79b9_7f4a_7c15] {
        let mut record = record(id, 100);
        record.written_id = Some("x".into());
        queue.push(&record);
    }
    assert_eq!(queue.len(), 4);
}

#[test]
fn calls_are_requested_in_order_and_once() {
    let mut queue = queue(1.0);
    for (id, uploaded) in [(1, 300), (2, 100), (3, 200)] {
        queue.push(&record(id, uploaded));
    }
    assert_eq!((queue.len(), queue.oldest()), (3, Some(100)));
    assert_eq!(next(&queue, 99), None);
    assert_eq!(next(&queue, 1000), Some(2));
    assert!(queue.remove(CallId(2).key(100)));
    assert!(!queue.remove(CallId(2).key(100)), "counted already");
    assert_eq!(next(&queue, 1000), Some(3));
}

#[test]
fn a_failed_request_waits_longer_each_time_and_blocks_no_other() {
    let mut queue = queue(1.0);
    queue.push(&record(1, 100));
    queue.push(&record(2, 200));
    let mut now = 1000;
    for delay in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
        queue.postpone(CallId(1).key(100), now, Duration::ZERO);
        assert_eq!(next(&queue, now + delay - 1), Some(2), "{delay}");
        now += delay;
        let due: Vec<UnixSeconds> = queue.due.iter().map(|(due, _)| *due).collect();
        assert_eq!(due, [now]);
    }
    // As long as the vendor asks for.
    queue.remove(CallId(2).key(200));
    queue.push(&record(1, 100));
    queue.postpone(CallId(1).key(100), now, Duration::from_secs(3000));
    assert_eq!(
        (next(&queue, now + 2999), next(&queue, now + 3000)),
        (None, Some(1))
    );
    for _ in 0..100 {
        queue.postpone(CallId(1).key(100), UnixSeconds::MAX, Duration::MAX);
    }
}

#[test]
fn a_clock_that_was_ahead_delays_no_request() {
    let mut queue = queue(1.0);
    for (id, failed_at) in [(1, 1000), (2, 9000), (3, 1000)] {
        queue.push(&record(id, 100));
        queue.postpone(CallId(id).key(100), failed_at, Duration::ZERO);
    }
    assert_eq!(next(&queue, 1001), Some(2));
    queue.postpone(CallId(2).key(100), 1001, Duration::ZERO);
    assert_eq!(next(&queue, 1001), None);
}

#[test]
fn calls_that_leave_the_lookback_are_given_up() {
    let mut queue = queue(1.0);
    for id in 1..=10 {
        queue.push(&record(id, 100 * id as UnixSeconds));
    }
    // Whether they failed or not.
    queue.postpone(CallId(2).key(200), 1000, Duration::ZERO);
    queue.take_changes();
    assert_eq!(
        (queue.expire(100), queue.expire(401), queue.expire(401)),
        (0, 4, 0)
    );
    assert_eq!((queue.len(), queue.take_changes().len()), (6, 4));
    queue.sample(None);
    assert_eq!((queue.len(), queue.take_changes().len()), (0, 6));
}

#[test]
fn what_is_committed_is_restored() {
    let mut queue = queue(1.0);
    // A hash: only the text means something to the vendor.
    let hashed = CallId::parse("call 7").unwrap();
    let mut named = record(hashed.0, 100);
    named.written_id = Some("call 7".into());
    queue.push(&named);
    queue.push(&record(hashed.0 + 1, 100));
    assert_eq!(queue.len(), 1, "a call without a name cannot be requested");
    queue.push(&record(9, 200));
    let committed = queue.take_changes();
    assert!(!queue.has_changes());
    let mut restored = ResultQueue::default();
    for (key, value) in &committed {
        assert!(restored.restore(*key, value.as_ref().unwrap()).is_some());
    }
    restored.sample(Some(1.0));
    assert_eq!(
        restored.next(1000).unwrap(),
        (hashed.key(100), "call 7".to_owned())
    );
    assert!(!restored.has_changes());
    // A commit that failed is repeated, with what has changed since.
    queue.remove(hashed.key(100));
    queue.requeue(&committed);
    let again = queue.take_changes();
    let removed: Vec<bool> = again.iter().map(|(_, value)| value.is_none()).collect();
    assert_eq!(removed, [true, false]);
    for (key, value) in [(hashed.key(1), &b""[..]), (CallId(9).key(1), b"\xff")] {
        assert!(restored.restore(key, value).is_none(), "{value:?}");
    }
}
