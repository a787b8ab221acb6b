//! Which processing times and listing delays are observed.

use super::*;

/// Number of observed processing times, of observed listing delays, and of unobserved processing
/// times.
fn observations(state: &TargetState) -> [u64; 3] {
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

/// A state with ten pending calls that was last read at `looked_at`.
fn last_read_at(looked_at: Option<UnixSeconds>) -> TargetState {
    let mut state = TargetState::default();
    create_series(&mut state);
    state.progress.complete = true;
    apply(&mut state, (0..10).map(|id| record(id, 0)));
    state.looked_at = looked_at;
    state
}

#[test]
fn times_are_not_observed_after_a_long_break() {
    let then = (0..10)
        .map(|id| record(id, 2))
        .chain((10..15).map(|id| record(id, 0)));
    let then: Vec<Record> = then.collect();
    for (looked_at, expected) in [
        (Some(NOW - 15), [10, 5, 0]),
        (Some(NOW - 300), [10, 5, 0]),
        (Some(NOW - 301), [0, 0, 10]),
        // Until the first lookback is complete, calls were listed before.
        (None, [0, 0, 10]),
        // A clock that stepped back.
        (Some(NOW + 900), [10, 5, 0]),
    ] {
        let mut state = last_read_at(looked_at);
        assert_eq!(observations(&state), [0, 0, 0]);
        apply(&mut state, then.clone());
        assert_eq!(observations(&state), expected, "{looked_at:?}");
    }
    // A break of a few long pull intervals is not an outage.
    let mut state = last_read_at(Some(NOW - 900));
    state.pull_interval = Duration::from_secs(300);
    apply(&mut state, then.clone());
    assert_eq!(observations(&state), [10, 5, 0]);
    // Calls found while a gap is filled were listed before.
    let mut state = last_read_at(Some(NOW - 15));
    state.progress.gap = Some(LOOKBACK);
    apply(&mut state, then);
    assert_eq!(observations(&state), [0, 0, 10]);
}

#[test]
fn nothing_is_observed_of_calls_that_were_not_requested_before() {
    let documented: Vec<Status> = Status::documented().collect();
    let more = [&documented[..], &[Status::from_number(77)]].concat();
    let (voice, both) = ([CallType::VOICE], [CallType::VOICE, CallType::TEXT]);
    for (call_types, statuses, is_new) in [
        (&voice[..], &documented, false),
        (&both, &documented, true),
        (&voice, &more, true),
        (&[], &documented, false),
    ] {
        let (_directory, path, mut state, store) = created();
        state.request(&voice, &documented);
        state.progress.known = Some(LOOKBACK);
        state.looked_at = Some(NOW - 15);
        store.commit(&state.take_changes(NOW).unwrap()).unwrap();
        drop(store);
        let (mut state, _store) = open(&path).unwrap();
        state.request(call_types, statuses);
        // The whole lookback is read again.
        assert_eq!(state.progress.gap, is_new.then_some(LOOKBACK));
        apply(&mut state, (0..10).map(|id| record(id, 0)));
        assert_eq!(observations(&state)[1], if is_new { 0 } else { 10 });
        // Once.
        state.progress.gap = None;
        state.request(call_types, statuses);
        assert_eq!(state.progress.gap, None);
    }
}

#[test]
fn calls_that_were_not_asked_for_are_rejected_once() {
    let mut state = TargetState::default();
    let at = |uploaded| Record {
        uploaded,
        ..record(1, 0)
    };
    let lookback = Window::new(40_000, 60_000);
    for (uploaded, expected) in [(39_990, 0), (36_399, 1), (36_399, 0), (60_001, 0)] {
        let rejected = state.apply(&page([at(uploaded)]), NOW, lookback);
        assert_eq!(
            rejected[Rejection::UploadTime as usize],
            expected,
            "{uploaded}"
        );
    }
    assert!(state.ledger.is_empty());
}

#[test]
fn looked_at_survives_a_restart() {
    let (_directory, path, mut state, store) = created();
    state.looked_at = Some(NOW - 7);
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    assert_eq!(open(&path).unwrap().0.looked_at, Some(NOW - 7));
}

#[test]
fn a_result_is_requested_under_the_identity_that_the_call_has_now() {
    for written in [None, Some("not a UUID")] {
        let mut state = TargetState::default();
        state.count_results(Some((1.0, 10)));
        let unnamed = Record {
            has_uuid: false,
            written_id: Some("c-100".into()),
            ..record(1, 2)
        };
        apply(&mut state, [unnamed.clone()]);
        assert_eq!(state.results.next(NOW).unwrap().1, "c-100");
        let named = Record {
            id: CallId(7),
            has_uuid: true,
            written_id: written.map(Into::into),
            ..unnamed.clone()
        };
        let page = Page {
            renamed: vec![(named.id, unnamed.id)],
            ..page([named.clone()])
        };
        state.apply(&page, NOW, LOOKBACK);
        let (call, requested) = state.results.next(NOW).unwrap();
        assert_eq!(call, named.id.key(named.uploaded));
        let uuid = "00000000-0000-0000-0000-000000000007";
        assert_eq!(requested, written.unwrap_or(uuid));
        state.count_result(call, &Inspection::default());
        state.apply(&page, NOW, LOOKBACK);
        assert_eq!(state.results.next(NOW), None, "counted once");
    }
}

#[test]
fn results_that_are_no_longer_requested_are_forgotten_once_also_after_a_restart() {
    let (_directory, path, mut state, store) = created();
    assert!(!state.count_results(None));
    assert!(!state.count_results(Some((1.0, 10))));
    store.commit(&state.take_changes(NOW).unwrap()).unwrap();
    drop(store);
    let mut state = open(&path).unwrap().0;
    assert!(state.count_results(None) && !state.count_results(None));
}

#[test]
fn values_seen_again_stay_and_the_size_is_limited() {
    let mut set = RecentSet::default();
    assert!(set.insert(u64::MAX) && !set.insert(u64::MAX));
    for value in 0..5 * GENERATION as u64 {
        assert!(set.insert(value));
        assert!(!set.insert(u64::MAX));
        assert!(set.young.len() + set.old.len() <= 2 * GENERATION);
    }
    assert!(set.insert(0), "forgotten long ago");
}
