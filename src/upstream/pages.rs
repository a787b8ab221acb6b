//! The pages of one window, as an iterator that the caller drives.
//!
//! The number of pages cannot be computed: `limit` may count groups or calls, and the total may
//! always be wrong. So a list ends with a page that is empty or repeats earlier ones, or with one that
//! is smaller than others while the total agrees, or much smaller. The total only saves the request for
//! an empty page, or causes one more.

mod pass;

use std::pin::Pin;

use futures_util::stream::{FuturesOrdered, StreamExt};

pub use pass::{End, ListHints, Pass, Verdict};

use super::{Error, Filter, Page, PageRequest, Upstream, page_size};
use crate::model::Window;
use pass::Total;

/// Consecutive pages without a new call after which a list is considered circular.
const STALE_PAGES: u32 = 3;
/// An empty page after fewer full pages is not a sign of a limit on the paging depth.
const DEEP_PAGES: u32 = 10;

type PageFuture<'a> = Pin<Box<dyn Future<Output = Result<Page, Error>> + Send + 'a>>;

/// Reads a window page by page; reads a few pages ahead if the total makes them likely.
pub struct Pages<'a, U> {
    upstream: &'a U,
    parallel: usize,
    hints: &'a mut ListHints,
    /// Rows per page where the caller needs only a few.
    few: Option<u32>,
    /// For the last page requested; page 0 before the first.
    request: PageRequest,
    in_flight: FuturesOrdered<PageFuture<'a>>,
    pass: Pass,
    /// Rows and groups of the last page, if it was not full and another one was requested anyway.
    partial: Option<(u64, u32)>,
    last_was_full: bool,
    /// Consecutive pages without a new call.
    stale: u32,
}

impl<'a, U: Upstream> Pages<'a, U> {
    /// Sends no request yet.
    pub fn new(
        upstream: &'a U,
        window: Window,
        filter: Filter,
        parallel: usize,
        hints: &'a mut ListHints,
    ) -> Self {
        Self {
            upstream,
            parallel: parallel.max(1),
            hints,
            few: None,
            request: PageRequest {
                window,
                filter,
                page: 0,
                limit: 0,
            },
            in_flight: FuturesOrdered::new(),
            pass: Pass::default(),
            partial: None,
            last_was_full: false,
            stale: 0,
        }
    }

    /// Requests at most `rows` per page, for a caller that expects to need only the first ones.
    /// Nothing is learned about the vendor's limits from such pages.
    pub fn few(mut self, rows: u32) -> Self {
        self.few = Some(rows).filter(|rows| *rows < self.hints.size.get());
        self
    }

    /// Starts again with whole pages if fewer rows were requested so far and more are needed.
    pub fn whole(self) -> Self {
        match self.few {
            Some(_) if !self.is_at_end() => {
                let PageRequest { window, filter, .. } = self.request;
                Self::new(self.upstream, window, filter, self.parallel, self.hints)
            }
            _ => self,
        }
    }

