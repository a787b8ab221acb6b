//! The calls that match a query, found by looking at every call of its window.

use super::paging::{Paging, Query, TotalOf};
use super::rows::RowFaults;

/// Kept, since the other pages of the query usually follow.
#[derive(Debug)]
pub(super) struct Scan {
    /// Without `limit` and `page`.
    pub(super) query: Query,
    pub(super) now: u32,
    pub(super) rows: RowFaults,
    /// Indices of calls in upload order, twice if a call is listed twice.
    pub(super) matches: Vec<u32>,
    /// Positions in `matches` at which a group starts.
    pub(super) group_starts: Vec<u32>,
    /// Number of distinct calls.
    pub(super) calls: usize,
}

impl Scan {
    pub(super) fn total(&self, paging: &Paging) -> usize {
        match paging.total_counts {
            TotalOf::Rows => self.matches.len(),
            TotalOf::Calls => self.calls,
            TotalOf::Groups => self.group_starts.len(),
        }
    }

    pub(super) fn is_for(&self, query: &Query, now: u32, rows: &RowFaults) -> bool {
        self.now == now && self.query == *query && self.rows == *rows
    }
}
