//! What a target remembers from pull to pull, but not across a restart: it saves requests and
//! proves nothing.

use std::collections::HashMap;

use super::plan::Reconcile;
use super::recent::RecentHints;
use crate::model::{CallId, UnixSeconds, Window};
use crate::upstream::pages::ListHints;

/// The largest slice of a comparison, pages.
pub(super) const MAX_RECONCILE_PAGES: u64 = 10;
/// Looks at a pending call that the filtered list does not show, before it is left to the
/// comparison of the lookback.
const LOOKS: u8 = 3;
/// A page that fails earlier fails for another reason than its depth.
const SHALLOWEST: u64 = 1000;
/// Lists to read before a width or depth that was refused is tried again.
const READS_TO_GROW: u32 = 1000;
/// A vendor that refuses even shorter windows refuses something else.
pub(super) const MIN_WIDTH: UnixSeconds = 60;

#[derive(Debug)]
pub(super) struct ScanHints {
    /// How pages are cut, and what is odd about the list.
    pub(super) list: ListHints,
    /// How new calls are found.
    pub(super) recent: RecentHints,
    /// Seconds of a gap to be read at a time.
    pub(super) span: UnixSeconds,
    /// The widest window that the vendor takes, seconds.
    pub(super) width: UnixSeconds,
    /// Rows of one list beyond which no page is served.
    pub(super) depth: u64,
    /// Lists read since width or depth was last cut.
    reads_since_cut: u32,
    /// Whether a call uploaded at the first second of a window is listed, and at the last.
    pub(super) edges: [Option<bool>; 2],
    /// Where among the pending calls the next pull begins.
    pub(super) pending_from: UnixSeconds,
    /// Pending calls that the filtered list did not show, and yet nothing had happened to them.
    unlisted: HashMap<CallId, u8>,
    pub(super) reconcile: Option<Reconcile>,
    pub(super) reconcile_pages: u64,
    /// Slices of a comparison that were dropped in a row, because a scrape wanted a pull.
    pub(super) drops: u32,
    /// The last warning about the list, so that it is not repeated.
    pub(super) warned: String,
}

impl ScanHints {
    pub(super) fn new(page_size: u32) -> Self {
        Self {
            list: ListHints::new(page_size),
            recent: RecentHints::default(),
            span: UnixSeconds::MAX,
            width: UnixSeconds::MAX,
            depth: u64::MAX,
            reads_since_cut: 0,
            edges: [None; 2],
            pending_from: 0,
            unlisted: HashMap::new(),
            reconcile: None,
            reconcile_pages: MAX_RECONCILE_PAGES,
            drops: 0,
            warned: String::new(),
        }
    }

    /// A window of this width was read where wider ones had been refused.
    pub(super) fn narrowed_to(&mut self, width: UnixSeconds) {
        self.width = width.max(MIN_WIDTH);
        self.reads_since_cut = 0;
    }

    /// No page was served beyond so many rows.
    pub(super) fn cut_at(&mut self, rows: u64) {
        self.depth = rows.max(SHALLOWEST);
        self.reads_since_cut = 0;
    }

    /// A list was read. A width or depth that was refused is tried again after many lists.
    pub(super) fn list_read(&mut self) {
        self.reads_since_cut = self.reads_since_cut.saturating_add(1);
        if self.reads_since_cut >= READS_TO_GROW {
            self.width = self.width.saturating_mul(2);
            self.depth = self.depth.saturating_mul(2);
            self.reads_since_cut = 0;
        }
    }

    /// Whether to look where a pending call went that the filtered list does not show.
    pub(super) fn is_worth_a_look(&self, id: CallId) -> bool {
        self.unlisted.get(&id).is_none_or(|looks| *looks < LOOKS)
    }

    /// A look at a call that the filtered list did not show found it still pending.
    pub(super) fn looked_in_vain(&mut self, id: CallId) {
        let looks = self.unlisted.entry(id).or_default();
        *looks = looks.saturating_add(1);
    }

    /// Forgets the calls that the filtered list shows, or that are no longer pending.
    pub(super) fn keep_unlisted(&mut self, keep: impl Fn(CallId) -> bool) {
        self.unlisted.retain(|id, _| keep(*id));
    }

    /// Seconds to widen the window around a second at each end, so that the second is listed.
    pub(super) fn padding(&self, window: Window) -> Window {
        let pad = self
            .edges
            .map(|listed| UnixSeconds::from(listed != Some(true)));
        Window {
            from: window.from.saturating_sub(pad[0]),
            to: window.to.saturating_add(pad[1]),
        }
    }
}
