//! The pages of one window, as an iterator that the caller drives.
//!
//! No number of pages can be computed: the vendor does not say whether `limit` counts groups or
//! calls, and its total may be wrong for good. So a list ends with a page that is empty, or that
//! has room left and contradicts nothing. The total only saves the request for an empty page, or
//! asks for one more.

use std::collections::HashSet;
use std::pin::Pin;

use futures_util::stream::{FuturesOrdered, StreamExt};

use super::page_size::PageSize;
use super::{Error, Filter, Page, PageRequest, Upstream};
use crate::model::{CallId, CallSet, Window};

/// Pages in a row without a new call after which a list is taken to go round in circles.
const STALE_PAGES: u32 = 3;
/// Fewer full pages than this before an empty one are no sign of a cap on the depth of paging.
const DEEP_PAGES: u32 = 10;
/// Calls that are known to be listed more than once.
const MAX_REPEATED: usize = 10_000;

/// What earlier lists of a target have shown, so that a difference is looked into once.
#[derive(Debug)]
pub struct ListHints {
    /// Rows to ask for.
    pub size: PageSize,
    /// By how much the total exceeded the rows when two readings agreed on the calls.
    excess: Option<i64>,
    /// Calls that two readings in agreement listed more than once.
    repeated: CallSet,
    /// The total counts rows that cannot be used too.
    counts_unusable: bool,
}

impl ListHints {
    /// Knows nothing yet.
    pub fn new(page_size: u32) -> Self {
        Self {
            size: PageSize::new(page_size),
            excess: None,
            repeated: CallSet::default(),
            counts_unusable: false,
        }
    }

    /// Whether totals were found to be wrong.
    pub fn distrusts_totals(&self) -> bool {
        self.excess.is_some()
    }

    /// Takes what is odd about a list as a fact, after two readings agreed.
    pub fn learn(&mut self, pass: &Pass) {
        if let Some(total) = pass.total.filter(|_| pass.pages > 0) {
            self.excess = Some(excess(total, pass.rows)).filter(|excess| *excess != 0);
        }
        if self.repeated.len() + pass.repeated.len() > MAX_REPEATED {
            self.repeated.clear();
        }
        self.repeated.extend(&pass.repeated);
    }
}

fn excess(total: u64, rows: u64) -> i64 {
    i64::try_from(total).unwrap_or(i64::MAX) - i64::try_from(rows).unwrap_or(i64::MAX)
}

/// How a list ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With a page that has room left, or that is empty.
    Reached,
    /// With an empty page after many full ones: perhaps no deeper page is served.
    Deep,
    /// It showed the same calls again and again.
    Circular,
    /// The caller stopped.
    Stopped,
}

/// One reading of a list from its first page on.
#[derive(Debug)]
pub struct Pass {
    /// The calls it showed.
    pub seen: CallSet,
    /// Rows, usable or not, repeated or not.
    pub rows: u64,
    /// The vendor's number, as the last page gave it.
    pub total: Option<u64>,
    /// How it ended.
    pub end: End,
    /// Pages with rows.
    pub pages: u32,
    unusable: u64,
    groups: u64,
    /// The total changed between two pages.
    total_changed: bool,
    /// Calls that came more than once.
    repeated: HashSet<CallId>,
}

/// What a pass is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Every call that the vendor lists was shown.
    Complete,
    /// The list moved while it was read, or contradicts its total: read it once more.
    Doubtful,
    /// The list cannot be read to its end in one piece.
    Cut,
}

impl Pass {
    /// What this pass is worth by itself.
    pub fn verdict(&self, hints: &ListHints) -> Verdict {
        match self.end {
            End::Deep | End::Stopped => return Verdict::Cut,
            End::Circular => return Verdict::Doubtful,
            End::Reached => {}
        }
        // One page is a moment of the list; what follows it was empty.
        if self.pages == 1 || (self.pages == 0 && self.compare_total(hints) != Total::More) {
            return Verdict::Complete;
        }
        let moved = self.total_changed || !self.repeated.is_subset_of(&hints.repeated);
        let counts_groups = self.total == Some(self.groups);
        match self.compare_total(hints) {
            _ if moved => Verdict::Doubtful,
            Total::Absent | Total::Agrees => Verdict::Complete,
            Total::Fewer if counts_groups => Verdict::Complete,
            Total::More | Total::Fewer => Verdict::Doubtful,
        }
    }

