//! A comparison of the lookback that fails: nobody waits for it, but it is seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cec_exporter::puller::View;
use cec_exporter::puller::plan::Intervals;
use serde_json::json;
use tokio::time::Instant;

use crate::support::PATIENCE;
use crate::support::pulled::puller;
use crate::support::scripted_vendor::{Reply, Vendor};

const BEGIN: u32 = 1_700_000_000;
const HOUR: u32 = 3600;

/// The list of no call at all; once all of it is to be compared, pages that go back further than the
/// recent ones are answered as it says. Answers with what is published `then`.
async fn view_after(failing: Reply, then: impl Fn(&View) -> bool) -> View {
    let oldest = Arc::new(AtomicU32::new(0));
    let limit = Arc::clone(&oldest);
    let failed = Arc::new(AtomicU32::new(0));
    let failures = Arc::clone(&failed);
    let vendor = Vendor::start(move |seen, _| {
        if seen.is_token() {
            return Reply::ok(json!({ "AccessToken": "t", "Expires": "86400" }).to_string());
        }
        let asked: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        match asked["upload_from"].as_u64() < Some(limit.load(Ordering::SeqCst).into()) {
            true => {
                failures.fetch_add(1, Ordering::SeqCst);
                failing.clone()
            }
            false => Reply::ok(json!({ "data": [], "paging": { "total": 0 } }).to_string()),
        }
    })
    .await;
    let intervals = Intervals {
        lookback: 2 * HOUR,
        overlap: 600,
        reconcile_interval: HOUR,
    };
    let now = Arc::new(AtomicU32::new(BEGIN));
    let clock = Arc::clone(&now);
    let clock = Arc::new(move || clock.load(Ordering::SeqCst));
    let puller = puller("a", &vendor.endpoint(), intervals, clock);
    let deadline = Instant::now() + PATIENCE;
    let view = puller.scrape(deadline).await;
    assert_eq!((view.up, view.last_error), (Some(true), None));
    // By now all of the lookback is due. What is new goes back no further than the overlap.
    now.store(BEGIN + HOUR, Ordering::SeqCst);
    oldest.store(BEGIN - HOUR / 2, Ordering::SeqCst);
    let view = puller.scrape(deadline).await;
    assert_eq!(view.up, Some(true));
    loop {
        let view = puller.view();
        if failed.load(Ordering::SeqCst) > 0 && then(&view) {
            puller.stop().await;
            return view;
        }
        assert!(Instant::now() < deadline, "{view:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_comparison_that_fails_is_shown_and_the_target_stays_up() {
    let view = view_after(Reply::status(403, "<html></html>"), |view| {
        view.last_error.is_some()
    })
    .await;
    let (at, failure) = view.last_error.unwrap();
    assert_eq!((view.up, at), (Some(true), BEGIN + HOUR));
    assert!(failure.message.contains("answered 403"), "{failure}");
    let cause = failure.likely_cause.as_ref().unwrap();
    assert!(cause.contains("allow list"), "{cause}");
}

/// Where no call is known or listed, a total of one may count a call twice: it is no failure, and
/// the comparison comes to its end.
#[tokio::test]
async fn a_total_of_one_beside_an_empty_list_stops_nothing() {
    let off = json!({ "data": [], "paging": { "total": 1 } });
    let view = view_after(Reply::ok(off.to_string()), |view| {
        view.snapshot.progress.reconciled == Some(BEGIN)
    })
    .await;
    assert_eq!((view.up, view.last_error), (Some(true), None));
    assert_eq!(view.snapshot.skipped, []);
}
