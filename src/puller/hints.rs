//! What pulls learn about a target. It saves requests, proves nothing, and is lost at a restart.

use std::collections::HashMap;

use super::gap_read::GapRead;
use super::plan::Reconcile;
use super::recent_hints::RecentHints;
use crate::model::{CallId, UnixSeconds, Window};
use crate::upstream::pages::ListHints;

/// Pages of the largest slice of a comparison.
pub(super) const MAX_RECONCILE_PAGES: u64 = 10;
/// How often to look for a pending call that the filtered list omits, before leaving it to the
/// comparison of the lookback.
const MAX_LOOKS: u8 = 3;
/// Rows below which a failing page has another reason than its depth.
const MIN_DEPTH: u64 = 1000;
/// Windows read before a width or depth that was refused is tried again.
const READS_TO_GROW: u32 = 1000;
/// Seconds. A vendor that refuses even shorter windows refuses something else.
pub(super) const MIN_WIDTH: UnixSeconds = 60;

#[derive(Debug)]
pub(super) struct ScanHints {
    /// Page size, and known contradictions of the list.
    pub(super) list: ListHints,
    pub(super) recent: RecentHints,
    /// Seconds of the next slice of a gap.
    pub(super) span: UnixSeconds,
    /// Seconds of the widest window that the vendor accepts.
    pub(super) width: UnixSeconds,
    /// Rows of a list beyond which the vendor serves no page.
    pub(super) depth: u64,
    /// Windows read since width or depth was last reduced.
    reads_since_cut: u32,
    /// Whether the first and the last second of a window are inclusive, if known.
    pub(super) edges: [Option<bool>; 2],
    /// Upload time of the pending call with which the next pull starts.
    pub(super) pending_from: UnixSeconds,
    /// Pending calls that the filtered list omits, and how often they were looked for.
    unlisted: HashMap<CallId, u8>,
    /// The gap that is being read.
    pub(super) gap: Option<GapRead>,
    pub(super) reconcile: Option<Reconcile>,
    pub(super) reconcile_pages: u64,
    /// Slices of a comparison in a row that scrapes interrupted.
    pub(super) interruptions: u32,
    /// The last warning about the list, to log it once.
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
            gap: None,
            reconcile: None,
            reconcile_pages: MAX_RECONCILE_PAGES,
            interruptions: 0,
            warned: String::new(),
        }
    }

    /// The vendor accepted a window of this width after refusing wider ones.
    pub(super) fn narrowed_to(&mut self, width: UnixSeconds) {
        self.width = width.max(MIN_WIDTH);
        self.reads_since_cut = 0;
    }

    /// The vendor served no page beyond so many rows.
    pub(super) fn cut_at(&mut self, rows: u64) {
        self.depth = rows.max(MIN_DEPTH);
        self.reads_since_cut = 0;
    }

    /// Counts a window that was read. After many, a larger width and depth are tried again.
    pub(super) fn count_read(&mut self) {
        self.reads_since_cut = self.reads_since_cut.saturating_add(1);
        if self.reads_since_cut >= READS_TO_GROW {
            self.width = self.width.saturating_mul(2);
            self.depth = self.depth.saturating_mul(2);
            self.reads_since_cut = 0;
        }
    }

    /// Whether to look for a pending call that the filtered list omits.
    pub(super) fn is_worth_looking_for(&self, id: CallId) -> bool {
        self.unlisted
            .get(&id)
            .is_none_or(|looks| *looks < MAX_LOOKS)
    }

    /// A call that the filtered list omits was looked for and is still pending.
    pub(super) fn count_futile_look(&mut self, id: CallId) {
        let looks = self.unlisted.entry(id).or_default();
        *looks = looks.saturating_add(1);
    }

    /// Keeps the omitted calls for which `keep` holds.
    pub(super) fn keep_unlisted(&mut self, keep: impl Fn(CallId) -> bool) {
        self.unlisted.retain(|id, _| keep(*id));
    }

    /// Widens a window just enough that its own first and last second are listed.
    pub(super) fn pad(&self, window: Window) -> Window {
        let pad = self
            .edges
            .map(|listed| UnixSeconds::from(listed != Some(true)));
        Window {
            from: window.from.saturating_sub(pad[0]),
            to: window.to.saturating_add(pad[1]),
        }
    }
}
