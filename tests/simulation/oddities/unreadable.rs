//! Rows that cannot be read, or that make their page fail.

use std::time::Duration;

use cec_exporter::model::UnixSeconds;
use cec_exporter::puller::plan::Intervals;
use cec_exporter::upstream::ErrorKind;

use cec_exporter::bench::{Bench, settings};
use cec_exporter::listed::{BASE, Call, List, Quirks, add, even};

const SPANS: Intervals = Intervals {
    lookback: 14_400,
    overlap: 600,
    reconcile_interval: 3600,
};

fn bench(calls: Vec<Call>) -> Bench {
    Bench::new(settings(SPANS, 50), List::of(calls))
}

/// Readable calls of the list uploaded since `from`.
fn readable(bench: &Bench, from: UnixSeconds) -> u64 {
    bench.vendor.with(|list| {
        let calls = list
            .calls
            .iter()
            .filter(|call| call.at >= from && call.fault.is_none());
        calls.count() as u64
    })
}

/// Three lookbacks, with a new call every two minutes: at the end everything old has expired.
async fn three_lookbacks(bench: &Bench) -> usize {
    let mut requests = 0;
    for number in 0..360 {
        bench.add_new(5000 + number);
        requests += bench.pull_after(120).await.len();
        bench.assert_up();
    }
    let cutoff = bench.vendor.now() - SPANS.lookback;
    let listed = readable(bench, cutoff);
    assert_eq!(bench.listed(), listed);
    assert!(
        bench.view().snapshot.remembered as u64 <= listed + 2,
        "{:?}",
        bench.view()
    );
    requests
}