    /// Whether the total contradicts the rows, in a way that is not known yet.
    pub fn contradicts_total(&self, hints: &ListHints) -> bool {
        matches!(self.compare_total(hints), Total::More | Total::Fewer)
    }

    /// Whether two passes to the end of a list showed the same calls.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let ended = |pass: &Self| matches!(pass.end, End::Reached | End::Circular);
        ended(self) && ended(other) && self.seen == other.seen
    }

    fn compare_total(&self, hints: &ListHints) -> Total {
        let Some(total) = self.total else {
            return Total::Absent;
        };
        let distinct = self.seen.len() as u64;
        // Whatever a vendor may count: rows or calls, and the unusable ones if that is known.
        let usable = [distinct, self.rows - self.unusable].contains(&total);
        let all = [self.rows, distinct + self.unusable].contains(&total);
        if usable
            || (all && hints.counts_unusable)
            || hints.excess == Some(excess(total, self.rows))
        {
            Total::Agrees
        } else if total > self.rows - self.unusable {
            Total::More
        } else {
            Total::Fewer
        }
    }
}

trait Subset {
    fn is_subset_of(&self, known: &CallSet) -> bool;
}

impl Subset for HashSet<CallId> {
    fn is_subset_of(&self, known: &CallSet) -> bool {
        self.iter().all(|id| known.contains(id))
    }
}

/// The vendor's total beside the rows read so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Total {
    Absent,
    Agrees,
    More,
    Fewer,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Page, Error>> + Send + 'a>>;

/// Reads a window page by page; a few pages ahead where the total makes them likely.
pub struct Pages<'a, U> {
    upstream: &'a U,
    window: Window,
    filter: Filter,
    parallel: usize,
    hints: &'a mut ListHints,
    limit: u32,
    asked: u32,
    ahead: FuturesOrdered<Answer<'a>>,
    pass: Pass,
    /// Rows and groups of a page that has room left, and after which more was asked for.
    last: Option<(u64, u32)>,
    last_was_full: bool,
    stale: u32,
    ended: bool,
}

impl<'a, U: Upstream> Pages<'a, U> {
    /// Asks for nothing yet.
    pub fn new(
        upstream: &'a U,
        window: Window,
        filter: Filter,
        parallel: usize,
        hints: &'a mut ListHints,
    ) -> Self {
        Self {
            upstream,
            window,
            filter,
            parallel: parallel.max(1),
            hints,
            limit: 0,
            asked: 0,
            ahead: FuturesOrdered::new(),
            pass: Pass {
                seen: CallSet::default(),
                rows: 0,
                total: None,
                end: End::Stopped,
                pages: 0,
                unusable: 0,
                groups: 0,
                total_changed: false,
                repeated: HashSet::new(),
            },
            last: None,
            last_was_full: false,
            stale: 0,
            ended: false,
        }
    }

    /// The next page that has rows; `None` at the end of the list.
    ///
    /// # Errors
    ///
    /// Those of the upstream. What came before is good all the same.
    pub async fn next(&mut self) -> Result<Option<Page>, Error> {
        if self.ended {
            return Ok(None);
        }
        let page = if self.asked == 0 {
            self.asked = 1;
            self.first().await?
        } else {
            self.ask_ahead();
            match self.ahead.next().await {
                Some(page) => page?,
                None => return Ok(None),
            }
        };
        self.take(&page);
        Ok((page.rows() > 0).then_some(page))
    }

    /// A page that was asked for ahead and is no longer needed. It is on its way anyway, and what
    /// it shows may have left the list by the next reading.
    pub async fn next_in_flight(&mut self) -> Option<Page> {
        loop {
            if let Ok(page) = self.ahead.next().await? {
                return Some(page);
            }
        }
    }

    /// What has been read, to be judged.
    pub fn into_pass(self) -> Pass {
        self.pass
    }

    /// What has been read so far.
    pub fn pass(&self) -> &Pass {
        &self.pass
    }

