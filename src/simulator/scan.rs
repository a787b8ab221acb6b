//! The matches of a query that needs a look at every call of its window.

use super::listing::{Paging, Query, TotalOf};
use super::rows::RowFaults;
use super::world::World;

/// Kept, as the other pages of the query follow.
#[derive(Debug)]
pub(super) struct Scan {
    query: Query,
    now: u32,
    rows: RowFaults,
    /// Indices of calls in upload order; one that is listed twice is there twice.
    pub(super) matches: Vec<u32>,
    /// Where in `matches` a group begins.
    pub(super) starts: Vec<u32>,
    /// How many calls there are, each counted once.
    calls: usize,
}

impl Scan {
    /// What the vendor gives as the total.
    pub(super) fn total(&self, paging: &Paging) -> usize {
        match paging.total_counts {
            TotalOf::Rows => self.matches.len(),
            TotalOf::Calls => self.calls,
            TotalOf::Groups => self.starts.len(),
        }
    }
}

impl World {
    pub(super) fn scanned(&mut self, query: Query, now: u32, rows: &RowFaults) -> &Scan {
        let scan = match self.scan.take() {
            Some(scan) if scan.now == now && scan.query == query && scan.rows == *rows => scan,
            _ => self.scan(query, now, rows),
        };
        self.scan.insert(scan)
    }

    /// Looks at the whole window.
    pub(super) fn scan(&self, query: Query, now: u32, rows: &RowFaults) -> Scan {
        let takes_all = self.takes_all(&query);
        let reach = if rows.moved_share > 0.0 {
            rows.moved_seconds
        } else {
            0
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
                && (takes_all || !rows.has_no_status(&call))
                && query.statuses.contains(&call.status_at(now))
                && query.filter.admits(&call)
            {
                found.push((uploaded, index as u32));
            }
        }
        if reach > 0 {
            found.sort_unstable();
        }
        let calls = found.len();
        let matches = self.doubled(found.into_iter().map(|(_, index)| index), rows);
        let mut starts = Vec::new();
        let mut last_leader = None;
        for (place, &index) in matches.iter().enumerate() {
            let leader = index - u32::from(self.records[index as usize].back);
            if last_leader != Some(leader) {
                starts.push(place as u32);
                last_leader = Some(leader);
            }
        }
        Scan {
            query,
            now,
            rows: rows.clone(),
            matches,
            starts,
            calls,
        }
    }

    /// Calls in their order, with a second copy of those that are listed twice.
    fn doubled(&self, indices: impl Iterator<Item = u32>, rows: &RowFaults) -> Vec<u32> {
        let mut list = Vec::new();
        // Second copies that stand further on, with the length of the list at which they do.
        let mut waiting: Vec<(usize, u32)> = Vec::new();
        for index in indices {
            list.push(index);
            let call = self.call(index as usize);
            if rows.is_twice(&call) {
                waiting.push((list.len() + rows.distance(&call), index));
            }
            while let Some(place) = waiting.iter().position(|&(at, _)| at <= list.len()) {
                list.push(waiting.swap_remove(place).1);
            }
        }
        list.extend(waiting.into_iter().map(|(_, index)| index));
        list
    }
}
