//! Compaction between pulls.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::puller::state::TargetState;
use crate::puller::tests::{metrics, settings};
use crate::puller::{Clock, Puller};
use crate::store::Changes;
use crate::upstream::{Error, Page, PageRequest};

/// Lists nothing.
struct Empty;

impl Upstream for Empty {
    async fn page(&self, _: PageRequest) -> Result<Page, Error> {
        Ok(Page {
            total: Some(0),
            ..Page::default()
        })
    }
}

/// A store whose compaction takes until it is told to end.
struct Slow {
    begun: mpsc::SyncSender<()>,
    end: Mutex<mpsc::Receiver<()>>,
}

impl Store for Slow {
    fn commit(&self, _: &Changes) -> Result<(), StoreError> {
        Ok(())
    }

    fn compact(&self) {
        // Both fail once the test is over.
        let _ = self.begun.send(());
        let _ = lock(&self.end).recv();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_follows_a_pull_and_holds_no_scrape() {
    let (begun, has_begun) = mpsc::sync_channel(0);
    let (end, is_to_end) = mpsc::channel();
    let store = Slow {
        begun,
        end: Mutex::new(is_to_end),
    };
    let clock: Clock = Arc::new(|| 1_700_000_000);
    let puller = Puller::new(
        settings(),
        Empty,
        clock,
        metrics(),
        TargetState::default(),
        Arc::new(store),
    );

    let patience = Duration::from_secs(60);
    let first = puller.scrape(Instant::now() + patience).await;
    assert_eq!(first.up, Some(true), "{:?}", first.last_error);
    tokio::task::spawn_blocking(move || has_begun.recv_timeout(patience).map(|()| has_begun))
        .await
        .unwrap()
        .expect("it is compacted when nobody waits");
    // While that goes on, a scrape is answered at its deadline with what there is.
    let second = puller
        .scrape(Instant::now() + Duration::from_millis(50))
        .await;
    assert!(second.calls.is_some());
    drop(end);
    let third = puller.scrape(Instant::now() + patience).await;
    assert_eq!(third.up, Some(true), "{:?}", third.last_error);
    puller.stop().await;
}