    /// Rows asked for a page.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Rows that the list has, as far as can be told.
    pub fn expected_rows(&self) -> u64 {
        self.pass.total.unwrap_or_default().max(self.pass.rows)
    }

    /// Whether the last page has come.
    pub fn is_at_end(&self) -> bool {
        self.ended
    }

    /// The first page, with another limit where the vendor refuses this one.
    async fn first(&mut self) -> Result<Page, Error> {
        let mut limit = self.hints.size.next();
        loop {
            let request = self.request(1, limit);
            match self.upstream.page(request).await {
                Ok(page) => {
                    self.hints.size.accept(limit);
                    self.limit = limit;
                    return Ok(page);
                }
                Err(error) => match self.hints.size.after_failure(limit, error.kind) {
                    Some(other) => {
                        tracing::warn!(limit = other, %error, "request refused; trying another page size");
                        limit = other;
                    }
                    None => return Err(error),
                },
            }
        }
    }

    fn request(&self, page: u32, limit: u32) -> PageRequest {
        PageRequest {
            window: self.window,
            filter: self.filter,
            page,
            limit,
        }
    }

    /// As many pages as the total makes likely, one at least.
    fn ask_ahead(&mut self) {
        let per_page = (self.pass.rows / u64::from(self.pass.pages.max(1))).max(1);
        while self.ahead.len() < self.parallel {
            let expected = self.pass.rows + self.ahead.len() as u64 * per_page;
            let likely =
                self.last_was_full && self.pass.total.is_some_and(|total| expected < total);
            if !self.ahead.is_empty() && !likely {
                return;
            }
            self.asked += 1;
            let request = self.request(self.asked, self.limit);
            self.ahead.push_back(Box::pin(self.upstream.page(request)));
        }
    }

    /// Takes a page into account, and decides whether it was the last.
    fn take(&mut self, page: &Page) {
        let pass = &mut self.pass;
        if pass.pages > 0 && page.total != pass.total {
            pass.total_changed = true;
        }
        pass.total = page.total.or(pass.total);
        if page.rows() == 0 {
            if pass.unusable > 0 && pass.total == Some(pass.rows) {
                self.hints.counts_unusable = true;
            }
            // A cap on the depth is betrayed by the total; if not, it is a round number of rows.
            let many = pass.pages >= DEEP_PAGES && pass.rows.is_multiple_of(1000);
            let more = pass.pages > 0 && pass.compare_total(self.hints) == Total::More;
            let deep = self.last_was_full && (many || more);
            return self.end(if deep { End::Deep } else { End::Reached });
        }
        if let Some((rows, groups)) = self.last.take() {
            self.hints.size.observe_clamp(rows, groups);
        }
        let before = pass.seen.len();
        for record in &page.records {
            if !pass.seen.insert(record.id) {
                pass.repeated.insert(record.id);
            }
        }
        pass.pages += 1;
        pass.rows += page.rows();
        pass.unusable += page.unusable();
        pass.groups += u64::from(page.groups);
        let is_new = pass.seen.len() > before || page.records.is_empty();
        self.stale = if is_new { 0 } else { self.stale + 1 };
        let is_full = self.hints.size.is_full(self.limit, page);
        let has_room = self.hints.size.has_seen_larger(page);
        self.hints.size.observe(page);
        self.last_was_full = is_full;
        if self.stale >= STALE_PAGES {
            return self.end(End::Circular);
        }
        if is_full {
            return;
        }
        // The size of a page that a vendor clamps silently to is a round number.
        let round = pass.pages == 1 && page.rows().is_multiple_of(10);
        let is_last = match pass.compare_total(self.hints) {
            Total::Agrees => has_room || !round,
            Total::More => false,
            // Rows that cannot be used may stand beside those that the total counts. Then pages
            // differ in size, and rows in number from the total, long before the end.
            Total::Fewer if pass.unusable > 0 => false,
            Total::Absent | Total::Fewer => has_room,
        };
        if is_last {
            return self.end(End::Reached);
        }
        self.last = Some((page.rows(), page.groups));
    }

    fn end(&mut self, end: End) {
        self.pass.end = end;
        self.ended = true;
    }
}

#[cfg(test)]
mod tests;
