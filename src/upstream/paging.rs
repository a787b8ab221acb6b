//! From pages to a whole window: when there is another page to ask for, and when all is read.
//!
//! The vendor does not say whether `limit` counts groups or calls, nor whether it is clamped, so
//! no number of pages can be computed. What counts is the number of distinct calls seen against
//! the vendor's own total.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{Error, ErrorKind, Filter, Page, PageRequest, Upstream};
use crate::model::{CallSet, Window};

/// Rows to ask for a page; shrinks when the vendor refuses it, and stays so.
#[derive(Debug)]
pub struct PageSize(AtomicU32);

/// A smaller limit than this is no longer worth a try.
const SMALLEST_LIMIT: u32 = 10;
/// Pages in a row without a new call after which a list is taken to go round in circles.
const STALE_PAGES: u32 = 3;
/// More pages than any window has: the vendor's answers alone must not keep a read going for ever.
const MOST_PAGES: u32 = 1_000_000;

impl PageSize {
    /// Starts from the configured size.
    pub fn new(rows: u32) -> Self {
        Self(AtomicU32::new(rows))
    }

    /// The size that is in use.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    fn keep(&self, rows: u32) {
        self.0.store(rows, Ordering::Relaxed);
    }
}

/// Whether a page was the last one that is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Read on to the end of the list.
    More,
    /// What was wanted is there.
    Enough,
}

/// What a list showed.
#[derive(Debug, Default)]
pub struct Listing {
    /// The calls.
    pub seen: CallSet,
    /// The vendor's number of calls in the window, where it gave one.
    pub total: Option<u64>,
    /// Whether the list was read so that a call it did not show is not there.
    pub whole: bool,
}

/// Reads a window to its end, up to `parallel` pages at a time.
///
/// `take` is handed each page as it comes, with the total so far, and may end the reading.
///
/// # Errors
///
/// Those of the upstream; and [`ErrorKind::Paging`] where two full passes did not come to the
/// list's own total. Pages taken before an error are good all the same.
pub async fn read_window<U: Upstream>(
    upstream: &U,
    window: Window,
    filter: Filter,
    size: &PageSize,
    parallel: usize,
    mut take: impl FnMut(Page, Option<u64>) -> Need,
) -> Result<Listing, Error> {
    let mut last = read_pass(upstream, window, filter, size, parallel, &mut take).await?;
    if filter == Filter::All && !last.enough && !last.is_whole() {
        last = read_pass(upstream, window, filter, size, parallel, &mut take).await?;
        if !last.enough && !last.is_whole() {
            return Err(Error {
                kind: ErrorKind::Paging,
                message: format!(
                    "the list of calls from {} to {} says it holds {}, but two readings to its \
                     end found {} (and {} unusable rows)",
                    window.from,
                    window.to,
                    last.total.unwrap_or_default(),
                    last.seen.len(),
                    last.unusable,
                ),
                likely_cause: Some(
                    "calls are changing faster than they can be read, or the vendor's total is \
                     wrong"
                        .into(),
                ),
                retry_after: None,
            });
        }
    }
    let whole = filter == Filter::All && !last.enough && last.is_proof();
    Ok(Listing {
        seen: last.seen,
        total: last.total,
        whole,
    })
}

async fn read_pass<U: Upstream>(
    upstream: &U,
    window: Window,
    filter: Filter,
    size: &PageSize,
    parallel: usize,
    take: &mut impl FnMut(Page, Option<u64>) -> Need,
) -> Result<Pass, Error> {
    let (first, limit) = first_page(upstream, window, filter, size).await?;
    let mut pass = Pass::default();
    let mut accept = |pass: &mut Pass, page: Page| {
        pass.answered(&page);
        pass.enough = take(page, pass.total) == Need::Enough;
        pass.enough
    };
    pass.next_page();
    if accept(&mut pass, first) {
        return Ok(pass);
    }
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < parallel.max(1) && pass.wants_another() {
            let page = pass.next_page();
            in_flight.push(upstream.page(PageRequest {
                window,
                filter,
                page,
                limit,
            }));
        }
        match in_flight.next().await {
            Some(page) => {
                if accept(&mut pass, page?) {
                    return Ok(pass);
                }
            }
            None => return Ok(pass),
        }
    }
}