#[tokio::test(start_paused = true)]
async fn a_failing_row_costs_only_itself() {
    // One that makes the vendor hang or crash looks like an outage of the vendor or its gateway.
    let outages = [
        ErrorKind::Timeout,
        ErrorKind::Connect,
        ErrorKind::Unavailable,
    ];
    let kinds = [ErrorKind::Server, ErrorKind::Body].map(|kind| (kind, &[20, 200, 399][..]));
    for (kind, places) in kinds
        .into_iter()
        .chain(outages.map(|kind| (kind, &[399][..])))
    {
        for &place in places {
            let mut calls = even(400, 8000);
            calls[place].fault = Some(kind);
            let bench = bench(calls);
            bench.pulls(20).await;
            bench.assert_up();
            assert_eq!(bench.counted(), 399, "{kind:?} {place}");
            assert_eq!(
                (bench.listed(), bench.missing()),
                (399, 0),
                "{kind:?} {place}"
            );
            assert!(bench.own("cec_exporter_windows_unproven_total", None) > 0.0);
            three_lookbacks(&bench).await;
            assert_eq!((bench.counted(), bench.missing()), (399 + 360, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_starts_to_fail_stops_neither_pending_calls_nor_expiry() {
    let mut calls = even(400, 8000);
    // Old enough to be no part of the tail, and waiting for good beside what cannot be read.
    for place in [199, 201, 300] {
        calls[place].status = Call::waiting(0, 0).status;
    }
    let bench = bench(calls);
    bench.pulls(3).await;
    assert_eq!((bench.counted(), bench.in_status("waiting")), (400, 3));
    bench.vendor.with(|list| {
        list.calls[200].fault = Some(ErrorKind::Server);
        list.calls[201].status = Call::done(0, 0).status;
        list.calls[300].status = Call::done(0, 0).status;
    });
    let requests = bench.pulls(20).await;
    bench.assert_up();
    assert_eq!((bench.in_status("waiting"), bench.missing()), (1, 0));
    assert!(requests.len() < 20 * 6, "{}", requests.len());
    three_lookbacks(&bench).await;
    assert_eq!(bench.counted(), 760);
    let expired = bench.samples().sum("cec_calls_expired_total", &[]);
    assert_eq!(expired, 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_call_next_to_a_row_listed_twice_expires() {
    let mut calls = even(400, 8000);
    calls[200].status = Call::waiting(0, 0).status;
    calls[201].copies = 2;
    let bench = bench(calls);
    bench.pulls(3).await;
    bench.assert_up();
    bench.vendor.with(|list| list.calls.remove(200));
    bench.pulls(300).await;
    assert_eq!((bench.missing(), bench.in_status("waiting")), (1, 0));
    three_lookbacks(&bench).await;
    assert_eq!((bench.counted(), bench.missing()), (760, 0));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_becomes_readable_is_read() {
    let mut calls = even(400, 8000);
    calls[300].fault = Some(ErrorKind::Server);
    let bench = bench(calls);
    bench.pulls(20).await;
    assert_eq!(bench.counted(), 399);
    bench.vendor.with(|list| list.calls[300].fault = None);
    bench.pulls(300).await;
    assert_eq!((bench.counted(), bench.listed()), (400, 400));
}

/// To see whether the vendor answers, a window is requested that such vendors do not refuse.
#[tokio::test(start_paused = true)]
async fn a_failing_row_costs_only_itself_whatever_windows_the_vendor_refuses() {
    let refuses_moments = Quirks {
        refuses_moments: true,
        ..Quirks::default()
    };
    let fails_without_calls = Quirks {
        fails_without_calls: true,
        ..Quirks::default()
    };
    for quirks in [refuses_moments, fails_without_calls] {
        let mut calls = even(400, 8000);
        // No call in the last minute.
        calls.retain(|call| call.at < BASE - 60);
        let count = calls.len() as u64;
        calls[200].fault = Some(ErrorKind::Server);
        let at_start = bench(calls.clone());
        at_start.vendor.with(|list| list.quirks = quirks.clone());
        calls[200].fault = None;
        let later = bench(calls);
        later.pulls(3).await;
        later.vendor.with(|list| {
            list.quirks = quirks.clone();
            list.calls[200].fault = Some(ErrorKind::Server);
        });
        for (bench, counted) in [(at_start, count - 1), (later, count)] {
            bench.pulls(20).await;
            bench.assert_up();
            assert_eq!(
                (bench.counted(), bench.missing()),
                (counted, 0),
                "{quirks:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_listed_without_a_usable_time_is_not_missing() {
    let mut calls = even(400, 8000);
    calls[210].status = Call::waiting(0, 0).status;
    let bench = bench(calls);
    bench.pulls(3).await;
    for id in [200_u128, 210] {
        bench.vendor.with(|list| {
            let uuid = uuid::Uuid::from_u128(id);
            let row = format!(r#"{{"call_uuid":"{uuid}","upload_time":null,"status":0}}"#);
            let call = list.calls.iter_mut().find(|call| call.id == id).unwrap();
            call.row = Some(row.into());
        });
    }
    bench.pulls(300).await;
    bench.assert_up();
    assert_eq!((bench.listed(), bench.missing()), (400, 0));
    assert_eq!(bench.in_status("waiting"), 1);
}

/// An inclusive bound of whole seconds excludes the fractions of its second.
#[tokio::test(start_paused = true)]
async fn a_row_is_skipped_although_upload_times_have_fractions() {
    let mut calls = even(400, 8000);
    let at = calls[200].at;
    let with_fraction = Call::done(1001, at);
    let fault = Some(ErrorKind::Server);
    add(
        &mut calls,
        Call {
            fault,
            ..with_fraction
        },
    );
    let bench = bench(calls);
    bench.vendor.with(|list| list.quirks.fractions = true);
    bench.pulls(20).await;
    bench.assert_up();
    assert!(!bench.view().snapshot.skipped.is_empty());
    let requests = bench.pulls(20).await.len();
    assert!(requests < 20 * 6, "{requests}");
    bench
        .vendor
        .with(|list| list.calls.iter_mut().for_each(|call| call.fault = None));
    bench.pulls(300).await;
    assert_eq!((bench.counted(), bench.missing()), (401, 0));
    assert!(bench.view().snapshot.skipped.is_empty());
}

/// A row that makes the vendor hang takes many times the time of a request.
#[tokio::test(start_paused = true)]
async fn new_calls_do_not_wait_for_the_retry_of_a_skipped_window() {
    let mut calls = even(400, 8000);
    calls[200].fault = Some(ErrorKind::Timeout);
    let bench = bench(calls);
    bench.pulls(4).await;
    assert_eq!(bench.counted(), 399);
    tokio::time::sleep(Duration::from_secs(120)).await;
    bench
        .vendor
        .with(|list| list.quirks.latency = Duration::from_secs(10));
    bench.add_new(1000);
    bench.glance(Duration::from_secs(25)).await;
    assert_eq!(bench.counted(), 400);
}

/// As if a second at a time was tried again and again.
#[tokio::test(start_paused = true)]
async fn a_minute_that_cannot_be_read_is_retried_as_soon_as_a_second() {
    let mut calls = even(400, 8000);
    let minute = calls[200].at..calls[200].at + 60;
    for at in minute.clone() {
        add(&mut calls, Call::done(u128::from(at), at));
    }
    let count = calls.len() as u64;
    for call in calls.iter_mut().filter(|call| minute.contains(&call.at)) {
        call.fault = Some(ErrorKind::Server);
    }
    let bench = bench(calls);
    bench.pulls(4).await;
    bench
        .vendor
        .with(|list| list.calls.iter_mut().for_each(|call| call.fault = None));
    bench.pulls(10).await;
    assert_eq!((bench.counted(), bench.missing()), (count, 0));
}

#[tokio::test(start_paused = true)]
async fn an_invalid_value_costs_only_itself() {
    let uuid = "00000000-0000-4000-8000-0000000000ff";
    let at = BASE - 3000;
    let row = |rest: &[u8]| {
        let start =
            format!(r#"{{"call_uuid":"{uuid}","upload_time":{at},"call_type":0,"status":2,"#);
        [start.as_bytes(), rest, b"}"].concat()
    };
    for (rest, measures) in [
        (&br#""duration":NaN"#[..], 1.0),
        (br#""duration":-Infinity,"left_speed":Infinity"#, 2.0),
        (b"\"staff_name\":\"a\x01b\",\"duration\":5", 0.0),
        (b"\"file_name\":\"a\nb\",\"duration\":5", 0.0),
        (b"\"staff_name\":\"\xff\xfe\",\"duration\":5", 0.0),
        (b"\"left_channel\":\"\xff\",\"duration\":5", 0.0),
    ] {
        let mut calls = even(400, 8000);
        add(&mut calls, Call::done(7, at).written(row(rest)));
        let bench = bench(calls);
        bench.pulls(10).await;
        bench.assert_up();
        let what = String::from_utf8_lossy(rest);
        assert_eq!((bench.counted(), bench.missing()), (401, 0), "{what}");
        let rejected = bench.own("cec_exporter_records_rejected_total", None);
        assert_eq!(rejected, measures, "{what}");
        let durations = bench.samples().sum("cec_call_duration_seconds_count", &[]);
        assert_eq!(durations, if measures > 0.0 { 0.0 } else { 1.0 }, "{what}");
    }
}
