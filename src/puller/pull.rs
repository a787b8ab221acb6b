//! One pull: what is new, what has moved, and then, while nobody waits, a comparison of the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::book::Book;
use super::plan::{self, Reconcile};
use super::{Failure, Inner, lock};
use crate::model::{CallId, CallSet, Rejection, UnixSeconds, Window};
use crate::store::Store;
use crate::upstream::paging::{Listing, Need, read_window};
use crate::upstream::{ErrorKind, Filter, Page, Upstream};

/// Pages that one reading may have: what is larger is read in slices, so that little is read again
/// when it breaks off.
const SLICE_PAGES: u64 = 50;
/// How long one pull works on a gap before it ends and leaves the rest to the next.
const GAP_BUDGET: Duration = Duration::from_secs(60);
/// Pending calls that one pull looks after; the others have their turn in the next ones.
const MOST_PENDING: usize = 2000;
/// The largest slice of a comparison, pages.
const MOST_RECONCILE_PAGES: u64 = 10;

/// What a target remembers from pull to pull, but not across a restart.
pub(super) struct Habits {
    /// Seconds of a gap to be read at a time.
    span: UnixSeconds,
    /// The vendor lists the oldest call first.
    oldest_first: bool,
    /// Where among the pending calls the next pull begins.
    pending_from: UnixSeconds,
    reconcile: Option<Reconcile>,
    reconcile_pages: u64,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            span: UnixSeconds::MAX,
            oldest_first: false,
            pending_from: 0,
            reconcile: None,
            reconcile_pages: MOST_RECONCILE_PAGES,
        }
    }
}

/// A pull under way.
pub(super) struct Pull<'a, U, S> {
    inner: &'a Arc<Inner<U, S>>,
    habits: &'a mut Habits,
    now: UnixSeconds,
    /// Calls uploaded in it are taken up; its end is ahead of now by what clocks may differ.
    lookback: Window,
    /// Calls that this pull has read already and that may be pending.
    seen: CallSet,
}

impl<'a, U: Upstream, S: Store> Pull<'a, U, S> {
    pub(super) fn new(inner: &'a Arc<Inner<U, S>>, habits: &'a mut Habits) -> Self {
        let now = (inner.clock)();
        let spans = inner.settings.spans;
        let lookback = Window {
            from: now.saturating_sub(spans.lookback),
            // A second more, for a window is asked for that much wider.
            to: now.saturating_add(spans.overlap).saturating_add(1),
        };
        Self {
            inner,
            habits,
            now,
            lookback,
            seen: CallSet::default(),
        }
    }

    /// Reads what is new and what has moved: the part that scrapes wait for.
    pub(super) async fn fresh(&mut self) -> Result<(), Failure> {
        let spans = self.inner.settings.spans;
        let first = self.book(|book| book.progress.known.is_none());
        let tail = self.book(|book| {
            book.ledger.keep_from(self.lookback.from);
            book.progress.begin(self.now, spans)
        });
        if first {
            // What was uploaded before the first pull's lookback is not counted, whatever the
            // lookback may be later.
            self.book(|book| {
                book.ledger.close_before(self.lookback.from);
                book.counted_from = Some(self.lookback.from);
            });
        }
        if let Some(tail) = tail {
            self.tail(tail).await?;
        }
        self.gap().await?;
        if self.book(|book| book.progress.gap).is_none() {
            self.pending().await?;
            self.book(|book| {
                book.expire(self.lookback.from);
                book.progress.complete = true;
                book.looked_at = Some(self.now);
            });
        }
        self.inner.commit().await
    }

    /// What was uploaded since the last pull, and what appeared late.
    async fn tail(&mut self, tail: Window) -> Result<(), Failure> {
        // Newest first, the new calls are on the first page and the total proves that there are no
        // others. Oldest first, the new ones have to be asked for by themselves.
        let known = self
            .book(|book| book.progress.known)
            .map_or(tail.from, |known| known.to);
        let windows = match self.habits.oldest_first && tail.from < known && known < tail.to {
            true => vec![
                Window {
                    from: known,
                    to: tail.to,
                },
                Window {
                    from: tail.from,
                    to: known,
                },
            ],
            false => vec![tail],
        };
        for window in windows {
            if !self.catch_up(window).await? {
                self.book(|book| book.progress.widen_gap(window));
            }
        }
        let spans = self.inner.settings.spans;
        self.book(|book| book.progress.reached(self.now, spans));
        self.inner.commit().await
    }

