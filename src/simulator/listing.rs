//! The list of calls, page by page.

use std::ops::Range;

use super::call::Call;
use super::paging::{Order, Paging, Query, TotalOf, Unit};
use super::row_faults::RowFaults;
use super::world::{Scan, World};

/// One page.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// `paging.total`.
    pub total: usize,
    /// The calls that match the query, in list order.
    pub calls: Vec<Call<'a>>,
}

impl<'a> Listing<'a> {
    /// Calls listed together.
    pub fn groups(&self) -> impl Iterator<Item = &[Call<'a>]> {
        self.calls.chunk_by(|a, b| std::ptr::eq(a.leader, b.leader))
    }
}

impl Scan {
    fn total(&self, paging: &Paging) -> usize {
        match paging.total_counts {
            TotalOf::Rows => self.matches.len(),
            TotalOf::Calls => self.calls,
            TotalOf::Groups => self.group_starts.len(),
        }
    }

    fn is_for(&self, query: &Query, now: u32, rows: &RowFaults) -> bool {
        self.now == now && self.query == *query && self.rows == *rows
    }
}

impl World {
    /// A page of the list at `now`.
    ///
    /// Looks at every call of the window, once for all pages that are read in the same second.
    pub fn list(
        &mut self,
        query: &Query,
        now: u32,
        paging: &Paging,
        rows: &RowFaults,
    ) -> Listing<'_> {
        self.grow(now);
        let (limit, skip) = (paging.limit(query), paging.skip(query));
        let is_too_deep = paging.deep_is_empty && paging.is_too_deep(query);
        let query = Query {
            from: query.from.saturating_add(paging.start_excluded.into()),
            to: query.to.saturating_sub(paging.end_excluded.into()).min(now),
            limit: 0,
            page: 0,
            ..query.clone()
        };
        let earlier_total = (paging.total_lag_seconds > 0).then(|| {
            let earlier = now.saturating_sub(paging.total_lag_seconds);
            self.scan(query.clone(), earlier, rows).total(paging)
        });
        let by_groups = paging.limit_counts == Unit::Groups;
        let newest_first = paging.order == Order::NewestFirst;

        let scan = self.cached_scan(query, now, rows);
        let count = scan.matches.len();
        let range = if by_groups {
            let starts = &scan.group_starts;
            let groups = page_range(starts.len(), newest_first, skip, limit);
            let start = |group: usize| starts.get(group).map_or(count, |&start| start as usize);
            start(groups.start)..start(groups.end)
        } else {
            page_range(count, newest_first, skip, limit)
        };
        let mut indices: Vec<usize> = (scan.matches[range].iter())
            .map(|&index| index as usize)
            .collect();
        let total = scan.total(paging);
        if newest_first {
            indices.reverse();
        }
        if is_too_deep {
            indices.clear();
        }
        let total = earlier_total.unwrap_or(total) as i64;
        Listing {
            total: total.saturating_add(paging.total_off).max(0) as usize,
            calls: indices.iter().map(|&index| self.call(index)).collect(),
        }
    }

    fn cached_scan(&mut self, query: Query, now: u32, rows: &RowFaults) -> &Scan {
        let scan = match self.scan.take() {
            Some(scan) if scan.is_for(&query, now, rows) => scan,
            _ => self.scan(query, now, rows),
        };
        self.scan.insert(scan)
    }

    /// Looks at every call of the window.
    fn scan(&self, query: Query, now: u32, rows: &RowFaults) -> Scan {
        let reach = match rows.moved_share > 0.0 {
            true => rows.moved_seconds,
            false => 0,
        };
        let mut found = Vec::new();
        let (from, to) = (query.from, query.to.min(now));
        for index in self.span(from.saturating_sub(reach), to.saturating_add(reach)) {
            let call = self.call(index);
            let uploaded = rows.upload_time(&call, now);
            if from <= uploaded
                && uploaded <= to
                && call.is_visible(now)
                && query.call_types.contains(&call.call_type())
                && (query.is_for_all_statuses() || !rows.has_no_status(&call))
                && query.statuses.contains(&call.status_at(now))
            {
                found.push((uploaded, index as u32));
            }
        }
        if reach > 0 {
            found.sort_unstable();
        }
        let calls = found.len();
        let matches = self.with_copies(found.into_iter().map(|(_, index)| index), rows);
        let leader = |index: u32| index - u32::from(self.records[index as usize].back);
        let is_start = |&at: &usize| at == 0 || leader(matches[at - 1]) != leader(matches[at]);
        let starts = (0..matches.len()).filter(is_start);
        let group_starts = starts.map(|at| at as u32).collect();
        Scan {
            query,
            now,
            rows: rows.clone(),
            matches,
            group_starts,
            calls,
        }
    }

    /// Inserts a second copy of each call that is listed twice.
    fn with_copies(&self, indices: impl Iterator<Item = u32>, rows: &RowFaults) -> Vec<u32> {
        let mut list = Vec::new();
        // Copies to insert once the list has a given length.
        let mut pending: Vec<(usize, u32)> = Vec::new();
        for index in indices {
            list.push(index);
            let call = self.call(index as usize);
            if call.hits(120, rows.twice_share) {
                let distance = match rows.twice_apart {
                    true => 1 + (call.hash(121) % 5) as usize,
                    false => 0,
                };
                pending.push((list.len() + distance, index));
            }
            while let Some(position) = pending.iter().position(|&(at, _)| at <= list.len()) {
                list.push(pending.swap_remove(position).1);
            }
        }
        list.extend(pending.into_iter().map(|(_, index)| index));
        list
    }
}

/// The range of a page in ascending order, out of `count`.
fn page_range(count: usize, newest_first: bool, skip: usize, limit: usize) -> Range<usize> {
    let begin = skip.min(count);
    let end = skip.saturating_add(limit).min(count);
    if newest_first {
        count - end..count - begin
    } else {
        begin..end
    }
}
