//! How many scrapes there may be at once, and what becomes of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::Site;

/// Answers that are compressed at a time; more would only wait for the processor.
const AT_ONCE: usize = 4;

/// The site, and how many scrapes of it are being answered.
pub(super) struct Scrapes<S> {
    pub(super) site: Arc<S>,
    limit: usize,
    running: AtomicUsize,
    /// For making answers smaller. Such work goes on when its client has left, and must not pile up.
    pub(super) compressing: Arc<Semaphore>,
}

impl<S: Site> Scrapes<S> {
    /// A limit of 0 is none.
    pub(super) fn new(site: Arc<S>, limit: usize) -> Self {
        let limit = if limit == 0 { usize::MAX } else { limit };
        Self {
            site,
            limit,
            running: AtomicUsize::new(0),
            compressing: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Room for a scrape, as long as what is returned is kept; `None` if there are too many.
    pub(super) fn begin(&self) -> Option<Turn<'_, S>> {
        self.site.scrape_began();
        let more = |running: usize| (running < self.limit).then_some(running + 1);
        let order = Ordering::Relaxed;
        if self.running.fetch_update(order, order, more).is_err() {
            self.site.scrape_ended(Some(TOO_MANY));
            return None;
        }
        Some(Turn {
            scrapes: self,
            status: None,
        })
    }
}

/// What a scrape is answered for which there is no room.
const TOO_MANY: u16 = 503;

/// A scrape that is being answered. The site is told of its end however that comes: the client of
/// a long one may leave before.
pub(super) struct Turn<'a, S: Site> {
    scrapes: &'a Scrapes<S>,
    status: Option<u16>,
}

impl<S: Site> Turn<'_, S> {
    /// It has been answered with this HTTP status.
    pub(super) fn answered(mut self, status: u16) {
        self.status = Some(status);
    }
}

impl<S: Site> Drop for Turn<'_, S> {
    fn drop(&mut self) {
        self.scrapes.running.fetch_sub(1, Ordering::Relaxed);
        self.scrapes.site.scrape_ended(self.status);
    }
}