    /// What was never read, slice by slice, as long as the budget lasts.
    async fn gap(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        while let Some(gap) = self.book(|book| book.progress.gap) {
            if began.elapsed() > GAP_BUDGET {
                return Ok(());
            }
            let slice = plan::slice(gap, self.habits.span);
            if self.catch_up(slice).await? {
                self.book(|book| book.progress.filled_to(slice.to));
                self.inner.commit().await?;
            }
        }
        Ok(())
    }

    /// Reads a window until the ledger knows as many calls of it as the vendor. Answers whether it
    /// came to that: a window that holds far more is left for slices.
    async fn catch_up(&mut self, window: Window) -> Result<bool, Failure> {
        let most = SLICE_PAGES * u64::from(self.inner.size.get());
        let length = (window.to - window.from).saturating_add(1);
        let mut left = false;
        let mut oldest_first = None;
        let mut seen = Vec::new();
        let parallel = self.inner.settings.parallel;
        // A second wider, for the vendor does not say whether its bounds belong to the window.
        // But not older than the lookback: such a call would not be taken up.
        let mut asked = plan::padded(window);
        asked.from = asked.from.max(self.lookback.from);
        let listing = self
            .read(asked, Filter::All, parallel, |book, page, total| {
                if oldest_first.is_none() {
                    oldest_first = Some(is_oldest_first(page));
                }
                // Of a million that have come to rest, nothing needs to be remembered here.
                let pending = page
                    .records
                    .iter()
                    .filter(|record| !record.status.is_final());
                seen.extend(pending.map(|record| record.id));
                let Some(total) = total else {
                    return Need::More;
                };
                let known = book.ledger.count_present(asked);
                left = length > 1 && total.saturating_sub(known) > most;
                if left || total == known {
                    Need::Enough
                } else {
                    Need::More
                }
            })
            .await?;
        self.seen.extend(seen);
        let total = listing.total.unwrap_or(listing.seen.len() as u64);
        if total > u64::from(self.inner.size.get()) {
            self.habits.oldest_first = oldest_first.unwrap_or(false);
        }
        // Half of what one reading may have, so that a busier hour ahead still fits.
        self.habits.span = plan::next_span(length, total, most / 2);
        Ok(!left)
    }

    /// Where the calls went that were not final and that this pull has not read yet.
    async fn pending(&mut self) -> Result<(), Failure> {
        let mut pending = self.book(|book| book.ledger.pending());
        pending.retain(|(_, id)| !self.seen.contains(id));
        let begin = pending.partition_point(|(at, _)| *at < self.habits.pending_from);
        let begin = if begin == pending.len() { 0 } else { begin };
        pending.drain(..begin);
        self.habits.pending_from = match pending.get(MOST_PENDING) {
            Some((at, _)) => *at,
            None => 0,
        };
        pending.truncate(MOST_PENDING);
        let (Some((first, _)), Some((last, _))) = (pending.first(), pending.last()) else {
            return Ok(());
        };
        let window = plan::padded(Window {
            from: *first,
            to: *last,
        });
        let page_size = u64::from(self.inner.size.get());
        let hint_pages = plan::pages(pending.len() as u64, page_size);
        let mut windows = self.cover(&pending);
        let cost: u64 = windows.iter().map(|window| self.pages(*window)).sum();
        if cost > hint_pages {
            // A call that this list shows has not rested yet; only the others are looked for.
            let parallel = self.inner.settings.parallel;
            let hint = self
                .read(window, Filter::Pending, parallel, |_, _, _| Need::More)
                .await?;
            pending.retain(|(_, id)| !hint.seen.contains(id));
            windows = self.cover(&pending);
        }
        for window in windows {
            let begin = pending.partition_point(|(at, _)| *at < window.from);
            let end = pending.partition_point(|(at, _)| *at <= window.to);
            let mut wanted: CallSet = pending[begin..end].iter().map(|(_, id)| *id).collect();
            self.read(window, Filter::All, 1, |_, page, _| {
                for record in &page.records {
                    wanted.remove(&record.id);
                }
                if wanted.is_empty() {
                    Need::Enough
                } else {
                    Need::More
                }
            })
            .await?;
        }
        Ok(())
    }

    fn cover(&self, pending: &[(UnixSeconds, CallId)]) -> Vec<Window> {
        let times: Vec<UnixSeconds> = pending.iter().map(|(at, _)| *at).collect();
        let page_size = u64::from(self.inner.size.get());
        self.book(|book| {
            plan::cover(&times, page_size, |window| {
                book.ledger.count_present(window)
            })
        })
    }

