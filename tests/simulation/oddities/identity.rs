//! Identity or upload time of a call change.

use cec_exporter::model::UnixSeconds;
use cec_exporter::puller::plan::Intervals;
use cec_exporter::upstream::ErrorKind;

use cec_exporter::bench::{Bench, settings};
use cec_exporter::listed::{BASE, Call, List, add, even};

const SPANS: Intervals = Intervals {
    lookback: 14_400,
    overlap: 600,
    reconcile_interval: 600,
};
const UUID: &str = "6f1c7f3e-2f5a-4d0e-9a53-0123456789ab";

fn row(uuid: Option<&str>, id: &str, at: UnixSeconds, status: u8) -> String {
    let uuid = uuid.map_or_else(|| "null".into(), |uuid| format!("\"{uuid}\""));
    format!(
        r#"{{"call_uuid":{uuid},"call_id":{id},"call_type":0,"status":{status},"upload_time":{at},"duration":5}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_uuid_that_appears_later_does_not_add_a_call() {
    for id in ["\"call-17\"", "17", &format!("\"{UUID}\"")] {
        for at in [BASE - 100, BASE - 5000] {
            let mut calls = even(400, 8000);
            add(
                &mut calls,
                Call::waiting(9000, at).written(row(None, id, at, 0)),
            );
            let mut bench = Bench::new(settings(SPANS, 100), List::of(calls));
            bench.pulls(3).await;
            assert_eq!(
                (bench.counted(), bench.in_status("waiting")),
                (401, 1),
                "{id}"
            );
            let become_ = |status: u8, call: Call| {
                let row = row(Some(UUID), id, at, status);
                bench.vendor.with(|list| {
                    list.calls.retain(|call| call.id != 9000);
                    add(&mut list.calls, call.written(row));
                });
            };
            become_(3, Call::new(9000, at, 3));
            bench.pulls(3).await;
            bench.assert_up();
            assert_eq!((bench.counted(), bench.listed()), (401, 401), "{id}");
            become_(2, Call::done(9000, at));
            bench.pulls(100).await;
            bench.restart().await;
            bench.pulls(60).await;
            bench.assert_up();
            assert_eq!((bench.counted(), bench.listed()), (401, 401), "{id}");
            assert_eq!(
                (bench.missing(), bench.in_status("succeeded")),
                (0, 401),
                "{id}"
            );
            let durations = bench.samples().sum("cec_call_duration_seconds_count", &[]);
            assert_eq!(durations, 1.0, "{id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_upload_time_does_not_add_a_call() {
    for (before, after, status) in [
        (BASE - 5000, BASE - 4000, 2),
        (BASE - 5000, BASE - 9000, 2),
        (BASE - 100, BASE - 2000, 0),
        (BASE - 2000, BASE - 50, 0),
        // From one end of the lookback to the other.
        (BASE - 14_000, BASE - 10, 2),
    ] {
        let what = format!("{before} -> {after}");
        let mut calls = even(400, 8000);
        add(&mut calls, Call::new(9000, before, status));
        let bench = Bench::new(settings(SPANS, 100), List::of(calls));
        bench.pulls(3).await;
        assert_eq!(bench.counted(), 401, "{what}");
        bench.vendor.with(|list| {
            list.calls.retain(|call| call.id != 9000);
            add(&mut list.calls, Call::new(9000, after, status));
        });
        for _ in 0..100 {
            bench.pull_after(15).await;
            bench.assert_up();
            // Until reconciliation finds it at its new time, it may be missing at the old one.
            assert_eq!(bench.counted(), 401, "{what}");
            assert!(bench.missing() <= 1, "{what}");
        }
        assert_eq!(bench.missing(), 0, "{what}");
        // Until it has left the lookback by both times.
        for _ in 0..60 {
            bench.pull_after(240).await;
            let cutoff = bench.vendor.now() - SPANS.lookback;
            let listed = bench.vendor.with(|list| {
                let inside = list.calls.iter().filter(|call| call.at >= cutoff);
                inside.count() as u64
            });
            assert_eq!((bench.counted(), bench.missing()), (401, 0), "{what}");
            assert!(bench.listed().abs_diff(listed) <= 1, "{what}");
        }
        assert_eq!(bench.view().snapshot.remembered, 0, "{what}");
    }
}

/// Removes the identity of a row, which keeps its upload time.
fn without_identity(call: &mut Call) {
    let row = format!(r#"{{"upload_time":{},"status":2}}"#, call.at);
    call.row = Some(row.into());
}

#[tokio::test(start_paused = true)]
async fn a_row_without_an_identity_may_be_any_call_of_its_second() {
    let bench = Bench::new(settings(SPANS, 50), List::of(even(400, 8000)));
    bench.pulls(3).await;
    bench.vendor.with(|list| {
        list.calls[200..210].iter_mut().for_each(without_identity);
        // Deleted, one of them beside the others.
        list.calls.remove(215);
        list.calls.remove(100);
    });
    bench.pulls(300).await;
    bench.assert_up();
    assert_eq!((bench.listed(), bench.missing()), (398, 2));
}

#[tokio::test(start_paused = true)]
async fn a_list_without_any_usable_row_is_a_failure_until_it_can_be_read() {
    for (known, at_once) in [(400, 0), (0, 30)] {
        let bench = Bench::new(settings(SPANS, 50), List::of(even(known, 8000)));
        if known > 0 {
            bench.pulls(3).await;
        }
        for id in 0..at_once {
            bench.add_new(5000 + id);
        }
        let change = |change: fn(&mut Call)| {
            bench
                .vendor
                .with(|list| list.calls.iter_mut().for_each(change));
        };
        change(without_identity);
        for id in 0..20 {
            bench.add_new(9000 + id);
            change(without_identity);
            bench.pull_after(60).await;
        }
        assert_eq!(bench.view().up, Some(false), "{known}");
        let (_, error) = bench.view().last_error.unwrap();
        assert_eq!(error.kind, ErrorKind::Body, "{known}: {error}");
        assert_eq!((bench.counted(), bench.missing()), (known.into(), 0));
        change(|call| call.row = None);
        bench.pulls(100).await;
        bench.assert_up();
        let all = u64::from(known) + at_once as u64 + 20;
        assert_eq!((bench.counted(), bench.missing()), (all, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn pending_calls_show_that_the_format_has_changed_although_no_call_is_new() {
    let mut calls = even(400, 8000);
    for call in calls[100..].iter_mut().step_by(20) {
        call.status = Call::waiting(0, 0).status;
    }
    let bench = Bench::new(settings(SPANS, 50), List::of(calls));
    bench.pulls(3).await;
    bench.pull_after(2 * SPANS.overlap).await;
    bench
        .vendor
        .with(|list| list.calls.iter_mut().for_each(without_identity));
    bench.pulls(10).await;
    assert_eq!(bench.view().up, Some(false));
    assert_eq!((bench.counted(), bench.missing()), (400, 0));
}

/// Those of one second, beside calls that can be read.
#[tokio::test(start_paused = true)]
async fn odd_rows_alone_in_the_recent_window_are_no_failure() {
    let bench = Bench::new(settings(SPANS, 50), List::of(even(400, 8000)));
    bench.pulls(3).await;
    bench.pull_after(SPANS.overlap + 60).await;
    for id in 0..30 {
        bench.add_new(5000 + id);
    }
    bench.vendor.with(|list| {
        let odd = list.calls.iter_mut().filter(|call| call.id >= 5000);
        odd.for_each(without_identity);
    });
    bench.pull_after(60).await;
    bench.assert_up();
    bench.add_new(9000);
    bench.pull_after(60).await;
    assert_eq!((bench.counted(), bench.missing()), (401, 0));
}
