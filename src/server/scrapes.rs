//! How many scrapes there may be at once, how many of them may wait, and what becomes of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::shared::Shared;
use super::{Settings, Site};

/// Answers that are compressed at a time; more would only wait for the processor.
const AT_ONCE: usize = 4;

/// Scrapes that wait for pulls at a time. Each holds a connection for as long as its client likes,
/// and a vendor that hangs must not take them all. Enough for any number of Prometheus servers.
const WAITING: usize = 64;

/// Reloads that wait at a time. They share results, so that this is for clients and not for work.
const RELOADING: usize = 64;

/// The site, and how many scrapes of it are being answered.
pub(super) struct Scrapes<S> {
    pub(super) site: Arc<S>,
    limit: usize,
    running: AtomicUsize,
    waiting: Semaphore,
    /// The answers of those that do not wait.
    pub(super) at_once: Shared,
    reloading: Semaphore,
    /// For making answers smaller. Such work goes on when its client has left, and must not pile up.
    pub(super) compressing: Arc<Semaphore>,
}

impl<S: Site> Scrapes<S> {
    pub(super) fn new(site: Arc<S>, settings: &Settings) -> Self {
        let limit = match settings.max_requests {
            0 => usize::MAX,
            limit => limit,
        };
        Self {
            site,
            limit,
            running: AtomicUsize::new(0),
            waiting: Semaphore::new(WAITING),
            at_once: Shared::default(),
            reloading: Semaphore::new(RELOADING),
            compressing: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Lets a scrape wait for pulls, as long as what is returned is kept; `None` if so many wait
    /// that this one is to be answered with what is complete.
    pub(super) fn may_wait(&self) -> Option<SemaphorePermit<'_>> {
        self.waiting.try_acquire().ok()
    }

    /// Lets a reload wait for its turn; `None` if too many do.
    pub(super) fn may_reload(&self) -> Option<SemaphorePermit<'_>> {
        self.reloading.try_acquire().ok()
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
