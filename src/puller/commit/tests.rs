//! Compaction between pulls.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::*;
use crate::puller::state::TargetState;
use crate::puller::tests::{Scripted, metrics, settings};
use crate::puller::{Clock, Handover, Puller};
use crate::store::{Changes, Store};
use crate::upstream::Page;

/// A store whose compaction lasts until `end` is closed.
struct SlowStore {
    started: mpsc::SyncSender<()>,
    end: Mutex<mpsc::Receiver<()>>,
}

impl Store for SlowStore {
    fn commit(&self, _: &Changes) -> Result<(), StoreError> {
        Ok(())
    }

    fn compact(&self) {
        // Both fail after the test has ended.
        let _ = self.started.send(());
        let _ = self.end.lock().recv();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_runs_after_a_pull_and_delays_no_scrape() {
    let (started, has_started) = mpsc::sync_channel(0);
    let (end, until) = mpsc::channel();
    let store = SlowStore {
        started,
        end: Mutex::new(until),
    };
    let clock: Clock = Arc::new(|| 1_700_000_000);
    let empty = Scripted(|_| {
        Ok(Page {
            total: Some(0),
            ..Page::default()
        })
    });
    let puller = Puller::new(
        settings(),
        empty,
        clock,
        metrics(),
        Handover::opened(TargetState::default(), Arc::new(store)),
        None,
    );

    let timeout = Duration::from_secs(60);
    let first = puller.scrape(Instant::now() + timeout).await;
    assert_eq!(first.up, Some(true), "{:?}", first.last_error);
    tokio::task::spawn_blocking(move || has_started.recv_timeout(timeout).map(|()| has_started))
        .await
        .unwrap()
        .expect("the compaction starts");
    // During the compaction, a scrape is answered at its deadline.
    let second = puller
        .scrape(Instant::now() + Duration::from_millis(50))
        .await;
    assert!(second.snapshot.calls.is_some());
    drop(end);
    let third = puller.scrape(Instant::now() + timeout).await;
    assert_eq!(third.up, Some(true), "{:?}", third.last_error);
    puller.stop().await;
}