    fn pages(&self, window: Window) -> u64 {
        let rows = self.book(|book| book.ledger.count_present(window));
        plan::pages(rows, u64::from(self.inner.size.get()))
    }

    /// Compares what is due of the whole lookback, until it is done or dropped. It never delays the
    /// tail: whoever wants a pull drops this first, and what was compared so far holds.
    pub(super) async fn reconcile(&mut self) -> Result<(), Failure> {
        let spans = self.inner.settings.spans;
        let mut wanted = self.inner.wanted.subscribe();
        loop {
            let now = (self.inner.clock)();
            let Some(known) =
                self.book(|book| book.progress.known.filter(|_| book.progress.gap.is_none()))
            else {
                return Ok(());
            };
            let known = Window {
                from: known.from.max(now.saturating_sub(spans.lookback)),
                to: known.to,
            };
            // A pull that took longer than the lookback: what it knew by its beginning has left.
            if known.from > known.to {
                return Ok(());
            }
            let mut reconcile = match self.habits.reconcile {
                Some(reconcile) => reconcile.current(now, known, spans),
                None => Reconcile::new(now, known),
            };
            self.habits.reconcile = Some(reconcile);
            let page_size = u64::from(self.inner.size.get());
            let most = self.habits.reconcile_pages * page_size;
            let slice = self.book(|book| {
                reconcile.slice(now, spans, page_size, most, |window| {
                    book.ledger.count_present(window)
                })
            });
            let Some(slice) = slice else { return Ok(()) };
            // Held against a drop: a slice that was too large to be read between two scrapes is
            // tried again with half of its size.
            let pages = self.habits.reconcile_pages;
            self.habits.reconcile_pages = (pages / 2).max(1);
            let parallel = self.inner.settings.parallel;
            let asked = plan::padded(slice);
            let read = tokio::select! {
                read = self.read(asked, Filter::All, parallel, |_, _, _| Need::More) => read,
                _ = wanted.wait_for(|wanted| *wanted) => return Ok(()),
            };
            self.habits.reconcile_pages = (pages * 2).min(MOST_RECONCILE_PAGES);
            match read {
                Ok(_) => {}
                // One window that does not add up must not keep the others from being compared.
                Err(Failure::Upstream(error)) if error.kind == ErrorKind::Paging => {
                    warn!(target = %self.inner.settings.name, %error, "a part of the lookback could not be compared");
                    self.inner.compared_badly(&error.into());
                }
                Err(error) => return Err(error),
            }
            reconcile.done(slice);
            self.habits.reconcile = Some(reconcile);
            self.inner.commit().await?;
        }
    }

    /// Reads a window, takes up its pages as they come, and marks what a whole reading of it did
    /// not show. `need` sees each page after it was taken up.
    async fn read(
        &self,
        window: Window,
        filter: Filter,
        parallel: usize,
        mut need: impl FnMut(&Book, &Page, Option<u64>) -> Need,
    ) -> Result<Listing, Failure> {
        let inner = &**self.inner;
        // What has been forgotten must not be heard of again, not even at the edge of a window.
        let forgotten_before = self.book(|book| book.ledger.forgotten_before());
        let window = Window {
            from: window.from.max(forgotten_before),
            to: window.to,
        };
        let take = |page: Page, total| {
            let now = (inner.clock)();
            let mut book = lock(&inner.book);
            let rejected = book.take(&page, now, self.lookback);
            for (reason, count) in Rejection::ALL.iter().zip(rejected) {
                if count > 0 {
                    inner.metrics.reject(&reason.to_string(), count);
                }
            }
            need(&book, &page, total)
        };
        if window.from > window.to {
            return Ok(Listing::default());
        }
        let listing =
            read_window(&inner.upstream, window, filter, &inner.size, parallel, take).await?;
        debug!(target = %inner.settings.name, from = window.from, to = window.to, ?filter,
            calls = listing.seen.len(), whole = listing.whole, "read");
        if listing.whole
            && let Some(window) = plan::proven(window)
        {
            self.book(|book| book.mark_missing(window, &listing.seen));
        }
        Ok(listing)
    }

    fn book<T>(&self, with: impl FnOnce(&mut Book) -> T) -> T {
        with(&mut lock(&self.inner.book))
    }
}

fn is_oldest_first(page: &Page) -> bool {
    match (page.records.first(), page.records.last()) {
        (Some(first), Some(last)) => first.uploaded < last.uploaded,
        _ => false,
    }
}