    /// The next page that has rows; `None` at the end of the list.
    ///
    /// # Errors
    ///
    /// Those of the upstream. Earlier pages remain valid.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        if self.is_at_end() {
            return Ok(None);
        }
        let page = if self.request.page == 0 {
            self.request.page = 1;
            self.first().await?
        } else {
            self.request_ahead();
            match self.in_flight.next().await {
                Some(page) => page?,
                None => return Ok(None),
            }
        };
        self.pass.end = self.add(&page);
        Ok((!page.is_empty()).then_some(page))
    }

    /// Requests one page at a time from here on.
    pub fn read_no_more_ahead(&mut self) {
        self.parallel = 1;
    }

    /// A page that was requested ahead and is no longer needed. Its calls may have left the list by
    /// the next reading, so they are worth recording.
    pub async fn next_in_flight(&mut self) -> Option<Page> {
        loop {
            if let Ok(page) = self.in_flight.next().await? {
                return Some(page);
            }
        }
    }

    pub fn into_pass(self) -> Pass {
        self.pass
    }

    /// What has been read so far.
    pub fn pass(&self) -> &Pass {
        &self.pass
    }

    /// The `limit` of the requests.
    pub fn limit(&self) -> u32 {
        self.request.limit
    }

    /// Estimated number of rows in the window.
    pub fn expected_rows(&self) -> u64 {
        let total = self.pass.total.filter(|_| self.pass.outside == 0);
        total.unwrap_or_default().max(self.pass.inside())
    }

    /// Whether the last page has been read.
    pub fn is_at_end(&self) -> bool {
        self.pass.end != End::Stopped
    }

    /// Reads the first page, with another limit if the vendor refuses this one.
    async fn first(&mut self) -> Result<Page, Error> {
        let size = &mut self.hints.size;
        self.request.limit = self.few.unwrap_or(size.next());
        loop {
            let limit = self.request.limit;
            let error = match self.upstream.page(self.request).await {
                Err(error) if self.few.is_none() => error,
                result => {
                    if self.few.is_none() {
                        size.accept(limit);
                    }
                    return result;
                }
            };
            let Some(other) = size.after_failure(limit, error.kind) else {
                return Err(error);
            };
            if size.is_new_refusal(limit) {
                tracing::warn!(limit = other, %error, "request refused; trying another page size");
            }
            self.request.limit = other;
        }
    }

    /// Requests as many pages as the total makes likely, at least one.
    fn request_ahead(&mut self) {
        let per_page = (self.pass.rows / u64::from(self.pass.pages.max(1))).max(1);
        while self.in_flight.len() < self.parallel {
            let expected = self.pass.rows + self.in_flight.len() as u64 * per_page;
            let is_likely =
                self.last_was_full && self.pass.total.is_some_and(|total| expected < total);
            if !self.in_flight.is_empty() && !is_likely {
                return;
            }
            self.request.page += 1;
            let page = Box::pin(self.upstream.page(self.request));
            self.in_flight.push_back(page);
        }
    }

    /// Adds a page to the pass and decides whether it was the last.
    fn add(&mut self, page: &Page) -> End {
        self.pass.add_total(page.total);
        // Some vendors repeat the last page instead of serving an empty one.
        let is_repeated = self.partial.is_some() && self.pass.has_all(page);
        if page.is_empty() || is_repeated {
            return self.end_at_empty_page();
        }
        if let Some((rows, groups)) = self.partial.take()
            && self.few.is_none()
        {
            self.hints.size.observe_clamp(rows, groups);
        }
        let has_new_calls = self.pass.add_rows(page, self.request.window);
        self.stale = if has_new_calls { 0 } else { self.stale + 1 };
        self.last_was_full = self.hints.size.is_full(self.request.limit, page);
        let has_room = self.hints.size.has_seen_larger(page, 1);
        let is_small = self.hints.size.has_seen_larger(page, 2);
        self.hints.size.observe(page);
        if self.stale >= STALE_PAGES {
            return End::Circular;
        }
        if self.pass.is_beyond(page, self.request.window) {
            return End::Beyond;
        }
        if self.last_was_full {
            return End::Stopped;
        }
        let is_last = match self.pass.compare_total(self.hints) {
            Total::More => false,
            // The limit may be clamped silently, and the total be that of the page.
            Total::Agrees => {
                has_room || self.pass.pages > 1 || page.rows() < page_size::MIN_LIMIT.into()
            }
            Total::Fewer if self.pass.counts_groups() => has_room,
            // The total may not count unusable rows. Then rows exceed it long before the end.
            Total::Fewer if self.pass.unusable > 0 => false,
            // Without a total that fits, a page may be smaller because it ends between two groups, or
            // because rows were filtered out of it.
            Total::Fewer | Total::Absent => is_small,
        };
        if is_last {
            return End::Reached;
        }
        self.partial = Some((page.rows(), page.groups));
        End::Stopped
    }

    fn end_at_empty_page(&mut self) -> End {
        let pass = &self.pass;
        if pass.unusable > 0 && pass.total == Some(pass.rows) {
            self.hints.counts_unusable = true;
        }
        // A limit on the depth shows in a larger total, or in a round number of rows. Where the vendor
        // ignores the bounds of a window, a shorter one would not help.
        let is_round =
            pass.pages >= DEEP_PAGES && pass.rows.is_multiple_of(1000) && pass.outside == 0;
        let total_is_larger = pass.pages > 0 && pass.compare_total(self.hints) == Total::More;
        match self.last_was_full && (is_round || total_is_larger) {
            true => End::Deep,
            false => End::Reached,
        }
    }
}

#[cfg(test)]
mod tests;