/// The first page, with the limit halved as long as the vendor refuses it; and the limit that
/// worked.
///
/// # Errors
///
/// Those of the upstream; that of the smallest limit where every one is refused.
pub async fn first_page<U: Upstream>(
    upstream: &U,
    window: Window,
    filter: Filter,
    size: &PageSize,
) -> Result<(Page, u32), Error> {
    let mut limit = size.get();
    loop {
        match upstream
            .page(PageRequest {
                window,
                filter,
                page: 1,
                limit,
            })
            .await
        {
            Ok(page) => {
                size.keep(limit);
                return Ok((page, limit));
            }
            Err(error) if error.kind == ErrorKind::BadRequest && limit > SMALLEST_LIMIT => {
                limit = (limit / 2).max(SMALLEST_LIMIT);
                tracing::warn!(limit, %error, "request refused; trying a smaller page_size");
            }
            Err(error) => return Err(error),
        }
    }
}

/// One reading of a list from its first page on. Pure: pages in, decisions out.
#[derive(Default, Debug)]
struct Pass {
    seen: CallSet,
    unusable: u64,
    /// The largest total that any page named: a row that left while others were read makes the
    /// total smaller and pushes a row to a page that was read already.
    total: Option<u64>,
    /// Calls on the first page: what a further page is expected to bring.
    per_page: u64,
    asked: u32,
    answered: u32,
    stale: u32,
    /// An empty page was seen.
    ended: bool,
    /// A row came twice or the total changed: the list moved while it was read.
    moved: bool,
    /// The reader has what it wanted.
    enough: bool,
}

impl Pass {
    fn next_page(&mut self) -> u32 {
        self.asked += 1;
        self.asked
    }

    fn answered(&mut self, page: &Page) {
        let before = self.seen.len();
        self.seen
            .extend(page.records.iter().map(|record| record.id));
        let repeated = self.seen.len() - before < page.records.len();
        let changed = self.answered > 0 && page.total != self.total;
        self.moved |= repeated || changed;
        self.unusable += page.unusable();
        self.total = self.total.max(page.total);
        self.answered += 1;
        self.ended |= page.is_empty();
        self.stale = if self.seen.len() > before {
            0
        } else {
            self.stale + 1
        };
        if self.answered == 1 {
            self.per_page = (page.records.len() as u64).max(1);
        }
    }

    /// Whether the distinct calls have come to the total.
    fn reached_total(&self) -> bool {
        self.total
            .is_some_and(|total| self.seen.len() as u64 >= total)
    }

    /// Whether a further page should be asked for while the others are under way: only as many as
    /// the total makes likely, for a request too many on each pull is a request too many.
    fn wants_another(&self) -> bool {
        if self.ended
            || self.reached_total()
            || self.stale >= STALE_PAGES
            || self.asked >= MOST_PAGES
        {
            return false;
        }
        let under_way = u64::from(self.asked - self.answered);
        let expected = self.seen.len() as u64 + under_way.saturating_mul(self.per_page);
        under_way == 0 || self.total.is_some_and(|total| expected < total)
    }

    /// Whether all that the list holds was seen.
    fn is_whole(&self) -> bool {
        match self.total {
            Some(total) => self.seen.len() as u64 + self.unusable >= total,
            None => self.ended,
        }
    }

    /// Whether a call that was not seen is not there. Unusable rows may or may not be part of the
    /// total, so with them a call can be lacking that slipped between two pages, unless the list
    /// stood still.
    fn is_proof(&self) -> bool {
        self.reached_total() || (self.is_whole() && !self.moved)
    }
}

#[cfg(test)]
mod tests;
